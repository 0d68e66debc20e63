"""The one ledger: what a row takes is held before anything is sent, then settled or released exactly once.

    with holding(speech(job)):                hold and insert the row in one short transaction, or raise what is used up
        job.save()
    settle_speech(job.pk, characters=15)      what was really used, in the transaction that ends the row
    release(job.pk, Purpose.SPEECH)           nothing was used

    claims      place, training, recording (of a voice), speech, audio (of a job)
    take        `holding` (as far as the caps allow) · `add` (what exists is counted, whatever the caps say)
    close       `settle`, `settle_speech`, `release`: each closes what is open for the row, and does nothing when it is closed
    look        `standing` in quota.py · `books.py` proves that meters and ledger agree

An entry is a difference, so the meters are the sums of the entries, and `books.discrepancies` is empty. A hold costs three
statements with the row's own insert: the conditional update of all meters, the entry, the row (tests/voices/test_ledger.py).
Closing belongs into the transaction that moves the row to its end: then a crash leaves both open, and the sweep closes both.

Locks are taken in one order, or two transactions would wait for each other for ever: the voice's or job's row, its account's row
(its places), the meters by key. So what one transaction closes of a row that has both is closed by one call.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from operator import attrgetter, sub
from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet

from voices import meters, plain_sql, plans, pricing, refused_quota
from voices.errors import Busy, Exhausted
from voices.meters import Amounts, Gauge
from voices.models import LedgerEntry, Measure, Meter, ProviderAccount, VoiceClone
from voices.plain_driver import writing
from voices.plain_rows import drafted
from voices.quota_models import today

Kind, Purpose = LedgerEntry.Kind, LedgerEntry.Purpose

TRIES = 4
"""A refused hold is looked at again after its rollback; where the room came back in between, it is tried once more."""
NOTHING: Final = Amounts()


@dataclass(frozen=True, slots=True)
class Claim:
    """What one row wants to take, for whom, at which account. `price` as `LedgerEntry.price`.

    `beside`: the person's measures that must not be over their limit, though nothing of them is taken yet.
    """

    purpose: LedgerEntry.Purpose
    row: uuid.UUID
    owner_id: int
    account: ProviderAccount
    voice: uuid.UUID
    amounts: Amounts
    token_id: int | None = None
    price: int = 0
    beside: tuple[Measure, ...] = ()
    day: date = field(default_factory=today)

    @property
    def moves(self) -> dict[Gauge, int]:
        return meters.moved_by(
            self.amounts,
            user_id=self.owner_id,
            token_id=self.token_id,
            account_id=self.account.pk,
            day=self.day,
            beside=self.beside,
        )

    def entry(self) -> LedgerEntry:
        return drafted(
            LedgerEntry,
            kind=Kind.HOLD,
            day=self.day,
            purpose=self.purpose,
            row=self.row,
            owner_id=self.owner_id,
            account=self.account,
            provider=self.account.provider,
            voice=self.voice,
            token_id=self.token_id,
            price=self.price,
            **_columns(self.amounts),
        )


# --- claims ------------------------------------------------------------------------------------------------------------


def place(voice: VoiceClone, account: ProviderAccount) -> Claim:
    """A voice of its owner's, and a place at the account."""
    return _of_voice(Purpose.PLACE, voice, account, Amounts(voices=1, slots=1))


def training(voice: VoiceClone, account: ProviderAccount, *, token_id: int | None) -> Claim:
    """Paid by the token that asks, which need not be the one that made the voice."""
    price = pricing.of_training(account)
    claim = _of_voice(Purpose.TRAINING, voice, account, Amounts(trainings=1, cost=price), price=price)
    return replace(claim, token_id=token_id)


def recording(voice: VoiceClone, account: ProviderAccount, *, size: int) -> Claim:
    """`size` in bytes, of the recording as it came."""
    return _of_voice(Purpose.RECORDING, voice, account, Amounts(storage=size))


def speech(
    row: uuid.UUID, *, owner_id: int, voice: VoiceClone, characters: int, model: str, token_id: int | None
) -> Claim:
    """A text that counts `characters`, by the provider's way of counting. `voice` comes with its account."""
    price = pricing.of_characters(voice.account, model)
    amounts = Amounts(characters=characters, jobs=1, cost=pricing.cost_of(characters, price))
    return Claim(
        Purpose.SPEECH,
        row,
        owner_id=owner_id,
        account=voice.account,
        voice=voice.pk,
        amounts=amounts,
        token_id=token_id,
        price=price,
        beside=(Measure.STORAGE,),
    )


def audio(row: uuid.UUID, *, owner_id: int, voice: VoiceClone, size: int, token_id: int | None) -> Claim:
    """`size` in bytes, of what was spoken and kept."""
    amounts = Amounts(storage=size)
    return Claim(Purpose.AUDIO, row, owner_id, voice.account, voice.pk, amounts=amounts, token_id=token_id)


def _of_voice(
    purpose: LedgerEntry.Purpose, voice: VoiceClone, account: ProviderAccount, amounts: Amounts, *, price: int = 0
) -> Claim:
    assert voice.owner_id is not None, "a stock voice takes nothing"
    return Claim(
        purpose,
        voice.pk,
        owner_id=voice.owner_id,
        account=account,
        voice=voice.pk,
        amounts=amounts,
        token_id=voice.token_id,
        price=price,
    )


# --- taking ------------------------------------------------------------------------------------------------------------


@contextmanager
def holding(*claims: Claim) -> Iterator[None]:
    """Hold all of these, and what the block writes, in one transaction: both are there afterwards, or neither.

    Raises LimitReached for the limits of the person or their token, AccountExhausted for the account's; Busy when others keep
    taking what has just become free.
    """
    for _try in range(TRIES):
        with writing():
            if _taken(claims):
                plain_sql.insert(*(claim.entry() for claim in claims))
                yield
                return
            transaction.set_rollback(True)
        _open_meters_or_refuse(claims)
    raise Busy(retry_after=1.0)


def refuse_if_full(*claims: Claim) -> None:
    """Raises the refusal that `holding` these would end in now; holds nothing."""
    plans.open_meters(list(_summed(claim.moves for claim in claims)))
    _open_meters_or_refuse(claims)


def add(*claims: Claim) -> None:
    """Count what is there already, whatever the caps say."""
    _close((), beside=claims)


# --- closing -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Used:
    """`characters` of a job were spoken, more or fewer than were held; they are settled at the price of the hold."""

    row: uuid.UUID
    characters: int
    milliseconds: int = 0


def settle(row: uuid.UUID, purpose: LedgerEntry.Purpose, *, keeping: Amounts | None = None) -> None:
    """What was held is used. `keeping`: only this much of it is; the rest is given back."""
    _close([_Closing(hold, Kind.SETTLE, keeping or _amounts(hold)) for hold in _open([row], purpose)])


def settle_speech(row: uuid.UUID, *, characters: int, milliseconds: int = 0) -> None:
    """The job has ended, and `characters` were spoken."""
    settle_speeches([Used(row, characters, milliseconds)])


def settle_speeches(jobs: Sequence[Used], *, beside: Sequence[Claim] = ()) -> None:
    """The same of several jobs, and `beside` it what `add` does. Raises ClosedMeanwhile where there are several of them."""
    used = {job.row: job for job in jobs}
    closings = []
    for hold in _open(list(used), Purpose.SPEECH):
        job = used[hold.row]
        final = Amounts(characters=job.characters, cost=pricing.cost_of(job.characters, hold.price))
        closings.append(_Closing(hold, Kind.SETTLE, final, job.milliseconds))
    _close(closings, beside=beside, together=True)


def release(row: uuid.UUID, *purposes: LedgerEntry.Purpose) -> None:
    """Nothing of it was used, or it is given back."""
    _close([_Closing(hold, Kind.RELEASE, NOTHING) for purpose in purposes for hold in _open([row], purpose)])


@dataclass(frozen=True)
class _Closing:
    hold: LedgerEntry
    kind: LedgerEntry.Kind
    final: Amounts
    milliseconds: int = 0

    @functools.cached_property
    def back(self) -> Amounts:
        return Amounts(*map(sub, _each_of(self.final), _each_of(self.hold)))

    @property
    def moves(self) -> dict[Gauge, int]:
        return meters.moved_by(
            self.back,
            user_id=self.hold.owner_id,
            token_id=self.hold.token_id,
            account_id=self.hold.account_id,
            day=self.hold.day,
        )

    def entry(self) -> LedgerEntry:
        hold = self.hold
        return drafted(
            LedgerEntry,
            kind=self.kind,
            hold_id=hold.pk,
            day=hold.day,
            purpose=hold.purpose,
            row=hold.row,
            owner_id=hold.owner_id,
            account_id=hold.account_id,
            provider=hold.provider,
            voice=hold.voice,
            token_id=hold.token_id,
            price=hold.price,
            milliseconds=self.milliseconds,
            **_columns(self.back),
        )


def _open(rows: Sequence[uuid.UUID], purpose: LedgerEntry.Purpose) -> list[LedgerEntry]:
    return _open_holds(len(rows))(*map(plain_sql.value_of, rows), str(purpose))


@functools.cache
def _open_holds(count: int) -> plain_sql.Lookup[LedgerEntry]:
    def build(*given: Any) -> QuerySet[LedgerEntry]:
        *rows, purpose = given
        return LedgerEntry.objects.filter(row__in=rows, purpose=purpose, kind=Kind.HOLD, closing__isnull=True)

    return plain_sql.Lookup(build, (*(uuid.UUID(int=place + 1) for place in range(count)), "a purpose"))


def _close(closings: Sequence[_Closing], *, beside: Sequence[Claim] = (), together: bool = False) -> None:
    """The second of two that close the same hold finds that the database takes no second line for it.

    `together`: one statement writes them all, and ClosedMeanwhile is raised where that has happened to one of several.
    """
    if not closings and not beside:
        return
    with writing(savepoint=False):
        if together and len(closings) > 1:
            entries = [closing.entry() for closing in closings]
            if plain_sql.insert_unless_there(*entries, unique="hold") < len(entries):
                raise ClosedMeanwhile
        else:
            closings = [
                closing for closing in closings if plain_sql.insert_unless_there(closing.entry(), unique="hold")
            ]
        if beside:
            plain_sql.insert(*(claim.entry() for claim in beside))
        slots: dict[int, int] = {}
        for closing in closings:
            slots[closing.hold.account_id] = slots.get(closing.hold.account_id, 0) + closing.back.slots
        for claim in beside:
            slots[claim.account.pk] = slots.get(claim.account.pk, 0) + claim.amounts.slots
        _shift(_summed([*(closing.moves for closing in closings), *(claim.moves for claim in beside)]), slots=slots)


class ClosedMeanwhile(Exception):
    """Of several holds that were to be closed together somebody else has closed one: nothing was written, close them one by one."""


# --- the parts ---------------------------------------------------------------------------------------------------------

AMOUNTS: Final = tuple(Amounts.__dataclass_fields__)


_each_of: Final = attrgetter(*AMOUNTS)


def _amounts(entry: LedgerEntry) -> Amounts:
    return Amounts(*_each_of(entry))


def _columns(amounts: Amounts) -> dict[str, int]:
    return dict(zip(AMOUNTS, _each_of(amounts), strict=True))


def _summed(moves: Iterable[Mapping[Gauge, int]]) -> dict[Gauge, int]:
    total: dict[Gauge, int] = {}
    for each in moves:
        for gauge, amount in each.items():
            total[gauge] = total.get(gauge, 0) + amount
    return total


def _taken(claims: tuple[Claim, ...]) -> bool:
    return all(
        meters.take_slots(claim.account.pk, claim.amounts.slots) for claim in claims if claim.amounts.slots
    ) and meters.take(_summed(claim.moves for claim in claims))


def _shift(moves: dict[Gauge, int], *, slots: Mapping[int, int]) -> None:
    """`slots` by the account's id."""
    for account_id, places in sorted(slots.items()):
        if places:
            meters.shift_slots(account_id, places)
    if not moves:
        return
    if not meters.shift(moves):
        # What meters begin with is locked before they are opened, and none of these is held then.
        plans.open_meters(list(moves))
        if not meters.shift(moves):
            raise LookupError("a meter is gone that was opened just now")


def _open_meters_or_refuse(claims: tuple[Claim, ...]) -> None:
    """Returns where another try can help. Raises the refusal for the first limit that has no room."""
    wanted = _summed(claim.moves for claim in claims)
    if plans.open_meters(list(wanted)):
        return
    rows = {meter.key: meter for meter in Meter.objects.filter(key__in=[gauge.key for gauge in wanted])}
    for gauge, asked in wanted.items():
        meter = rows[gauge.key]
        if meter.cap is not None and meter.used + asked > meter.cap:
            raise _refusal(gauge, meter, asked=asked)
    for claim in claims:
        if claim.amounts.slots and not _has_room(claim):
            raise refused_quota.of_account(Gauge(Measure.SLOTS, account_id=claim.account.pk))


def _refusal(gauge: Gauge, meter: Meter, *, asked: int) -> Exhausted:
    if gauge.account_id is not None:
        return refused_quota.of_account(gauge)
    refused = refused_quota.of_person if gauge.token_id is None else refused_quota.of_token
    return refused(gauge, used=meter.used, limit=meter.cap or 0, asked=asked)


def _has_room(claim: Claim) -> bool:
    held = ProviderAccount.objects.filter(pk=claim.account.pk).values_list("voices_held", "voice_cap").first()
    return held is not None and held[0] + claim.amounts.slots <= held[1]
