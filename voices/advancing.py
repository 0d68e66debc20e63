"""How a voice comes to be: `advance` moves one row one step, in a worker, and is the only thing that does (docs/decisions/0001).

Init ──► Training ──► Success          Unknown: the provider may or may not have made the voice; we look for our tag
  │         │                          Deleting: gone for its owner, still owed to the provider
  └► Unknown └► Failed
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from voices import demo, failures, quota, rate, samples
from voices.durable import back_off, claim, declare_intent, give_back, room_in_queue, wake, write_back
from voices.errors import Busy, ConsentMissing, Fault, InvalidInput, PortalError
from voices.models import ProviderAccount, VoiceClone, VoiceEvent
from voices.providers.base import Cloning, Places, RemoteState, RemoteVoice, VoiceOrder
from voices.providers.errors import Act, OutcomeUnknown, ProviderError, RateLimited, VoiceNotDeletable, VoiceNotFound
from voices.queues import Queue

logger = logging.getLogger(__name__)

State = VoiceClone.State

ADVANCE = "voices.tasks.advance_voice"
LEASE = timedelta(seconds=90)  # twice the longest a single call may take, and some
CREATE_ATTEMPTS = 8
STUMBLES = 8
"""Steps that end in an error nobody foresaw, before the voice is left to the operator."""
LOOK_AFTER = (timedelta(seconds=15), timedelta(seconds=60), timedelta(seconds=300))
POLL_BATCH = 200
OPERATOR_PAUSE = timedelta(minutes=5)
TOO_LATE = "training_timeout"
LOOK_AGAIN, STILL_LOOKED_AT = timedelta(hours=1), timedelta(hours=24)


def advance(pk: uuid.UUID | str) -> None:
    """Move one voice one step. Harmless when the voice is not due, in other hands, or already done."""
    voice = claim(VoiceClone, pk, lease=LEASE)
    if voice is None:
        return
    with _stumbles_shown(voice):
        _step(voice)


def _step(voice: VoiceClone) -> None:
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
    for pk in due.filter(state=State.INIT).values_list("pk", flat=True)[: room_in_queue(Queue.SLOW)]:
        wake(ADVANCE, pk, queue=Queue.SLOW)
    for pk in due.exclude(state__in=(State.INIT, State.TRAINING)).values_list("pk", flat=True)[: room_in_queue()]:
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
    provider = voice.account.client()
    fresh = not voice.remote_id
    repeatable = not fresh and voice.traits.trains_idempotently
    if not repeatable and not declare_intent(voice, "create" if fresh else "train", lease=LEASE):
        return
    if fresh and provider.places is not None and not _alone_in_making(voice):
        return
    try:
        if fresh:
            place = _unclaimed(voice, provider.places, order)
            if place is not None:
                _adopt(voice, place, kind="place_reused")
                return
            remote = provider.cloning.create(order)
        else:
            remote = provider.cloning.train(voice.remote_id, order)
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
        _adopt(voice, remote, kind="place_made" if remote.state == RemoteState.EMPTY else "training_started")


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


def _alone_in_making(voice: VoiceClone) -> bool:
    """Whether no other voice of the account is just being made. False: this one has stepped back and comes again shortly.

    Where places carry no mark, one that has just been made for another voice looks like nobody's until that voice's row knows it.
    Each of two commits its intent before it looks for the other's, so never do both go on.
    """
    others = VoiceClone.objects.filter(account=voice.account_id, intent="create", lease_until__gt=timezone.now())
    if not others.exclude(pk=voice.pk).exists():
        return True
    attempts = max(voice.attempts - 1, 0)
    _write_or_give_back(voice, keep={"intent": ""}, intent="", attempts=attempts, due_at=timezone.now() + back_off(1))
    return False


def _unclaimed(voice: VoiceClone, places: Places | None, order: VoiceOrder) -> RemoteVoice | None:
    """An empty place at the provider that none of our voices has: left behind by a lost answer, or by somebody's visit there."""
    if places is None:
        return None
    found = {place.remote_id: place for place in places.unclaimed(order)}
    had = VoiceClone.objects.filter(provider=voice.provider, remote_id__in=found).exclude(state=State.DELETED)
    for remote_id in had.values_list("remote_id", flat=True):
        found.pop(remote_id, None)
    return next(iter(found.values()), None)


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
        with _stumbles_shown(each):
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
            due_at=now if _was_renamed_meanwhile(voice) else None,
            attempts=0,
            # Only a change of our name is passed on: what was made elsewhere keeps the name it has there until then.
            remote_name=voice.remote_name or voice.name,
            **failures.CLEARED,
        )
        demo.forget(voice)
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


def _has_name_to_tell(voice: VoiceClone) -> bool:
    """Whether the provider keeps a name that is no longer the voice's. Asked anew of the row: renaming waits for no lease."""
    if not (voice.traits.can_rename and voice.remote_id):
        return False
    voice.refresh_from_db(fields=["name"])
    return voice.remote_name != voice.name


def _was_renamed_meanwhile(voice: VoiceClone) -> bool:
    """Renamed while it was being trained: the provider is told once that has ended."""
    return bool(voice.remote_name) and _has_name_to_tell(voice)


def _tell_name(voice: VoiceClone) -> bool:
    """Pass a new name on to a provider that keeps one; True when the step is over with that."""
    if not _has_name_to_tell(voice):
        return False
    if not _may_call(voice):
        return True
    try:
        voice.account.client().cloning.rename(voice.remote_id, voice.name)
    except VoiceNotFound as error:
        _missing(voice, error)
    except ProviderError as error:
        due_at = timezone.now() + _pause(voice, error) if error.retryable and voice.attempts < CREATE_ATTEMPTS else None
        event = VoiceEvent(row=voice, kind="rename_failed", detail=_evidence(error))
        _write_or_give_back(voice, event=event, due_at=due_at)
    else:
        _write_or_give_back(voice, remote_name=voice.name, due_at=None, attempts=0)
    return True


def _rest(voice: VoiceClone) -> None:
    if (
        voice.error_code == TOO_LATE
        and voice.deadline is not None
        and voice.deadline > timezone.now() - STILL_LOOKED_AT
    ):
        _look_again(voice)
    elif not _tell_name(voice):
        _write_or_give_back(voice, due_at=None)


def _look_again(voice: VoiceClone) -> None:
    """We have stopped waiting; the provider may finish all the same."""
    if not _may_call(voice):
        return
    due_at = timezone.now() + LOOK_AGAIN
    try:
        remote = voice.account.client().cloning.statuses([voice.remote_id]).get(voice.remote_id)
    except ProviderError:
        _write_or_give_back(voice, due_at=due_at)
        return
    if remote is not None and remote.state in (RemoteState.READY, RemoteState.FAILED, RemoteState.GONE):
        _apply(voice, remote)
    else:
        _write_or_give_back(voice, polled_at=timezone.now(), due_at=due_at)


def _recheck(voice: VoiceClone) -> None:
    if _tell_name(voice) or not _may_call(voice):
        return
    try:
        remote = voice.account.client().cloning.statuses([voice.remote_id]).get(voice.remote_id)
    except ProviderError as error:
        _hold_back(voice.account, error)
        again = error.retryable and voice.attempts < CREATE_ATTEMPTS
        _write_or_give_back(voice, due_at=timezone.now() + _pause(voice, error) if again else None)
        return
    if remote is not None and remote.state in (RemoteState.GONE, RemoteState.FAILED):
        _apply(voice, remote)
    else:
        _write_or_give_back(voice, polled_at=timezone.now(), due_at=None, attempts=0)


def _look_for(voice: VoiceClone) -> None:
    """Clear up what became of a call without an answer.

    With an id in hand the provider's own state tells. Without one our tag does, where the provider lists by it; and where places
    carry no mark, any that nobody has is as good as the one we asked for.
    """
    provider = voice.account.client()
    if not (voice.remote_id or voice.traits.can_find_by_tag or provider.places is not None):
        _write_or_give_back(voice, event=VoiceEvent(row=voice, kind="needs_operator"), due_at=None)
        return
    if not _may_call(voice):
        return
    if voice.remote_id:
        _see_whether_it_trains(voice, provider.cloning)
        return
    if provider.places is not None and not (declare_intent(voice, "create", lease=LEASE) and _alone_in_making(voice)):
        return
    try:
        if provider.places is not None:
            place = _unclaimed(voice, provider.places, order_for(voice))
            found = [] if place is None else [place]
        else:
            found = _found_by_tag(voice, provider.cloning)
    except ProviderError as error:
        _hold_back(voice.account, error)
        due_at = timezone.now() + _pause(voice, error)
        _write_or_give_back(voice, keep={"intent": ""}, intent="", due_at=due_at, **failures.kept(error))
        return
    if found:
        _adopt(voice, found[0], kind="adopted")
    elif voice.looks + 1 < len(LOOK_AFTER):
        due_at = timezone.now() + LOOK_AFTER[voice.looks + 1]
        _write_or_give_back(voice, keep={"intent": ""}, intent="", looks=voice.looks + 1, due_at=due_at)
    else:
        _write_or_give_back(
            voice,
            event=VoiceEvent(row=voice, kind="nothing_happened", detail={"looks": voice.looks + 1}),
            keep={"intent": ""},
            state=State.INIT,
            intent="",
            looks=0,
            attempts=0,
            due_at=timezone.now(),
        )
        wake(ADVANCE, voice.pk, queue=Queue.SLOW)


def _found_by_tag(voice: VoiceClone, cloning: Cloning) -> list[RemoteVoice]:
    """The voice that carries our tag, or none; what was made twice is removed."""
    found = list(cloning.find(voice.tag))
    for surplus in found[1:]:
        cloning.delete(surplus.remote_id)
        VoiceEvent.objects.create(row=voice, kind="duplicate_removed", detail={"remote_id": surplus.remote_id})
    return found[:1]


def _see_whether_it_trains(voice: VoiceClone, cloning: Cloning) -> None:
    """A `train` without an answer has begun when the voice is not what it was before. Otherwise it is sent once more."""
    try:
        remote = cloning.statuses([voice.remote_id]).get(voice.remote_id)
    except ProviderError as error:
        _write_or_give_back(voice, due_at=timezone.now() + _pause(voice, error), **failures.kept(error))
        return
    if remote is None:
        _write_or_give_back(voice, due_at=timezone.now() + back_off(voice.attempts))
        return
    unchanged = remote.raw_state == voice.provider_state and remote.demo_url in ("", voice.demo_url)
    if remote.state == RemoteState.EMPTY or (unchanged and remote.state in (RemoteState.READY, RemoteState.FAILED)):
        event = VoiceEvent(row=voice, kind="not_handed_over", detail={"provider_state": remote.raw_state})
        _write_or_give_back(voice, event=event, state=State.INIT, polled_at=timezone.now(), due_at=timezone.now())
        wake(ADVANCE, voice.pk, queue=Queue.SLOW)
    elif remote.state == RemoteState.WORKING:
        _adopt(voice, remote, kind="training_started")
    else:
        _apply(voice, remote)


def _delete(voice: VoiceClone) -> None:
    """Pay the debt: what the provider still holds of a voice whose owner is done with it. Tried until it is paid."""
    # Before the last transition, after which nobody comes by any more.
    _erase_samples(voice)
    sent = voice.intent_at is not None
    if (voice.remote_id or sent) and voice.traits.can_delete:
        if not _may_call(voice):
            return
        cloning = voice.account.client().cloning
        try:
            ids = {voice.remote_id} if voice.remote_id else set()
            if not ids and voice.traits.can_find_by_tag:
                ids = {remote.remote_id for remote in cloning.find(voice.tag)}
                if not ids and voice.intent_at is not None and timezone.now() < voice.intent_at + LEASE:
                    # The provider may still be at it, and would make a voice that nobody knows of.
                    _write_or_give_back(voice, due_at=voice.intent_at + LEASE)
                    return
            for remote_id in ids:
                cloning.delete(remote_id)
        except VoiceNotDeletable as error:
            # Its place there stays taken, so ours does too.
            event = VoiceEvent(row=voice, kind="kept_by_provider", detail=_evidence(error))
            _part_with(voice, event, place_is_free=False, **failures.kept(error))
            return
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
    _part_with(voice, VoiceEvent(row=voice, kind="deleted"), place_is_free=True, **failures.CLEARED)


def _part_with(voice: VoiceClone, event: VoiceEvent, *, place_is_free: bool, **fields: Any) -> None:
    with transaction.atomic():
        if write_back(voice, event=event, state=State.DELETED, due_at=None, **fields) and place_is_free:
            quota.release_slot(voice)


def _erase_samples(voice: VoiceClone) -> None:
    """The recordings go with the voice; the rows stay, as evidence of what was consented to."""
    demo.forget(voice)
    for sample in voice.samples.filter(erased_at__isnull=True):
        sample.original.delete(save=False)
        sample.prepared.delete(save=False)
        sample.erased_at = timezone.now()
        sample.save()


# --- the parts of a step ---------------------------------------------------------------------------------------------


@contextmanager
def _stumbles_shown(voice: VoiceClone) -> Iterator[None]:
    """An error that nobody foresaw ends this step of this voice: it is logged, the row says so, and it is not repeated for ever."""
    try:
        yield
    except Exception:
        logger.exception("voice %s met what nobody foresaw, in state %s", voice.pk, voice.state)
        _stumbled(voice)


def _stumbled(voice: VoiceClone) -> None:
    wait = timezone.now() + back_off(voice.attempts)
    told = failures.kept(Fault())
    if voice.intent:
        _outcome_unknown(voice, OutcomeUnknown("interrupted by a fault of ours", provider=voice.provider))
    elif voice.state == State.SUCCESS:
        _write_or_give_back(voice, due_at=None)
    elif voice.state == State.DELETING:
        _write_or_give_back(voice, due_at=timezone.now() + back_off(voice.attempts, most=3600), **told)
    elif voice.state == State.TRAINING:
        if not _too_late(voice):
            _write_or_give_back(voice, due_at=wait, **told)
    elif voice.attempts < STUMBLES:
        _write_or_give_back(voice, due_at=wait, **told)
    elif voice.state == State.UNKNOWN:
        _write_or_give_back(voice, event=VoiceEvent(row=voice, kind="needs_operator"), due_at=None, **told)
    else:
        _fail(voice, Fault())


def _adopt(voice: VoiceClone, remote: RemoteVoice, *, kind: str) -> None:
    ready, empty = remote.state == RemoteState.READY, remote.state == RemoteState.EMPTY
    now = timezone.now()
    # A provider that keeps a name is told it together with the recording.
    told = {"remote_name": voice.name} if voice.traits.can_rename and not empty else {}
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
        **told,
        **failures.CLEARED,
    )
    if stored and empty:
        wake(ADVANCE, voice.pk, queue=Queue.SLOW)
    elif not stored:
        logger.warning("voice %s was moved while it was being trained; its id at the provider is kept", voice.pk)


def _try_again(voice: VoiceClone, error: ProviderError) -> None:
    """Nothing was made. Wait and ask again where that can help, otherwise fail in words."""
    _hold_back(voice.account, error)
    if not (error.retryable or isinstance(error, OutcomeUnknown)) or voice.attempts >= CREATE_ATTEMPTS:
        _fail(voice, error, intent_at=None)
        return
    _write_or_give_back(
        voice,
        event=VoiceEvent(row=voice, kind="trying_again", detail=_evidence(error)),
        keep={"intent": "", "intent_at": None},
        intent="",
        intent_at=None,
        due_at=timezone.now() + _pause(voice, error),
        **failures.kept(error),
    )


def _outcome_unknown(voice: VoiceClone, unknown: ProviderError) -> None:
    if voice.state == State.DELETING:
        # Its owner deleted it while the call was under way: the tag will tell what there is to delete.
        write_back(voice, intent="", due_at=timezone.now())
        wake(ADVANCE, voice.pk)
        return
    _write_or_give_back(
        voice,
        event=VoiceEvent(row=voice, kind="outcome_unknown", detail=_evidence(unknown)),
        keep={"intent": ""},
        state=State.UNKNOWN,
        intent="",
        looks=0,
        attempts=0,
        due_at=timezone.now() + (back_off(1) if voice.remote_id else LOOK_AFTER[0]),
        **failures.kept(unknown),
    )


def _missing(voice: VoiceClone, error: ProviderError) -> None:
    event = VoiceEvent(row=voice, kind="expired", detail=_evidence(error))
    with transaction.atomic():
        if _write_or_give_back(
            voice, event=event, state=State.EXPIRED, remote_id="", due_at=None, intent="", **failures.kept(error)
        ):
            quota.release_slot(voice)


def _fail(
    voice: VoiceClone,
    error: ProviderError | PortalError,
    *,
    provider_state: str = "",
    due_at: datetime | None = None,
    **fields: Any,
) -> None:
    """The voice will not come to be. Its place is free again unless the provider still holds something of it."""
    if due_at is None and _was_renamed_meanwhile(voice):
        due_at = timezone.now()
    with transaction.atomic():
        if _write_or_give_back(
            voice,
            event=VoiceEvent(row=voice, kind="failed", detail=_evidence(error)),
            keep={"intent": ""},
            state=State.FAILED,
            provider_state=provider_state or voice.provider_state,
            intent="",
            due_at=due_at,
            polled_at=timezone.now(),
            **fields,
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
            code=TOO_LATE,
        ),
        due_at=timezone.now() + LOOK_AGAIN if voice.remote_id else None,
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
    """Longer where asking is useless until an operator has done something, such as entering another key."""
    least = OPERATOR_PAUSE if error.act is Act.OPERATOR and not error.retryable else timedelta(0)
    return max(back_off(voice.attempts), timedelta(seconds=error.retry_after or 0), least)


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
