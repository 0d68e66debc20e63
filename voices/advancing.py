"""How a voice comes to be: `advance` moves one row one step, in a worker, and is the only thing that does (docs/decisions/0001).

Init ──► Training ──► Success          Unknown: the provider may or may not have made the voice; we look for our tag
  │         │                          Deleting: gone for its owner, still owed to the provider
  └► Unknown └► Failed
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from voices import failures, quota, rate, samples
from voices.durable import back_off, claim, declare_intent, give_back, wake, write_back
from voices.errors import Busy, ConsentMissing, InvalidInput, PortalError
from voices.models import ProviderAccount, VoiceClone, VoiceEvent
from voices.providers.base import RemoteState, RemoteVoice, VoiceOrder
from voices.providers.errors import OutcomeUnknown, ProviderError, RateLimited, VoiceNotFound

logger = logging.getLogger(__name__)

State = VoiceClone.State

ADVANCE = "voices.tasks.advance_voice"
LEASE = timedelta(seconds=90)  # twice the longest a single call may take, and some
CREATE_ATTEMPTS = 8
LOOK_AFTER = (timedelta(seconds=15), timedelta(seconds=60), timedelta(seconds=300))
POLL_BATCH = 200


def advance(pk: uuid.UUID | str) -> None:
    """Move one voice one step. Harmless when the voice is not due, in other hands, or already done."""
    voice = claim(VoiceClone, pk, lease=LEASE)
    if voice is None:
        return
    if voice.intent:
        # Whoever held the lease died between the intent and the outcome.
        _outcome_unknown(voice, OutcomeUnknown("interrupted", provider=voice.provider))
        return
    step = {
        State.INIT: _look_up if voice.kind == VoiceClone.Kind.IMPORTED and voice.sample is None else train,
        State.TRAINING: _poll,
        State.SUCCESS: _recheck,
        State.FAILED: _rest,
        State.UNKNOWN: _look_for,
        State.DELETING: _delete,
    }.get(State(voice.state))
    if step is None:
        write_back(voice, due_at=None)
    else:
        step(voice)


def sweep() -> None:
    """Find what is due and wake it: the safety net under every lost wake-up. Training voices wake one of each account."""
    due = VoiceClone.objects.due().order_by("due_at")
    for pk in due.exclude(state=State.TRAINING).values_list("pk", flat=True)[:500]:
        wake(ADVANCE, pk)
    accounts = due.filter(state=State.TRAINING).order_by("account").values_list("account", flat=True).distinct()
    for account in accounts:
        first = due.filter(state=State.TRAINING, account=account).values_list("pk", flat=True).first()
        if first is not None:
            wake(ADVANCE, first)


def train(voice: VoiceClone) -> None:
    """Hand the recording over. `voice` is claimed; its lease is given back with the outcome."""
    if _too_late(voice) or not _may_call(voice):
        return
    sample = voice.sample
    if sample is None or not sample.consents.exists():
        _fail(voice, ConsentMissing())
        return
    order = order_for(voice)
    cloning = voice.account.client().cloning
    fresh = not voice.remote_id
    repeatable = not fresh and voice.traits.trains_idempotently
    if not repeatable and not declare_intent(voice, "create" if fresh else "train"):
        return
    try:
        remote = cloning.create(order) if fresh else cloning.train(voice.remote_id, order)
    except OutcomeUnknown as error:
        if repeatable:
            _try_again(voice, error)
        else:
            _outcome_unknown(voice, error)
    except VoiceNotFound as error:
        # Only a voice that we had can be missing: it is made anew from its recording, as another intent.
        _missing(voice, error)
    except ProviderError as error:
        _try_again(voice, error)
    else:
        _adopt(voice, remote, kind="training_started")


def order_for(voice: VoiceClone) -> VoiceOrder:
    """What is asked of the provider, with an address for the recording that is good for a while."""
    sample = voice.sample
    if sample is None:
        raise InvalidInput(fields={"sample": [_("There is no recording left to train from. Please add a new one.")]})

    def read() -> bytes:
        with sample.prepared.open("rb") as prepared:
            return bytes(prepared.read())

    return VoiceOrder(
        tag=voice.tag,
        name=voice.name,
        model=voice.model,
        language=voice.language,
        sample_url=samples.sample_url(sample),
        sample=read,
        options=voice.options,
        reading=sample.reading_id,
    )


def _poll(voice: VoiceClone) -> None:
    """Ask for every voice of the account that is due, in as few calls as the provider allows."""
    if not _may_call(voice):
        return
    batch = {voice.remote_id: voice}
    others = VoiceClone.objects.due().filter(account=voice.account_id, state=State.TRAINING).exclude(pk=voice.pk)
    for pk in others.order_by("due_at").values_list("pk", flat=True)[:POLL_BATCH]:
        if (other := claim(VoiceClone, pk, lease=LEASE)) is not None:
            batch[other.remote_id] = other
    try:
        found = voice.account.client().cloning.statuses(list(batch))
    except ProviderError as error:
        _hold_back(voice.account, error)
        for each in batch.values():
            if not _too_late(each):
                _write_or_give_back(each, due_at=timezone.now() + _pause(each, error), **failures.kept(error))
        return
    for remote_id, each in batch.items():
        _apply(each, found.get(remote_id))


def _apply(voice: VoiceClone, remote: RemoteVoice | None) -> None:
    now = timezone.now()
    if remote is not None and remote.state == RemoteState.READY:
        event = VoiceEvent(row=voice, kind="ready", detail={"provider_state": remote.raw_state})
        _write_or_give_back(
            voice,
            event=event,
            state=State.SUCCESS,
            remote_id=remote.remote_id,
            provider_state=remote.raw_state,
            demo_url=remote.demo_url or voice.demo_url,
            polled_at=now,
            ready_at=now,
            due_at=None,
            attempts=0,
            **failures.CLEARED,
        )
    elif remote is not None and remote.state == RemoteState.GONE:
        _missing(voice, remote.reason or VoiceNotFound(provider=voice.provider, request_id=remote.request_id))
    elif remote is not None and remote.state == RemoteState.FAILED:
        reason = remote.reason or PortalError(_("The provider did not accept this recording. Please use another one."))
        _fail(voice, reason, provider_state=remote.raw_state)
    elif remote is not None and remote.state == RemoteState.EMPTY and not _too_late(voice):
        # The recording never arrived: it is handed over anew.
        event = VoiceEvent(row=voice, kind="not_handed_over", detail={"provider_state": remote.raw_state})
        _write_or_give_back(voice, event=event, state=State.INIT, polled_at=now, due_at=now + back_off(voice.attempts))
    elif not _too_late(voice):
        _write_or_give_back(
            voice,
            provider_state=remote.raw_state if remote else voice.provider_state,
            polled_at=now,
            due_at=now + back_off(voice.attempts),
            **failures.CLEARED,
        )


def _look_up(voice: VoiceClone) -> None:
    """A voice that was trained elsewhere is believed once the provider confirms it."""
    if _too_late(voice) or not _may_call(voice):
        return
    try:
        remote = voice.account.client().cloning.look_up(voice.remote_id, voice.model)
    except ProviderError as error:
        _try_again(voice, error)
        return
    if remote.state == RemoteState.GONE:
        reason = remote.reason or VoiceNotFound(provider=voice.provider, request_id=remote.request_id)
        _fail(voice, reason, provider_state=remote.raw_state)
    else:
        _apply(voice, remote)


def _tell_name(voice: VoiceClone) -> bool:
    """Pass a new name on to a provider that keeps one; True when the step is over with that."""
    if not (voice.traits.can_rename and voice.remote_id and voice.remote_name != voice.name):
        return False
    if not _may_call(voice):
        return True
    try:
        voice.account.client().cloning.rename(voice.remote_id, voice.name)
    except ProviderError as error:
        due_at = timezone.now() + _pause(voice, error) if error.retryable and voice.attempts < CREATE_ATTEMPTS else None
        event = VoiceEvent(row=voice, kind="rename_failed", detail=_evidence(error))
        _write_or_give_back(voice, event=event, due_at=due_at)
    else:
        _write_or_give_back(voice, remote_name=voice.name, due_at=None, attempts=0)
    return True


def _rest(voice: VoiceClone) -> None:
    if not _tell_name(voice):
        _write_or_give_back(voice, due_at=None)


def _recheck(voice: VoiceClone) -> None:
    if _tell_name(voice) or not _may_call(voice):
        return
    try:
        remote = voice.account.client().cloning.statuses([voice.remote_id]).get(voice.remote_id)
    except ProviderError as error:
        _write_or_give_back(voice, due_at=timezone.now() + _pause(voice, error))
        return
    if remote is not None and remote.state in (RemoteState.GONE, RemoteState.FAILED):
        _apply(voice, remote)
    else:
        _write_or_give_back(voice, polled_at=timezone.now(), due_at=None, attempts=0)


def _look_for(voice: VoiceClone) -> None:
    """Clear up what became of a `create` without an answer: our tag tells, where the provider lists."""
    if not voice.traits.can_find_by_tag:
        _write_or_give_back(voice, event=VoiceEvent(row=voice, kind="needs_operator"), due_at=None)
        return
    if not _may_call(voice):
        return
    cloning = voice.account.client().cloning
    try:
        found = list(cloning.find(voice.tag))
        for surplus in found[1:]:
            cloning.delete(surplus.remote_id)
            VoiceEvent.objects.create(row=voice, kind="duplicate_removed", detail={"remote_id": surplus.remote_id})
    except ProviderError as error:
        _write_or_give_back(voice, due_at=timezone.now() + _pause(voice, error), **failures.kept(error))
        return
    if found:
        _adopt(voice, found[0], kind="adopted")
    elif voice.looks + 1 < len(LOOK_AFTER):
        _write_or_give_back(voice, looks=voice.looks + 1, due_at=timezone.now() + LOOK_AFTER[voice.looks + 1])
    else:
        _write_or_give_back(
            voice,
            event=VoiceEvent(row=voice, kind="nothing_happened", detail={"looks": voice.looks + 1}),
            state=State.INIT,
            looks=0,
            attempts=0,
            due_at=timezone.now(),
        )
        wake(ADVANCE, voice.pk)


def _delete(voice: VoiceClone) -> None:
    """Pay the debt: what the provider still holds of a voice whose owner is done with it. Tried until it is paid."""
    sent = voice.intent_at is not None
    if (voice.remote_id or sent) and voice.traits.can_delete:
        if not _may_call(voice):
            return
        cloning = voice.account.client().cloning
        try:
            ids = {voice.remote_id} if voice.remote_id else set()
            if not ids and voice.traits.can_find_by_tag:
                ids = {remote.remote_id for remote in cloning.find(voice.tag)}
            for remote_id in ids:
                cloning.delete(remote_id)
        except ProviderError as error:
            _hold_back(voice.account, error)
            due_at = timezone.now() + back_off(voice.attempts, most=3600)
            _write_or_give_back(
                voice,
                event=VoiceEvent(row=voice, kind="delete_failed", detail=_evidence(error)),
                due_at=due_at,
                **failures.kept(error),
            )
            return
    with transaction.atomic():
        event = VoiceEvent(row=voice, kind="deleted")
        deleted = write_back(voice, event=event, state=State.DELETED, due_at=None, **failures.CLEARED)
        if deleted:
            quota.release_slot(voice)
    if deleted:
        _erase_samples(voice)


def _erase_samples(voice: VoiceClone) -> None:
    """The recordings go with the voice; the rows stay, as evidence of what was consented to."""
    for sample in voice.samples.filter(erased_at__isnull=True):
        sample.original.delete(save=False)
        sample.prepared.delete(save=False)
        sample.erased_at = timezone.now()
        sample.save()


# --- the parts of a step ---------------------------------------------------------------------------------------------


def _adopt(voice: VoiceClone, remote: RemoteVoice, *, kind: str) -> None:
    ready, empty = remote.state == RemoteState.READY, remote.state == RemoteState.EMPTY
    now = timezone.now()
    stored = _write_or_give_back(
        voice,
        event=VoiceEvent(row=voice, kind=kind, detail={"remote_id": remote.remote_id, "request_id": remote.request_id}),
        keep={"remote_id": remote.remote_id, "intent": ""},
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
        **failures.CLEARED,
    )
    if stored and empty:
        wake(ADVANCE, voice.pk)
    elif not stored:
        logger.warning("voice %s was moved while it was being trained; its id at the provider is kept", voice.pk)


def _try_again(voice: VoiceClone, error: ProviderError) -> None:
    """Nothing was made. Wait and ask again where that can help, otherwise fail in words."""
    _hold_back(voice.account, error)
    if not (error.retryable or isinstance(error, OutcomeUnknown)) or voice.attempts >= CREATE_ATTEMPTS:
        _fail(voice, error)
        return
    _write_or_give_back(
        voice,
        event=VoiceEvent(row=voice, kind="trying_again", detail=_evidence(error)),
        keep={"intent": ""},
        intent="",
        due_at=timezone.now() + _pause(voice, error),
        **failures.kept(error),
    )


def _outcome_unknown(voice: VoiceClone, unknown: ProviderError) -> None:
    if voice.state == State.DELETING:
        # Its owner deleted it while the call was under way: the tag will tell what there is to delete.
        write_back(voice, intent="", due_at=timezone.now())
        wake(ADVANCE, voice.pk)
        return
    # With an id in hand the provider's own state tells; without one we look for our tag.
    known = bool(voice.remote_id)
    _write_or_give_back(
        voice,
        event=VoiceEvent(row=voice, kind="outcome_unknown", detail=_evidence(unknown)),
        keep={"intent": ""},
        state=State.TRAINING if known else State.UNKNOWN,
        intent="",
        looks=0,
        attempts=0,
        due_at=timezone.now() + (back_off(1) if known else LOOK_AFTER[0]),
        **failures.kept(unknown),
    )


def _missing(voice: VoiceClone, error: ProviderError) -> None:
    event = VoiceEvent(row=voice, kind="expired", detail=_evidence(error))
    with transaction.atomic():
        if _write_or_give_back(
            voice, event=event, state=State.EXPIRED, remote_id="", due_at=None, intent="", **failures.kept(error)
        ):
            quota.release_slot(voice)


def _fail(voice: VoiceClone, error: ProviderError | PortalError, *, provider_state: str = "") -> None:
    """The voice will not come to be. Its place is free again unless the provider still holds something of it."""
    with transaction.atomic():
        if _write_or_give_back(
            voice,
            event=VoiceEvent(row=voice, kind="failed", detail=_evidence(error)),
            keep={"intent": ""},
            state=State.FAILED,
            provider_state=provider_state or voice.provider_state,
            intent="",
            due_at=None,
            polled_at=timezone.now(),
            **failures.kept(error),
        ) and not (voice.remote_id and voice.traits.can_delete):
            quota.release_slot(voice)


def _too_late(voice: VoiceClone) -> bool:
    if voice.deadline is None or voice.deadline > timezone.now():
        return False
    _fail(
        voice,
        PortalError(
            _(
                "The provider did not finish training in time. Train the voice again, or ask the operator to look into it."
            ),
            code="training_timeout",
        ),
    )
    return True


def _may_call(voice: VoiceClone) -> bool:
    """Take a rate slot of the account, waiting a moment for it; False: the voice goes back until there is room."""
    try:
        rate.wait(voice.account, "enrollment", per_second=voice.account.enrollment_rate)
    except Busy as busy:
        due_at = timezone.now() + timedelta(seconds=busy.retry_after)
        _write_or_give_back(voice, attempts=max(voice.attempts - 1, 0), due_at=due_at)
        return False
    return True


def _hold_back(account: ProviderAccount, error: ProviderError) -> None:
    if isinstance(error, RateLimited):
        rate.hold_back(account, "enrollment", seconds=error.retry_after or 2.0)


def _pause(voice: VoiceClone, error: ProviderError) -> timedelta:
    return max(back_off(voice.attempts), timedelta(seconds=error.retry_after or 0))


def _write_or_give_back(
    voice: VoiceClone, *, event: VoiceEvent | None = None, keep: Mapping[str, Any] | None = None, **fields: Any
) -> bool:
    """Write a step's result; when the voice was moved meanwhile, leave only what must not be lost and step back."""
    if write_back(voice, event=event, **fields):
        return True
    give_back(voice, **(keep or {}))
    return False


def _evidence(error: ProviderError | PortalError) -> dict[str, str]:
    if isinstance(error, PortalError):
        return {"code": error.code}
    evidence = {"code": error.code, "provider_code": error.provider_code, "request_id": error.request_id}
    return {name: value for name, value in evidence.items() if value}
