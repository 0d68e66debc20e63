"""The providers' real wire on one loopback port, with a speech engine behind it. Never part of a deployment."""
