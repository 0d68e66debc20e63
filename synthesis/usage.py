"""What a person has used, along time: one figure per stretch, and one line per voice, model or the like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from django.db.models import Count, Sum
from django.db.models.functions import Trunc
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from synthesis.models import SynthesisJob
from voices.errors import InvalidInput
from voices.models import Owner

Interval = Literal["hour", "day", "week", "month", "cumulative"]
Measure = Literal["characters", "jobs", "minutes"]

MOST_STRETCHES = 2000
_SUMS: Mapping[str, Any] = {"characters": Sum("characters"), "jobs": Count("pk"), "minutes": Sum("seconds")}


@dataclass(frozen=True, slots=True)
class Series:
    """`values` has a list as long as `moments` for each name; the name is empty where nothing is told apart."""

    moments: list[datetime]
    values: Mapping[str, list[float]]


def series(
    owner: Owner, *, since: datetime, until: datetime, interval: Interval, measure: Measure, by: str = ""
) -> Series:
    """`by` is the column whose values are told apart. Stretches begin in the site's time zone, each whole one that touches the time
    asked for; repeats used nothing. Raises InvalidInput when they would be too many."""
    step: Any = "day" if interval == "cumulative" else interval
    spoken = SynthesisJob.objects.filter(owner=owner, repeat_of=None)
    rows = spoken.filter(created_at__gte=since, created_at__lte=until).order_by()
    first = rows.order_by("created_at").values_list("created_at", flat=True).first()
    moments = _moments(max(since, first), until, step) if first else []
    grouped = rows.annotate(stretch=Trunc("created_at", step)).values("stretch", *([by] if by else []))
    values: dict[str, list[float]] = {} if by else {"": [0.0] * len(moments)}
    place = {moment: index for index, moment in enumerate(moments)}
    for row in grouped.annotate(sum=_SUMS[measure]):
        line = values.setdefault(str(row[by]) if by else "", [0.0] * len(moments))
        line[place[row["stretch"]]] = _figure(row["sum"], measure)
    if interval == "cumulative":
        values = {name: _added_up(line) for name, line in values.items()}
    return Series(moments=moments, values=values)


def _figure(found: float | None, measure: Measure) -> float:
    return round((found or 0) / 60, 3) if measure == "minutes" else float(found or 0)


def _added_up(line: list[float]) -> list[float]:
    total, sums = 0.0, []
    for value in line:
        total += value
        sums.append(round(total, 3))
    return sums


def _moments(since: datetime, until: datetime, step: str) -> list[datetime]:
    at, moments = _beginning(since, step), []
    while at <= until:
        moments.append(at)
        if len(moments) > MOST_STRETCHES:
            sentence = _("These are too many points in time. Ask for a shorter time, or for longer stretches.")
            raise InvalidInput(fields={"aggregation_interval": [sentence]})
        at = _next(at, step)
    return moments


def _beginning(moment: datetime, step: str) -> datetime:
    local = timezone.localtime(moment).replace(minute=0, second=0, microsecond=0)
    if step == "hour":
        return local
    day = local.replace(hour=0)
    if step == "week":
        return _midnight(day - timedelta(days=day.weekday()))
    return day.replace(day=1) if step == "month" else day


def _next(moment: datetime, step: str) -> datetime:
    if step == "hour":
        return moment + timedelta(hours=1)
    if step == "month":
        return moment.replace(year=moment.year + moment.month // 12, month=moment.month % 12 + 1)
    return _midnight(moment + timedelta(days=7 if step == "week" else 1))


def _midnight(moment: datetime) -> datetime:
    """Of the same calendar day: with a zone of its own a datetime counts days by the calendar already."""
    return moment.replace(hour=0)
