"""JSON as providers send it, fit to keep: whatever it is, reading it raises nothing, and every text of it can be stored."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

LONGEST_PAUSE = 3600.0
"""Seconds. A provider that asks for a longer one is asked again after this."""
LONGEST_ID = 200
LONGEST_STATE = 60
LONGEST_NOTE = 120
"""Characters that a row has room for: of a voice's id, of a state's name, of a request's id or a code. Real ones are shorter."""

# No database takes half of a surrogate pair, and PostgreSQL no NUL either; JSON can spell both.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_SPELT = re.compile(r"\\u(?:0000|d[89a-f])", re.IGNORECASE)


def json_object(content: str | bytes) -> Mapping[str, Any] | None:
    """None for what is no JSON object, or is nested too deeply to be read."""
    try:
        text = content if isinstance(content, str) else content.decode()
        value = json.loads(text)
        if isinstance(value, dict):
            return _cleaned(value) if _SPELT.search(text) else value
    except (ValueError, RecursionError):
        return None
    return None


def json_array(content: bytes) -> Sequence[Any] | None:
    """As `json_object`, for a list."""
    try:
        text = content.decode()
        value = json.loads(text)
        if isinstance(value, list):
            cleaned: list[Any] = _cleaned(value) if _SPELT.search(text) else value
            return cleaned
    except (ValueError, RecursionError):
        return None
    return None


def pause(retry_after: str) -> float | None:
    """Seconds, of a Retry-After header; None when it gives none."""
    given = retry_after.strip()
    return min(float(given), LONGEST_PAUSE) if given.isascii() and given.isdigit() else None


def mapping(value: object) -> Mapping[str, Any]:
    """A JSON object inside another; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def identifier(value: object) -> str:
    """The id of a voice or a task, whole; empty for what is none, or is longer than any: half of an id is nobody's."""
    return value if isinstance(value, str) and len(value) <= LONGEST_ID else ""


def note(value: object, *, longest: int = LONGEST_NOTE) -> str:
    """What is only ever shown, such as a request's id or a state's name: cut to what a row has room for."""
    return "" if value is None or isinstance(value, bool | dict | list) else str(value).strip()[:longest]


def storable(text: str) -> str:
    return _UNSTORABLE.sub("\ufffd", text)


def _cleaned(value: Any) -> Any:
    match value:
        case str():
            return storable(value)
        case list():
            return [_cleaned(each) for each in value]
        case dict():
            return {_cleaned(name): _cleaned(each) for name, each in value.items()}
    return value
