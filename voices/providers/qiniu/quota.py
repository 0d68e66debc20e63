"""How many paid trainings an account has left (`/v1/quotas`), where the provider tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeGuard

RESOURCE = "linxi:api:voice_clone"
ACTIVE = 0
PAGE_SIZE = 100
MAX_PAGES = 20


def left(page: Callable[[Mapping[str, str]], Mapping[str, Any]], *, now: datetime) -> int | None:
    """Paid trainings left. None: the provider does not say, which is not the same as none left.

    `page` asks for one page of quotas and gives its `data`; `now` has a time zone.
    """
    total, told = 0, False
    cursor = ""
    for _page in range(MAX_PAGES):
        data = page({"resource_type": "1", "limit": str(PAGE_SIZE)} | ({"cursor": cursor} if cursor else {}))
        rows = data.get("quotas")
        if not isinstance(rows, Sequence) or isinstance(rows, str):
            return None
        for row in rows:
            counted = _left_of(row, now=now)
            if counted is None:
                return None
            total, told = total + counted, True
        cursor = str(data.get("next_cursor") or "")
        if not cursor:
            return max(total, 0) if told else None
    return None


def _left_of(row: object, *, now: datetime) -> int | None:
    """0 for a package that is not active, has expired, or is for something else."""
    if not isinstance(row, Mapping):
        return None
    if row.get("resource_type") not in (None, RESOURCE) or row.get("status") != ACTIVE:
        return 0
    used, bought = row.get("usage_count"), row.get("total_count")
    if not _is_count(used) or not _is_count(bought):
        return None
    try:
        expires = datetime.fromisoformat(str(row.get("expired_time")))
    except ValueError:
        return None
    if expires.tzinfo is None:
        return None
    return 0 if expires <= now else bought - used


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
