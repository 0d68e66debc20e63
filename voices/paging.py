"""Walk a list from its newest row to its oldest, by cursor: the thousandth page costs what the first does; nothing is counted."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_datetime

from voices.durable import DurableRow

Row = TypeVar("Row", bound=DurableRow)

PAGE = 20


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """`newer` and `older` are query strings for the pages beside this one; empty where there is none."""

    rows: Sequence[Row]
    newer: str = ""
    older: str = ""


def page_of(rows: QuerySet[Row], *, before: str = "", after: str = "", size: int = PAGE) -> Page[Row]:
    """The page that lies before or after a row, named as in `Page`; a name that cannot be read means the first page."""
    if (newest := _place(after)) is not None:
        at, pk = newest
        found = rows.filter(Q(created_at__gt=at) | Q(created_at=at, pk__gt=pk)).order_by("created_at", "pk")[: size + 1]
        more, shown = len(found) > size, list(reversed(found[:size]))
        return Page(
            shown, newer=_name("after", shown[0]) if more else "", older=_name("before", shown[-1]) if shown else ""
        )
    rows = rows.order_by("-created_at", "-pk")
    oldest = _place(before)
    if oldest is not None:
        at, pk = oldest
        # The first condition alone bounds the walk through the index.
        rows = rows.filter(created_at__lte=at).exclude(created_at=at, pk__gte=pk)
    found = rows[: size + 1]
    shown = list(found[:size]) if len(found) > size else list(found)
    return Page(
        shown,
        newer=_name("after", shown[0]) if oldest is not None and shown else "",
        older=_name("before", shown[-1]) if len(found) > size else "",
    )


def _name(side: str, row: DurableRow) -> str:
    return f"{side}={row.created_at.strftime('%Y%m%dT%H%M%S.%fZ')}_{row.pk.hex}"


def _place(name: str) -> tuple[datetime, uuid.UUID] | None:
    moment, _, pk = name.partition("_")
    try:
        at = parse_datetime(moment)
        return (at, uuid.UUID(pk)) if at is not None and at.tzinfo is not None else None
    except ValueError:
        return None
