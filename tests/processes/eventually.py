"""Waiting for other processes: for a condition, with a deadline, never for a length of time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def eventually(look: Callable[[], Found], *, seconds: float = 30.0, what: str = "", every: float = 0.05) -> Found:
    """What `look` found, as soon as it is true. Raises AssertionError with what it said last when the time is up.
    `every` so many seconds it looks."""
    until = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > until:
            raise AssertionError(f"Not within {seconds:g} s: {what or look.__name__}; at the end it was {found!r}")
        time.sleep(every)
