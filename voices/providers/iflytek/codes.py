"""Reading the vendor's JSON, which gives one and the same number here as text and there as a number."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def integer(value: object) -> int | None:
    """A whole number, also one written as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value).strip()
    return int(text) if text.removeprefix("-").isdecimal() and text.isascii() and len(text) < 20 else None


def json_object(text: str) -> Mapping[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
