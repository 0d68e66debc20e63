"""Reading the vendor's JSON, which gives one and the same number here as text and there as a number."""

from __future__ import annotations


def integer(value: object) -> int | None:
    """A whole number, also one written as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value).strip()
    return int(text) if text.removeprefix("-").isdecimal() and text.isascii() and len(text) < 20 else None
