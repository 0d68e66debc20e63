"""Voices in training, asked about account by account: all at once where the provider lists them, else the oldest few.

Ten thousand voices in training cost about as many calls a minute as a hundred: the more calls a look takes, the rarer it is.
Claiming and giving back are one statement each, however many voices there are; only news is written row by row.
"""

from __future__ import annotations

import math
import random
import uuid
from collections.abc import Collection, Mapping
from datetime import timedelta
from functools import partial

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from voices import failures, leave, rate
from voices.durable import back_off
from voices.errors import AccountPaused, Busy, CircuitOpen
from voices.models import ProviderAccount, VoiceClone
from voices.outcomes import LEASE, apply, pause, too_late
from voices.providers.base import RemoteState, RemoteVoice
from voices.providers.errors import ProviderError
from voices.stumbling import stumbles_shown

State = VoiceClone.State

POLL = "voices.tasks.poll_account"
SECONDS_A_CALL = 2.0
"""Of looks that take several calls, so that none uses up more than 30 calls a minute; a look of one call is free to be soon."""
MOST_LISTED = 20_000
MOST_ONE_BY_ONE = 20
AT_ONCE = 500
"""Rows to a statement that has to name them."""


def poll(voice: VoiceClone) -> None:
    """Ask for `voice`, which is claimed, and with it for every voice of its account that can be asked for by the same call."""
    if voice.lease_token is not None:
        _look(voice.account, voice.lease_token)


def poll_account(pk: int) -> None:
    """Ask for the voices of an account if one of them is due. Harmless when none is, or when all are in other hands."""
    account = ProviderAccount.objects.filter(pk=pk).first()
    if account is not None and VoiceClone.objects.due().filter(account=pk, state=State.TRAINING).exists():
        _look(account, uuid.uuid4())


def _look(account: ProviderAccount, token: uuid.UUID) -> None:
    _claim(account, token)
    in_hand = VoiceClone.objects.filter(account=account, lease_token=token)
    batch = {voice.remote_id: voice for voice in in_hand.filter(state=State.TRAINING)}
    calls = math.ceil(len(batch) / account.traits.voices_per_call)
    if not calls:
        return
    try:
        found = _asked(account, batch, calls=calls)
    except Busy as busy:
        told = failures.kept(busy) if isinstance(busy, AccountPaused | CircuitOpen) else {}
        due_at = timezone.now() + timedelta(seconds=busy.retry_after)
        _give_back(in_hand, due_at=due_at, attempts=F("attempts") - 1, **told)
    except ProviderError as error:
        first = min(batch.values(), key=lambda voice: voice.attempts)
        for voice in batch.values():
            too_late(voice)
        _give_back(in_hand, due_at=timezone.now() + pause(first, error), **failures.kept(error))
    else:
        _take_in(account, in_hand, batch, found, calls=calls)


def _claim(account: ProviderAccount, token: uuid.UUID) -> None:
    """Everything that one list tells of, due or not; where there is none, what has been due longest."""
    if account.traits.voices_per_call > 1:
        free = Q(lease_until__isnull=True) | Q(lease_until__lt=timezone.now())
        rows, most = VoiceClone.objects.filter(free, due_at__isnull=False), MOST_LISTED
    else:
        rows, most = VoiceClone.objects.due(), MOST_ONE_BY_ONE
    rows = rows.filter(account=account, state=State.TRAINING)
    wanted = rows.order_by("due_at").values("pk")[:most]
    now = timezone.now()
    # The longest list takes as long as its calls are apart at the account's rate.
    lease = LEASE + timedelta(seconds=math.ceil(most / account.traits.voices_per_call) / account.enrollment_rate)
    rows.filter(pk__in=wanted).update(lease_token=token, lease_until=now + lease, attempts=F("attempts") + 1)


def _asked(account: ProviderAccount, remote_ids: Collection[str], *, calls: int) -> Mapping[str, RemoteVoice]:
    if calls > 1:
        rate.reserve(account, "polling", per_second=1 / ((calls - 1) * SECONDS_A_CALL))
    leave.ask(account, "enrollment")
    pace = partial(rate.wait, account, "enrollment", per_second=account.enrollment_rate)
    with leave.watched(account, "enrollment"):
        return account.client(pace=pace).cloning.statuses(list(remote_ids))


def _take_in(
    account: ProviderAccount,
    in_hand: QuerySet[VoiceClone],
    batch: Mapping[str, VoiceClone],
    found: Mapping[str, RemoteVoice],
    *,
    calls: int,
) -> None:
    """News is written row by row. For the rest, most of them, all that changes is when they are asked about next."""
    now = timezone.now()
    quiet: dict[str, list[uuid.UUID]] = {}
    soonest = min(voice.attempts for voice in batch.values())
    for remote_id, voice in batch.items():
        remote = found.get(remote_id)
        is_late = voice.deadline is not None and voice.deadline <= now
        if is_late or (remote is not None and remote.state is not RemoteState.WORKING):
            voice.account = account
            with stumbles_shown(voice):
                apply(voice, remote)
        elif remote is not None and remote.raw_state != voice.provider_state:
            quiet.setdefault(remote.raw_state, []).append(voice.pk)
    for raw_state, pks in quiet.items():
        for start in range(0, len(pks), AT_ONCE):
            in_hand.filter(pk__in=pks[start : start + AT_ONCE]).update(provider_state=raw_state)
    apart = timedelta(seconds=calls * SECONDS_A_CALL * random.uniform(1.0, 1.2)) if calls > 1 else timedelta(0)  # noqa: S311 — jitter
    _give_back(in_hand, due_at=now + max(back_off(soonest), apart), polled_at=now, **failures.CLEARED)


def _give_back(in_hand: QuerySet[VoiceClone], **fields: object) -> None:
    """Whatever is still in our hands; of what was moved meanwhile (its owner deletes it) only the lease."""
    free = {"lease_token": None, "lease_until": None, "updated_at": timezone.now()}
    in_hand.filter(state=State.TRAINING).update(**free, **fields)
    in_hand.update(**free)
