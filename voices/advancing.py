"""How a voice comes to be: `advance` moves one row one step, in a worker, and is the only thing that does (docs/decisions/0001).

Init ──► Training ──► Success          Unknown: the provider may or may not have made the voice; we look for our tag
  │         │                          Deleting: gone for its owner, still owed to the provider
  └► Unknown └► Failed
"""

from __future__ import annotations

import logging
import uuid
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from voices import (
    circuit,
    clearing,
    demo,
    failures,
    fairness,
    fetching,
    idempotency,
    intake,
    leave,
    ledger,
    logbook,
    polling,
)
from voices.durable import back_off, claim, declare_intent, room_in_queue, wake, write_back
from voices.errors import ConsentMissing
from voices.ledger import Purpose
from voices.meters import Amounts
from voices.models import ProviderAccount, SampleSource, VoiceClone, VoiceEvent, VoiceQuerySet
from voices.orders import order_for
from voices.outcomes import (
    ADVANCE,
    CREATE_ATTEMPTS,
    LEASE,
    LOOK_AGAIN,
    TOO_LATE,
    adopt,
    apply,
    evidence,
    fail,
    has_name_to_tell,
    let_go,
    may_call,
    missing,
    outcome_unknown,
    pause,
    too_late,
    try_again,
    write_or_give_back,
)
from voices.places import alone_in_making, unclaimed
from voices.polling import POLL
from voices.providers.base import RemoteState
from voices.providers.errors import OutcomeUnknown, ProviderError, VoiceNotDeletable, VoiceNotFound
from voices.queues import Queue
from voices.stumbling import stumbles_shown

logger = logging.getLogger(__name__)

State = VoiceClone.State

STILL_LOOKED_AT = timedelta(hours=24)


def advance(pk: uuid.UUID | str) -> None:
    """Move one voice one step. Harmless when the voice is not due, in other hands, or already done."""
    voice = claim(VoiceClone, pk, lease=LEASE)
    if voice is None:
        return
    logbook.begin(voice=voice.pk, user=voice.owner_id, provider=voice.provider)
    with stumbles_shown(voice):
        _step(voice)


def _step(voice: VoiceClone) -> None:
    if voice.intent:
        # Whoever held the lease died between the intent and the outcome.
        outcome_unknown(voice, OutcomeUnknown("interrupted", provider=voice.provider))
        return
    step = {
        State.INIT: _begin,
        State.TRAINING: polling.poll,
        State.SUCCESS: _recheck,
        State.FAILED: _rest,
        State.UNKNOWN: clearing.look_for,
        State.DELETING: _delete,
    }.get(State(voice.state))
    if step is None:
        write_back(voice, due_at=None)
    else:
        step(voice)


def advance_next(pk: uuid.UUID | str) -> None:
    """What a wake-up does: a recording that waits to be handed over lets those go first whose owners waited longer."""
    turn = None
    if not VoiceClone.objects.due().filter(pk=pk).exclude(state=State.INIT).exists():
        turn = fairness.next_turn(_waiting(), everybody=VoiceClone.objects.all())
    advance(turn or pk)


def sweep() -> None:
    """Find what is due and wake it: the safety net under every lost wake-up.

    Training voices are one wake-up for each account. Those of an account that is shut wait where they are, and say why.
    """
    due = _callable()
    for pk in fairness.in_turn(due.filter(state=State.INIT))[: room_in_queue(Queue.SLOW)]:
        wake(ADVANCE, pk, queue=Queue.SLOW)
    for pk in fairness.in_turn(due.exclude(state__in=(State.INIT, State.TRAINING)))[: room_in_queue()]:
        wake(ADVANCE, pk)
    training = due.filter(state=State.TRAINING).order_by()
    for account in training.values_list("account", flat=True).distinct():
        wake(POLL, str(account))
    idempotency.forget_old()
    circuit.tell_who_waits(VoiceClone.objects.due().filter(state__in=VoiceClone.IN_PROGRESS), account="account")


def _waiting() -> VoiceQuerySet:
    return _callable().filter(state=State.INIT)


def _callable() -> VoiceQuerySet:
    """What is due and whose account lets calls leave."""
    return VoiceClone.objects.due().exclude(account__in=ProviderAccount.objects.filter(circuit.shut()))


def _begin(voice: VoiceClone) -> None:
    if voice.kind == VoiceClone.Kind.IMPORTED and voice.sample is None:
        _look_up(voice)
    elif fetching.is_owed(voice):
        fetching.fetch(voice)
    else:
        train(voice)


def train(voice: VoiceClone) -> None:
    """Hand the recording over. `voice` is claimed; its lease is given back with the outcome."""
    if not may_call(voice) or too_late(voice):
        return
    sample = voice.sample
    if sample is None or not sample.consents.exists():
        fail(voice, ConsentMissing())
        return
    order = order_for(voice)
    provider = voice.account.client()
    fresh = not voice.remote_id
    repeatable = not fresh and voice.traits.trains_idempotently
    if not repeatable and not declare_intent(voice, "create" if fresh else "train", lease=LEASE):
        return
    if fresh and provider.places is not None and not alone_in_making(voice):
        return
    try:
        with leave.watched(voice.account, "enrollment"):
            if fresh:
                place = unclaimed(voice, provider.places, order)
                remote = place or provider.cloning.create(order)
            else:
                place, remote = None, provider.cloning.train(voice.remote_id, order)
    except OutcomeUnknown as error:
        if repeatable:
            try_again(voice, error)
        else:
            outcome_unknown(voice, error)
    except VoiceNotFound as error:
        # Only a voice that we had can be missing: it is made anew from its recording, as another intent.
        missing(voice, error)
    except ProviderError as error:
        try_again(voice, error)
    else:
        begun = "place_made" if remote.state == RemoteState.EMPTY else "training_started"
        adopt(voice, remote, kind="place_reused" if place else begun)


def _look_up(voice: VoiceClone) -> None:
    """A voice that was trained elsewhere is believed once the provider confirms it."""
    if not may_call(voice) or too_late(voice):
        return
    try:
        with leave.watched(voice.account, "enrollment"):
            remote = voice.account.client().cloning.look_up(voice.remote_id, voice.model)
    except ProviderError as error:
        try_again(voice, error)
        return
    if remote.state == RemoteState.GONE:
        reason = remote.reason or VoiceNotFound(provider=voice.provider, request_id=remote.request_id)
        fail(voice, reason, provider_state=remote.raw_state)
    else:
        apply(voice, remote)


def _tell_name(voice: VoiceClone) -> bool:
    """Pass a new name on to a provider that keeps one; True when the step is over with that."""
    if not has_name_to_tell(voice):
        return False
    if not may_call(voice):
        return True
    try:
        with leave.watched(voice.account, "enrollment"):
            voice.account.client().cloning.rename(voice.remote_id, voice.name)
    except VoiceNotFound as error:
        missing(voice, error)
    except ProviderError as error:
        due_at = timezone.now() + pause(voice, error) if error.retryable and voice.attempts < CREATE_ATTEMPTS else None
        event = VoiceEvent(row=voice, kind="rename_failed", detail=evidence(error))
        write_or_give_back(voice, event=event, due_at=due_at)
    else:
        write_or_give_back(voice, remote_name=voice.name, due_at=None, attempts=0)
    return True


def _rest(voice: VoiceClone) -> None:
    if (
        voice.error_code == TOO_LATE
        and voice.deadline is not None
        and voice.deadline > timezone.now() - STILL_LOOKED_AT
    ):
        _look_again(voice)
    elif not _tell_name(voice):
        write_or_give_back(voice, due_at=None)


def _look_again(voice: VoiceClone) -> None:
    """We have stopped waiting; the provider may finish all the same."""
    if not may_call(voice):
        return
    due_at = timezone.now() + LOOK_AGAIN
    try:
        with leave.watched(voice.account, "enrollment"):
            remote = voice.account.client().cloning.statuses([voice.remote_id]).get(voice.remote_id)
    except ProviderError:
        write_or_give_back(voice, due_at=due_at)
        return
    if remote is not None and remote.state in (RemoteState.READY, RemoteState.FAILED, RemoteState.GONE):
        apply(voice, remote)
    else:
        write_or_give_back(voice, polled_at=timezone.now(), due_at=due_at)


def _recheck(voice: VoiceClone) -> None:
    if _tell_name(voice) or not may_call(voice):
        return
    try:
        with leave.watched(voice.account, "enrollment"):
            remote = voice.account.client().cloning.statuses([voice.remote_id]).get(voice.remote_id)
    except ProviderError as error:
        again = error.retryable and voice.attempts < CREATE_ATTEMPTS
        write_or_give_back(voice, due_at=timezone.now() + pause(voice, error) if again else None)
        return
    if remote is not None and remote.state in (RemoteState.GONE, RemoteState.FAILED):
        apply(voice, remote)
    else:
        write_or_give_back(voice, polled_at=timezone.now(), due_at=None, attempts=0)


def _delete(voice: VoiceClone) -> None:
    """Pay the debt: what the provider still holds of a voice whose owner is done with it. Tried until it is paid."""
    # Before the last transition, after which nobody comes by any more.
    _erase_samples(voice)
    sent = voice.intent_at is not None
    if (voice.remote_id or sent) and voice.traits.can_delete:
        if not may_call(voice):
            return
        try:
            with leave.watched(voice.account, "enrollment"):
                is_gone = _deleted_there(voice)
        except VoiceNotDeletable as error:
            # Its place there stays taken, so ours does too.
            event = VoiceEvent(row=voice, kind="kept_by_provider", detail=evidence(error))
            _part_with(voice, event, place_is_free=False, **failures.kept(error))
            return
        except ProviderError as error:
            due_at = timezone.now() + back_off(voice.attempts, most=3600)
            write_or_give_back(
                voice,
                event=VoiceEvent(row=voice, kind="delete_failed", detail=evidence(error)),
                due_at=due_at,
                **failures.kept(error),
            )
            return
        if not is_gone:
            return
    _part_with(voice, VoiceEvent(row=voice, kind="deleted"), place_is_free=True, **failures.CLEARED)


def _deleted_there(voice: VoiceClone) -> bool:
    """Delete what the provider holds of the voice. False: it may only now be making it, so we have put it off."""
    cloning = voice.account.client().cloning
    ids = {voice.remote_id} if voice.remote_id else set()
    if not ids and voice.traits.can_find_by_tag:
        ids = {remote.remote_id for remote in cloning.find(voice.tag)}
        if not ids and voice.intent_at is not None and timezone.now() < voice.intent_at + LEASE:
            # The provider may still be at it, and would make a voice that nobody knows of.
            write_or_give_back(voice, due_at=voice.intent_at + LEASE)
            return False
    for remote_id in ids:
        cloning.delete(remote_id)
    return True


def _part_with(voice: VoiceClone, event: VoiceEvent, *, place_is_free: bool, **fields: Any) -> None:
    sent = voice.intent_at is not None
    with transaction.atomic():
        if not write_back(voice, event=event, state=State.DELETED, due_at=None, **fields):
            return
        if sent:
            # Handed over, and nobody will ask any more what became of it.
            ledger.settle(voice.pk, Purpose.TRAINING)
        let_go(voice, place=place_is_free)
        if not place_is_free:
            ledger.settle(voice.pk, Purpose.PLACE, keeping=Amounts(slots=1))


def _erase_samples(voice: VoiceClone) -> None:
    """The recordings go with the voice; the rows stay, as evidence of what was consented to."""
    demo.forget(voice)
    for sample in voice.samples.filter(erased_at__isnull=True):
        intake.erase(sample)
    with transaction.atomic():
        SampleSource.objects.filter(voice=voice).delete()
        ledger.release(voice.pk, Purpose.RECORDING)
