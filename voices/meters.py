"""Meters: how much of one measure one person, token or account has used in one period, moved by one conditional statement.

A period is part of a meter's key, so that a new day or month begins by itself, at the site's midnight, and no job has to reset
anything. Which meters an amount moves is said here alone:

    person    voices, jobs, storage: given back      trainings, characters: a month
    token     characters, cost: a month
    account   voice places: given back (`ProviderAccount.voices_held`)      trainings, characters, cost: a day
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from django.db import connection
from django.db.models import F
from django.utils import timezone

from voices.models import Measure, Meter, ProviderAccount
from voices.plain_driver import execute, vendor

OF_USER: Final[Sequence[Measure]] = (
    Measure.CHARACTERS,
    Measure.TRAININGS,
    Measure.JOBS,
    Measure.VOICES,
    Measure.STORAGE,
)
OF_TOKEN: Final[Sequence[Measure]] = (Measure.CHARACTERS, Measure.COST)
OF_ACCOUNT: Final[Sequence[Measure]] = (Measure.TRAININGS, Measure.CHARACTERS, Measure.COST)
MONTHLY: Final[Sequence[Measure]] = (Measure.CHARACTERS, Measure.TRAININGS)
OF_PEOPLE, OF_TOKENS = "user:", "token:"
"""How the key of a person's meter begins, and that of a token's."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """Of each measure; negative where something is given back. `cost` is in millionths of a yuan, `storage` in bytes."""

    voices: int = 0
    slots: int = 0
    trainings: int = 0
    characters: int = 0
    jobs: int = 0
    storage: int = 0
    cost: int = 0


@dataclass(frozen=True)
class Gauge:
    """Which meter: a person's (`user_id`), a token's (`token_id`) or an account's (`account_id`), of a measure and a period."""

    measure: Measure
    period: str = ""
    user_id: int | None = None
    account_id: int | None = None
    token_id: int | None = None

    @functools.cached_property
    def key(self) -> str:
        return f"{self._whose}:{self.measure}:{self.period}"

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def _whose(self) -> str:
        if self.user_id is not None:
            return f"{OF_PEOPLE}{self.user_id}"
        return f"account:{self.account_id}" if self.token_id is None else f"{OF_TOKENS}{self.token_id}"

    @property
    def resets_at(self) -> datetime | None:
        """When its period is over; None for what is given back."""
        return end_of(self.period)


def month_of(day: date) -> str:
    return f"{day:%Y-%m}"


def period_of(measure: Measure, day: date, *, account: bool) -> str:
    if account:
        return day.isoformat()
    return month_of(day) if measure in MONTHLY else ""


def end_of(period: str) -> datetime | None:
    if not period:
        return None
    if len(period) > len("2026-11"):
        after = date.fromisoformat(period) + timedelta(days=1)
    else:
        after = (date.fromisoformat(f"{period}-01") + timedelta(days=31)).replace(day=1)
    return timezone.make_aware(datetime.combine(after, time.min))


def moved_by(
    amounts: Amounts,
    *,
    user_id: int,
    token_id: int | None,
    account_id: int,
    day: date,
    beside: Collection[Measure] = (),
) -> dict[Gauge, int]:
    """The meters that these amounts move, and by how much. `beside`: a person's measures to be looked at though nothing is
    taken, for whoever is above a limit may take nothing else.

    A token without a budget has its meters too, so that one that is given later begins with what the month has already seen.
    """
    return {
        gauge: amount
        for name, gauge in _gauges(user_id, token_id, account_id, day)
        if (amount := getattr(amounts, name)) or (gauge.user_id is not None and gauge.measure in beside)
    }


@functools.lru_cache(maxsize=1024)
def _gauges(user_id: int, token_id: int | None, account_id: int, day: date) -> Sequence[tuple[str, Gauge]]:
    """All that can move, each with the name of its amount: the same for a whole day."""
    month = month_of(day)
    gauges = [Gauge(each, period_of(each, day, account=False), user_id=user_id) for each in OF_USER]
    if token_id is not None:
        gauges += [Gauge(each, month, token_id=token_id) for each in OF_TOKEN]
    gauges += [Gauge(each, period_of(each, day, account=True), account_id=account_id) for each in OF_ACCOUNT]
    return [(gauge.measure.value, gauge) for gauge in gauges]


def take(moves: Mapping[Gauge, int]) -> bool:
    """Move all of these meters if every one stays within its cap: one statement, inside the caller's transaction.

    False: some did not move, for want of room or because they do not exist yet. The caller rolls back.
    """
    return _move(moves, within_caps=True) == len(moves)


def shift(moves: Mapping[Gauge, int]) -> bool:
    """Move meters whatever their caps say: what has happened is counted. False: some do not exist yet, and none was moved or
    locked."""
    moves = {gauge: amount for gauge, amount in moves.items() if amount}
    moved = _move(moves, within_caps=False) if moves else 0
    if 0 < moved < len(moves):
        raise LookupError("a meter has gone while others of the same statement were moved")
    return moved == len(moves)


def take_slots(account_id: int, slots: int) -> bool:
    room = ProviderAccount.objects.filter(pk=account_id, voice_cap__gte=F("voices_held") + slots)
    return bool(room.update(voices_held=F("voices_held") + slots))


def shift_slots(account_id: int, slots: int) -> None:
    ProviderAccount.objects.filter(pk=account_id).update(voices_held=F("voices_held") + slots)


def _move(moves: Mapping[Gauge, int], *, within_caps: bool) -> int:
    """How many meters moved."""
    ordered = sorted((gauge.key, amount) for gauge, amount in moves.items())
    amounts = [value for move in ordered for value in move]
    keys = [key for key, _amount in ordered]
    sql = _statement(len(ordered), within_caps, vendor())
    return execute(sql, [*amounts, *keys, *(amounts if within_caps else keys)]).count


@functools.cache
def _statement(count: int, within_caps: bool, database: str) -> str:
    """By hand, for the ORM takes a millisecond to make it and every text that is spoken asks for it three times.

    Two that move the same meters lock them in one order, or each would wait for the other for ever.
    """
    quote = connection.ops.quote_name
    table, key, used, cap = (quote(name) for name in (Meter._meta.db_table, "key", "used", "cap"))
    # PostgreSQL does not guess it from the sum.
    number = "%s" if database == "sqlite" else "%s::bigint"
    amount = f"CASE {key} {f'WHEN %s THEN {number} ' * count}END"
    named = f"{key} IN ({', '.join(['%s'] * count)})"
    which = named
    if connection.features.has_select_for_update:
        which = f"{key} IN (SELECT {key} FROM {table} WHERE {named} ORDER BY {key} FOR UPDATE)"  # noqa: S608 — our names
    if within_caps:
        only = f"({cap} IS NULL OR {cap} >= {used} + {amount})"
    else:
        # Looked at once, before any of them is locked.
        only = f"(SELECT COUNT(*) FROM {table} WHERE {named}) = {count}"  # noqa: S608
    return f"UPDATE {table} SET {used} = {used} + {amount} WHERE {which} AND {only}"  # noqa: S608
