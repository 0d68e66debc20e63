"""The queues, by name. Standard library only: the supervisor reads it, too."""

from __future__ import annotations

from enum import StrEnum


class Queue(StrEnum):
    """Each has a cluster of its own, so that what takes long never keeps what is quick from running."""

    DEFAULT = "default"
    """Asking providers, deleting, sweeping: seconds."""
    SLOW = "slow"
    """Speaking and enrolling: up to half an hour."""
