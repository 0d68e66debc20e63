"""The floor of providers: how each company wants to be asked. Start at `base.py`, then `registry.py`."""
