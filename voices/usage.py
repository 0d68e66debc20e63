"""What a person has used, out of the ledger: by day, provider, voice and token, with what it cost."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

from django.db.models import Count, Q, Sum

from voices.models import LedgerEntry, Owner
from voices.pricing import in_yuan

Key = TypeVar("Key")

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


@dataclass(frozen=True, slots=True)
class Line:
    """One voice, used through one token (None: a browser) on one day."""

    day: date
    provider: str
    voice: uuid.UUID
    token: int | None
    token_name: str
    used: Used


def lines(owner: Owner, *, since: date) -> list[Line]:
    """Newest first. Days are the site's; a job belongs to the day on which it was asked for."""
    rows: Any = (
        LedgerEntry.objects.filter(owner=owner, day__gte=since)
        .values("day", "provider", "voice", "token", "token__name")
        .annotate(
            spoken_jobs=Count("pk", filter=SPOKEN),
            spoken=Sum("characters"),
            heard=Sum("milliseconds"),
            trained=Sum("trainings"),
            paid=Sum("cost"),
        )
        .order_by("-day", "provider", "voice", "token")
    )
    found = [
        Line(
            day=row["day"],
            provider=row["provider"],
            voice=row["voice"],
            token=row["token"],
            token_name=row["token__name"] or "",
            used=Used(
                jobs=row["spoken_jobs"],
                characters=row["spoken"],
                seconds=row["heard"] / 1000,
                trainings=row["trained"],
                cost=in_yuan(row["paid"]),
            ),
        )
        for row in rows
    ]
    return [line for line in found if line.used != Used()]


def total(lines: Iterable[Line]) -> Used:
    return sum((line.used for line in lines), Used())


def folded(lines: Iterable[Line], key: Callable[[Line], Key]) -> dict[Key, Used]:
    """The sums for each key, in the order in which the keys come first."""
    sums: dict[Key, Used] = {}
    for line in lines:
        sums[key(line)] = sums.get(key(line), Used()) + line.used
    return sums
