"""How one step of a voice ends: what was found is written into its row, with an event, while the lease is still ours."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from voices import demo, failures, leave, ledger
from voices.durable import back_off, give_back, wake, write_back
from voices.errors import AccountPaused, Busy, CircuitOpen, PortalError
from voices.ledger import Purpose
from voices.models import VoiceClone, VoiceEvent
from voices.providers.base import RemoteState, RemoteVoice
from voices.providers.errors import Act, OutcomeUnknown, ProviderError, VoiceNotFound
from voices.queues import Queue

logger = logging.getLogger(__name__)

State = VoiceClone.State

ADVANCE = "voices.tasks.advance_voice"
LEASE = timedelta(seconds=90)  # twice the longest a single call may take, and some
CREATE_ATTEMPTS = 8
LOOK_AFTER = (timedelta(seconds=15), timedelta(seconds=60), timedelta(seconds=300))
OPERATOR_PAUSE = timedelta(minutes=5)
TOO_LATE = "training_timeout"
LOOK_AGAIN = timedelta(hours=1)


def may_call(voice: VoiceClone) -> bool:
    """Take a rate slot of the account, waiting a moment for it; False: the voice goes back until there is room."""
    try:
        leave.ask(voice.account, "enrollment")
    except Busy as busy:
        due_at = timezone.now() + timedelta(seconds=busy.retry_after)
        # A ready voice is not told: it speaks on, and only what we wanted to ask about it waits.
        shut = isinstance(busy, AccountPaused | CircuitOpen) and voice.state != State.SUCCESS
        told = failures.kept(busy) if shut else {}
        write_or_give_back(voice, attempts=max(voice.attempts - 1, 0), due_at=due_at, **told)
        return False
    return True


def too_late(voice: VoiceClone) -> bool:
    if voice.deadline is None or voice.deadline > timezone.now():
        return False
    never_arrived = _(
        "The recording could not be handed over in time, and the provider has made nothing of it. Train the voice again, or ask "
        "the operator to look into it."
    )
    not_finished = _(
        "The provider did not finish training in time. Train the voice again, or ask the operator to look into it."
    )
    fail(
        voice,
        PortalError(not_finished if voice.remote_id else never_arrived, code=TOO_LATE),
        due_at=timezone.now() + LOOK_AGAIN if voice.remote_id else None,
    )
    return True


def write_or_give_back(
    voice: VoiceClone,
    *,
    event: VoiceEvent | None = None,
    keep: Mapping[str, Any] | None = None,
    training_was_used: bool = False,
    **fields: Any,
) -> bool:
    """Write a step's result; when the voice was moved meanwhile, leave only what must not be lost and step back.

    `training_was_used`: the provider has begun with it, so that it is paid for whatever becomes of the voice.
    """
    with transaction.atomic():
        stored = write_back(voice, event=event, **fields)
        if not stored:
            give_back(voice, **(keep or {}))
        if training_was_used:
            ledger.settle(voice.pk, Purpose.TRAINING)
    return stored


def pause(voice: VoiceClone, error: ProviderError) -> timedelta:
    """Longer where asking is useless until an operator has done something, such as entering another key."""
    least = OPERATOR_PAUSE if error.act is Act.OPERATOR and not error.retryable else timedelta(0)
    return max(back_off(voice.attempts), timedelta(seconds=error.retry_after or 0), least)


def evidence(error: ProviderError | PortalError) -> dict[str, str]:
    if isinstance(error, PortalError):
        return {"code": error.code}
    evidence = {"code": error.code, "provider_code": error.provider_code, "request_id": error.request_id}
    return {name: value for name, value in evidence.items() if value}


def adopt(voice: VoiceClone, remote: RemoteVoice, *, kind: str) -> None:
    ready, empty = remote.state == RemoteState.READY, remote.state == RemoteState.EMPTY
    now = timezone.now()
    # A provider that keeps a name is told it together with the recording.
    told = {"remote_name": voice.name} if voice.traits.can_rename and not empty else {}
    stored = write_or_give_back(
        voice,
        event=VoiceEvent(row=voice, kind=kind, detail={"remote_id": remote.remote_id, "request_id": remote.request_id}),
        keep={"remote_id": remote.remote_id, "intent": ""},
        training_was_used=not empty,
        state=State.SUCCESS if ready else State.INIT if empty else State.TRAINING,
        remote_id=remote.remote_id,
        provider_state=remote.raw_state,
        demo_url=remote.demo_url or voice.demo_url,
        provider_request_id=remote.request_id,
        intent="",
        looks=0,
        attempts=0,
        ready_at=now if ready else None,
        due_at=None if ready else now if empty else now + back_off(1),
        deadline=now + timedelta(seconds=voice.traits.training_deadline_seconds),
        **told,
        **failures.CLEARED,
    )
    if stored and empty:
        wake(ADVANCE, voice.pk, queue=Queue.SLOW)
    elif not stored:
        logger.warning("voice %s was moved while it was being trained; its id at the provider is kept", voice.pk)


def apply(voice: VoiceClone, remote: RemoteVoice | None) -> None:
    now = timezone.now()
    if remote is not None and remote.state == RemoteState.READY:
        if voice.demo_url:
            demo.forget(voice)
        event = VoiceEvent(row=voice, kind="ready", detail={"provider_state": remote.raw_state})
        write_or_give_back(
            voice,
            event=event,
            training_was_used=True,
            state=State.SUCCESS,
            remote_id=remote.remote_id,
            provider_state=remote.raw_state,
            demo_url=remote.demo_url or voice.demo_url,
            polled_at=now,
            ready_at=now,
            due_at=now if was_renamed_meanwhile(voice) else None,
            attempts=0,
            # Only a change of our name is passed on: what was made elsewhere keeps the name it has there until then.
            remote_name=voice.remote_name or voice.name,
            **failures.CLEARED,
        )
    elif remote is not None and remote.state == RemoteState.GONE:
        missing(voice, remote.reason or VoiceNotFound(provider=voice.provider, request_id=remote.request_id))
    elif remote is not None and remote.state == RemoteState.FAILED:
        reason = remote.reason or PortalError(_("The provider did not accept this recording. Please use another one."))
        ledger.settle(voice.pk, Purpose.TRAINING)
        fail(voice, reason, provider_state=remote.raw_state)
    elif remote is not None and remote.state == RemoteState.EMPTY and not too_late(voice):
        # The recording never arrived: it is handed over anew.
        event = VoiceEvent(row=voice, kind="not_handed_over", detail={"provider_state": remote.raw_state})
        write_or_give_back(voice, event=event, state=State.INIT, polled_at=now, due_at=now + back_off(voice.attempts))
    elif not too_late(voice):
        write_or_give_back(
            voice,
            provider_state=remote.raw_state if remote else voice.provider_state,
            polled_at=now,
            due_at=now + back_off(voice.attempts),
            **failures.CLEARED,
        )


def try_again(voice: VoiceClone, error: ProviderError) -> None:
    """Nothing was made. Wait and ask again where that can help, otherwise fail in words."""
    if not (error.retryable or isinstance(error, OutcomeUnknown)) or voice.attempts >= CREATE_ATTEMPTS:
        fail(voice, error, intent_at=None)
        return
    write_or_give_back(
        voice,
        event=VoiceEvent(row=voice, kind="trying_again", detail=evidence(error)),
        keep={"intent": "", "intent_at": None},
        intent="",
        intent_at=None,
        due_at=timezone.now() + pause(voice, error),
        **failures.kept(error),
    )


def outcome_unknown(voice: VoiceClone, unknown: ProviderError) -> None:
    if voice.state == State.DELETING:
        # Its owner deleted it while the call was under way: the tag will tell what there is to delete.
        write_back(voice, intent="", due_at=timezone.now())
        wake(ADVANCE, voice.pk)
        return
    write_or_give_back(
        voice,
        event=VoiceEvent(row=voice, kind="outcome_unknown", detail=evidence(unknown)),
        keep={"intent": ""},
        state=State.UNKNOWN,
        intent="",
        looks=0,
        attempts=0,
        due_at=timezone.now() + (back_off(1) if voice.remote_id else LOOK_AFTER[0]),
        **failures.kept(unknown),
    )


def missing(voice: VoiceClone, error: ProviderError) -> None:
    event = VoiceEvent(row=voice, kind="expired", detail=evidence(error))
    with transaction.atomic():
        if write_or_give_back(
            voice, event=event, state=State.EXPIRED, remote_id="", due_at=None, intent="", **failures.kept(error)
        ):
            let_go(voice, place=True)


def count_place(voice: VoiceClone) -> None:
    """What the provider has already takes a place, whatever our caps say; once, however often this is called."""
    if VoiceClone.objects.filter(pk=voice.pk, holds_slot=False).update(holds_slot=True):
        ledger.add(ledger.place(voice, voice.account))
        voice.holds_slot = True


def let_go(voice: VoiceClone, *, place: bool) -> None:
    """Give back what was held for a training that has not been used, and with `place` the voice's place: once, however often
    this is called."""
    purposes = [Purpose.TRAINING]
    if place and VoiceClone.objects.filter(pk=voice.pk, holds_slot=True).update(holds_slot=False):
        voice.holds_slot = False
        purposes.append(Purpose.PLACE)
    ledger.release(voice.pk, *purposes)


def fail(
    voice: VoiceClone,
    error: ProviderError | PortalError,
    *,
    provider_state: str = "",
    due_at: datetime | None = None,
    **fields: Any,
) -> None:
    """The voice will not come to be. Its place is free again unless the provider still holds something of it."""
    if due_at is None and was_renamed_meanwhile(voice):
        due_at = timezone.now()
    with transaction.atomic():
        if not write_or_give_back(
            voice,
            event=VoiceEvent(row=voice, kind="failed", detail=evidence(error)),
            keep={"intent": ""},
            state=State.FAILED,
            provider_state=provider_state or voice.provider_state,
            intent="",
            due_at=due_at,
            polled_at=timezone.now(),
            **fields,
            **failures.kept(error),
        ):
            return
        let_go(voice, place=not (voice.remote_id and voice.traits.can_delete))


def has_name_to_tell(voice: VoiceClone) -> bool:
    """Whether the provider keeps a name that is no longer the voice's. Asked anew of the row: renaming waits for no lease."""
    if not (voice.traits.can_rename and voice.remote_id):
        return False
    voice.refresh_from_db(fields=["name"])
    return voice.remote_name != voice.name


def was_renamed_meanwhile(voice: VoiceClone) -> bool:
    """Renamed while it was being trained: the provider is told once that has ended."""
    return bool(voice.remote_name) and has_name_to_tell(voice)
