"""What a person has used, out of the ledger: by day, provider, voice and token, with what it cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Count, Max, Q, Sum

from voices.models import LedgerEntry, Owner
from voices.pricing import in_yuan

SPOKEN = Q(kind=LedgerEntry.Kind.HOLD, purpose=LedgerEntry.Purpose.SPEECH)


@dataclass(frozen=True, slots=True)
class Used:
    """`characters` as the provider counted them, or as they are held while a job is under way; `seconds` of audio that was kept;
    `cost` in CNY."""

    jobs: int = 0
    characters: int = 0
    seconds: float = 0.0
    trainings: int = 0
    cost: Decimal = Decimal(0)

    def __add__(self, other: Used) -> Used:
        return Used(
            jobs=self.jobs + other.jobs,
            characters=self.characters + other.characters,
            seconds=round(self.seconds + other.seconds, 3),
            trainings=self.trainings + other.trainings,
            cost=self.cost + other.cost,
        )


def used_by(owner: Owner, *columns: str, since: date) -> dict[tuple[Any, ...], Used]:
    """For each that differs in these columns of the ledger; what was used last comes first. Days are the site's; a job belongs to
    the day on which it was asked for. The database adds up, so that it is as quick as its lines can be read."""
    rows: Any = (
        LedgerEntry.objects.filter(owner=owner, day__gte=since)
        .values(*columns)
        .annotate(
            spoken_jobs=Count("pk", filter=SPOKEN),
            spoken=Sum("characters"),
            heard=Sum("milliseconds"),
            trained=Sum("trainings"),
            paid=Sum("cost"),
            last=Max("day"),
        )
        .order_by("-last", *columns)
    )
    found = {
        tuple(row[column] for column in columns): Used(
            jobs=row["spoken_jobs"],
            characters=row["spoken"],
            seconds=row["heard"] / 1000,
            trainings=row["trained"],
            cost=in_yuan(row["paid"]),
        )
        for row in rows
    }
    return {key: used for key, used in found.items() if used != Used()}


def total(found: Iterable[Used]) -> Used:
    return sum(found, Used())
