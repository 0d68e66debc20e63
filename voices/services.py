"""The use cases of a voice. The request leg (`create_voice`, `retrain`, `request_delete`, …) touches no provider; `advance`
moves one row one step, in a worker, and is the only thing that does (docs/decisions/0001).

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

from django.core.cache import cache
from django.core.files.base import File
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from voices import failures, intake, options, quota, rate, samples
from voices.consent import Consent
from voices.durable import back_off, claim, declare_intent, give_back, move, wake, write_back
from voices.errors import Busy, ConsentMissing, InvalidInput, NotSupported, PortalError, WrongState
from voices.models import Owner, ProviderAccount, VoiceClone, VoiceEvent, new_tag
from voices.providers import registry
from voices.providers.base import RemoteState, RemoteVoice, VoiceOrder
from voices.providers.errors import OutcomeUnknown, ProviderError, RateLimited, VoiceNotFound

logger = logging.getLogger(__name__)

State = VoiceClone.State

ADVANCE = "voices.tasks.advance_voice"
LEASE = timedelta(seconds=90)  # twice the longest a single call may take, and some
CREATE_ATTEMPTS = 8
LOOK_AFTER = (timedelta(seconds=15), timedelta(seconds=60), timedelta(seconds=300))
FRESH = timedelta(seconds=2)
POLL_BATCH = 200


# --- what people ask for ---------------------------------------------------------------------------------------------


def create_voice(
    owner: Owner,
    *,
    name: str,
    provider: str,
    model: str,
    language: str,
    recording: File[bytes],
    filename: str,
    consent: Consent,
    enrollment: Mapping[str, Any] | None = None,
) -> VoiceClone:
    """Take in a recording and promise a voice. Nothing is kept when this raises.

    Raises InvalidInput (SampleRefused for the recording), NoAccount or Exhausted.
    """
    name = _valid_name(name)
    if provider not in registry.slugs():
        raise InvalidInput(fields={"provider": [_("There is no such provider. Choose one of those offered.")]})
    traits = registry.traits(provider)
    chosen = options.valid_model(traits, model)
    options.valid_language(chosen, language)
    settings = options.validated(traits.enrollment_parameters(model), enrollment or {})
    inspection = samples.inspect(recording, rules=traits.sample, filename=filename)
    samples.refuse(inspection)
    with intake.kept_only_on_success() as kept, transaction.atomic():
        account = quota.hold_slot(provider)
        voice = VoiceClone.objects.create(
            owner=owner,
            account=account,
            provider=provider,
            name=name,
            language=language,
            model=model,
            options=settings,
            holds_slot=True,
            due_at=timezone.now(),
            deadline=timezone.now() + timedelta(seconds=traits.training_deadline_seconds),
        )
        intake.keep(voice, recording=recording, inspection=inspection, consent=consent, kept=kept)
        VoiceEvent.objects.create(row=voice, kind="created", to_state=State.INIT)
        wake(ADVANCE, voice.pk)
    return voice


def rename(voice: VoiceClone, *, name: str) -> None:
    """Our own name for the voice; the provider's id does not change. Raises InvalidInput, WrongState."""
    name = _valid_name(name)
    event = VoiceEvent(row=voice, kind="renamed", detail={"from": voice.name, "to": name})
    _moved_or_raise(voice, states=set(State.values) - {State.DELETING, State.DELETED}, event=event, name=name)


def retrain(
    voice: VoiceClone,
    *,
    recording: File[bytes] | None = None,
    filename: str = "",
    consent: Consent | None = None,
) -> None:
    """Train the voice anew, from a new recording (which needs consent of its own) or from the one it has.

    Raises WrongState while it is still in work, NotSupported, SampleRefused, ConsentMissing, Exhausted.
    """
    traits = voice.traits
    if voice.state not in (State.SUCCESS, State.FAILED, State.EXPIRED):
        raise WrongState(
            _("This voice is still in work. Please wait until it is ready or has failed, then train it again.")
        )
    if voice.remote_id and not traits.can_retrain:
        raise NotSupported(_("This provider cannot train an existing voice again. Please make a new voice instead."))
    if recording is None:
        if voice.sample is None or voice.sample.erased_at:
            raise InvalidInput(
                fields={"sample": [_("There is no recording left to train from. Please add a new one.")]}
            )
        with transaction.atomic():
            _start_over(voice)
        return
    if consent is None:
        raise ConsentMissing
    inspection = samples.inspect(recording, rules=traits.sample, filename=filename)
    samples.refuse(inspection)
    with intake.kept_only_on_success() as kept, transaction.atomic():
        intake.keep(voice, recording=recording, inspection=inspection, consent=consent, kept=kept)
        _start_over(voice)


def request_delete(voice: VoiceClone) -> None:
    """Delete the voice here and at its provider. It is gone for its owner at once; the provider's copy follows."""
    event = VoiceEvent(row=voice, kind="delete_requested")
    states = set(State.values) - {State.DELETING, State.DELETED}
    with transaction.atomic():
        if move(
            voice, states=states, event=event, state=State.DELETING, due_at=timezone.now(), deadline=None, attempts=0
        ):
            wake(ADVANCE, voice.pk)


def look_at(voice: VoiceClone) -> None:
    """Somebody is looking: ask the provider sooner than the back-off would, but not more than every two seconds."""
    now = timezone.now()
    stale = Q(polled_at__isnull=True) | Q(polled_at__lt=now - FRESH)
    VoiceClone.objects.filter(stale, pk=voice.pk, state=State.TRAINING, due_at__gt=now).update(due_at=now)
    if VoiceClone.objects.due().filter(pk=voice.pk).exists() and cache.add(
        f"woken:{voice.pk}", 1, FRESH.total_seconds()
    ):
        wake(ADVANCE, voice.pk)


def doubt(voice: VoiceClone) -> None:
    """The provider would not speak with this voice: ask it whether the voice still stands."""
    if VoiceClone.objects.filter(pk=voice.pk, state=State.SUCCESS, due_at__isnull=True).update(due_at=timezone.now()):
        wake(ADVANCE, voice.pk)


def poll_now(voice: VoiceClone) -> None:
    """An operator wants to know now, whatever was planned. A ready voice is asked about again."""
    states = (*VoiceClone.IN_PROGRESS, State.SUCCESS)
    if VoiceClone.objects.filter(pk=voice.pk, state__in=states).update(due_at=timezone.now()):
        wake(ADVANCE, voice.pk)


# --- what the worker does --------------------------------------------------------------------------------------------


def advance(pk: uuid.UUID | str) -> None:
    """Move one voice one step. Harmless when the voice is not due, in other hands, or already done."""
    voice = claim(VoiceClone, pk, lease=LEASE)
    if voice is None:
        return
    if voice.intent:
        # Whoever held the lease died between the intent and the outcome.
        _outcome_unknown(voice, reason="interrupted")
        return
    step = {
        State.INIT: _train,
        State.TRAINING: _poll,
        State.SUCCESS: _recheck,
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


def _train(voice: VoiceClone) -> None:
    if _too_late(voice) or not _may_call(voice):
        return
    sample = voice.sample
    if sample is None or not sample.consents.exists():
        _fail(voice, ConsentMissing())
        return
    order = VoiceOrder(
        tag=voice.tag,
        name=voice.name,
        model=voice.model,
        language=voice.language,
        sample_url=samples.sample_url(sample),
        sample=lambda: bytes(sample.prepared.open("rb").read()),
        options=voice.options,
    )
    cloning = voice.account.client().cloning
    fresh = not voice.remote_id
    if fresh and not declare_intent(voice, "create"):
        return
    try:
        remote = cloning.create(order) if fresh else cloning.replace_sample(voice.remote_id, order)
    except OutcomeUnknown as error:
        if fresh:
            _outcome_unknown(voice, reason=error.detail, error=error)
        else:
            _try_again(voice, error)
    except VoiceNotFound as error:
        # Only a voice that we had can be missing: it is made anew from its recording, as another intent.
        _missing(voice, error)
    except ProviderError as error:
        _try_again(voice, error)
    else:
        _adopt(voice, remote, kind="training_started")


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
    elif not _too_late(voice):
        _write_or_give_back(
            voice,
            provider_state=remote.raw_state if remote else voice.provider_state,
            polled_at=now,
            due_at=now + back_off(voice.attempts),
            **failures.CLEARED,
        )


def _recheck(voice: VoiceClone) -> None:
    if not _may_call(voice):
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
        if write_back(voice, event=event, state=State.DELETED, due_at=None, **failures.CLEARED):
            quota.release_slot(voice)
            transaction.on_commit(lambda: erase_samples(voice))


def erase_samples(voice: VoiceClone) -> None:
    """The recordings go with the voice; the rows stay, as evidence of what was consented to."""
    for sample in voice.samples.filter(erased_at__isnull=True):
        sample.original.delete(save=False)
        sample.prepared.delete(save=False)
        sample.erased_at = timezone.now()
        sample.save()


# --- the parts of a step ---------------------------------------------------------------------------------------------


def _adopt(voice: VoiceClone, remote: RemoteVoice, *, kind: str) -> None:
    ready = remote.state == RemoteState.READY
    now = timezone.now()
    stored = _write_or_give_back(
        voice,
        event=VoiceEvent(row=voice, kind=kind, detail={"remote_id": remote.remote_id, "request_id": remote.request_id}),
        keep={"remote_id": remote.remote_id, "intent": ""},
        state=State.SUCCESS if ready else State.TRAINING,
        remote_id=remote.remote_id,
        provider_state=remote.raw_state,
        demo_url=remote.demo_url or voice.demo_url,
        provider_request_id=remote.request_id,
        intent="",
        looks=0,
        attempts=0,
        ready_at=now if ready else None,
        due_at=None if ready else now + back_off(1),
        deadline=now + timedelta(seconds=voice.traits.training_deadline_seconds),
        **failures.CLEARED,
    )
    if not stored:
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


def _outcome_unknown(voice: VoiceClone, *, reason: str, error: ProviderError | None = None) -> None:
    if voice.state == State.DELETING:
        # Its owner deleted it while the call was under way: the tag will tell what there is to delete.
        write_back(voice, intent="", due_at=timezone.now())
        wake(ADVANCE, voice.pk)
        return
    unknown = error or OutcomeUnknown(reason, provider=voice.provider)
    _write_or_give_back(
        voice,
        event=VoiceEvent(row=voice, kind="outcome_unknown", detail=_evidence(unknown)),
        keep={"intent": ""},
        state=State.UNKNOWN,
        intent="",
        looks=0,
        attempts=0,
        due_at=timezone.now() + LOOK_AFTER[0],
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
        if (
            _write_or_give_back(
                voice,
                event=VoiceEvent(row=voice, kind="failed", detail=_evidence(error)),
                keep={"intent": ""},
                state=State.FAILED,
                provider_state=provider_state or voice.provider_state,
                intent="",
                due_at=None,
                polled_at=timezone.now(),
                **failures.kept(error),
            )
            and not voice.remote_id
        ):
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


def _start_over(voice: VoiceClone) -> None:
    """Back to Init; a voice without an id at the provider takes a place and a tag of its own, being a new intent."""
    changed: dict[str, Any] = {}
    if not voice.remote_id:
        changed["tag"] = new_tag()
        if not voice.holds_slot:
            changed["account"] = quota.hold_slot(voice.provider)
            changed["holds_slot"] = True
    _moved_or_raise(
        voice,
        states={State.SUCCESS, State.FAILED, State.EXPIRED},
        event=VoiceEvent(row=voice, kind="retrain_requested"),
        state=State.INIT,
        due_at=timezone.now(),
        deadline=timezone.now() + timedelta(seconds=voice.traits.training_deadline_seconds),
        attempts=0,
        looks=0,
        intent="",
        intent_at=None,
        **failures.CLEARED,
        **changed,
    )
    wake(ADVANCE, voice.pk)


def _moved_or_raise(voice: VoiceClone, *, states: set[str], event: VoiceEvent, **fields: Any) -> None:
    if not move(voice, states=states, event=event, **fields):
        raise WrongState(_("This voice has changed meanwhile. Please look at it again before going on."))


def _valid_name(name: str) -> str:
    name = " ".join(name.split())
    longest = VoiceClone._meta.get_field("name").max_length
    if not name:
        raise InvalidInput(fields={"name": [_("Please give the voice a name.")]})
    if longest is not None and len(name) > longest:
        raise InvalidInput(fields={"name": [_("Please choose a shorter name: 60 characters at most.")]})
    return name


def _evidence(error: ProviderError | PortalError) -> dict[str, str]:
    if isinstance(error, PortalError):
        return {"code": error.code}
    evidence = {"code": error.code, "provider_code": error.provider_code, "request_id": error.request_id}
    return {name: value for name, value in evidence.items() if value}
