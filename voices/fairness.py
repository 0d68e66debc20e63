"""Whose turn it is, where many people's rows wait for the same account or the same workers.

First comes who has least in work, then who was served longest ago: one user's thousand jobs delay another's single one by about
one slot. "Served" is `intent_at`, when a call last left for one of somebody's rows.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Min, QuerySet, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

REMEMBERED = timedelta(hours=1)


def next_turn(due: QuerySet[Any], *, everybody: QuerySet[Any]) -> uuid.UUID | None:
    """The row of `due` whose turn it is, None when there is none. `everybody`: all rows of the kind, in work or served.

    A row that was made first goes first among its owner's.
    """
    waiting: dict[int, datetime] = dict(due.order_by().values_list("owner").annotate(since=Min("due_at")))
    if not waiting:
        return None
    owner = next(iter(waiting))
    if len(waiting) > 1:
        now = timezone.now()
        others = everybody.filter(owner__in=waiting).order_by()
        in_work = dict(others.filter(lease_until__gt=now).values_list("owner").annotate(rows=Count("pk")))
        served = dict(others.filter(intent_at__gt=now - REMEMBERED).values_list("owner").annotate(at=Max("intent_at")))
        long_ago = now - 2 * REMEMBERED
        owner = min(waiting, key=lambda each: (in_work.get(each, 0), served.get(each, long_ago), waiting[each]))
    oldest: uuid.UUID | None = due.filter(owner=owner).order_by("created_at", "pk").values_list("pk", flat=True).first()
    return oldest


def in_turn(due: QuerySet[Any]) -> QuerySet[Any, Any]:
    """The ids of all that is due: everybody's first, then everybody's second."""
    number = Window(RowNumber(), partition_by="owner", order_by=["due_at"])
    ids: QuerySet[Any, Any] = due.annotate(number=number).order_by("number", "due_at").values_list("pk", flat=True)
    return ids
