"""Proof that the meters are what the ledger says, and that what a voice holds is what the ledger holds for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import TruncMonth

from voices.meters import MONTHLY, OF_ACCOUNT, OF_TOKEN, OF_USER, Gauge, month_of
from voices.models import LedgerEntry, Measure, Meter, ProviderAccount, VoiceClone


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """`meter` is a meter's key, or names a row; `counted` is what stands there, `booked` what the ledger adds up to."""

    meter: str
    counted: int
    booked: int

    def __str__(self) -> str:
        return f"{self.meter}: counted {self.counted}, booked {self.booked}"


def discrepancies() -> list[Discrepancy]:
    """Empty when all is well. Reads the whole ledger, as it stands at one moment."""
    with transaction.atomic():
        counted = dict(Meter.objects.values_list("key", "used"))
        counted |= {_slots(pk): held for pk, held in ProviderAccount.objects.values_list("pk", "voices_held")}
        booked = dict(_booked())
    wrong = [
        Discrepancy(key, counted.get(key, 0), booked.get(key, 0))
        for key in sorted(counted.keys() | booked.keys())
        if counted.get(key, 0) != booked.get(key, 0)
    ]
    return [*wrong, *_voices_without_their_place()]


def _booked() -> Iterator[tuple[str, int]]:
    entries: Any = LedgerEntry.objects.order_by()
    standing = [measure for measure in OF_USER if measure not in MONTHLY]
    for row in entries.values("owner").annotate(**_sums(standing)):
        for measure in standing:
            yield Gauge(measure, user_id=row["owner"]).key, row[f"sum_{measure}"]
    for row in entries.values("owner", month=TruncMonth("day")).annotate(**_sums(MONTHLY)):
        for measure in MONTHLY:
            yield Gauge(measure, month_of(row["month"]), user_id=row["owner"]).key, row[f"sum_{measure}"]
    by_token = entries.filter(token__isnull=False).values("token", month=TruncMonth("day"))
    for row in by_token.annotate(**_sums(OF_TOKEN)):
        for measure in OF_TOKEN:
            yield Gauge(measure, month_of(row["month"]), token_id=row["token"]).key, row[f"sum_{measure}"]
    for row in entries.values("account", "day").annotate(**_sums(OF_ACCOUNT)):
        for measure in OF_ACCOUNT:
            yield Gauge(measure, row["day"].isoformat(), account_id=row["account"]).key, row[f"sum_{measure}"]
    for row in entries.values("account").annotate(**_sums([Measure.SLOTS])):
        yield _slots(row["account"]), row["sum_slots"]


def _sums(measures: Sequence[Measure]) -> dict[str, Sum]:
    return {f"sum_{measure}": Sum(measure.value) for measure in measures}


def _slots(account_id: int) -> str:
    return Gauge(Measure.SLOTS, account_id=account_id).key


def _voices_without_their_place() -> Iterator[Discrepancy]:
    places = LedgerEntry.objects.filter(purpose=LedgerEntry.Purpose.PLACE).order_by()
    booked = dict(places.values_list("row").annotate(places=Sum("slots")).exclude(places=0))
    holding = dict.fromkeys(VoiceClone.objects.filter(holds_slot=True).values_list("pk", flat=True), 1)
    for pk in sorted(booked.keys() | holding.keys()):
        if booked.get(pk, 0) != holding.get(pk, 0):
            yield Discrepancy(f"voice:{pk}:slots:", holding.get(pk, 0), booked.get(pk, 0))
