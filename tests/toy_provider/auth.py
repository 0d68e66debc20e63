"""One key in one header."""

from __future__ import annotations

from collections.abc import Mapping


def knock(key: str) -> Mapping[str, str]:
    return {"X-Toy-Key": key}
