"""What people ask of a voice. Nothing here touches a provider: a row is written, and `advancing.py` takes it from there."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.core.cache import cache
from django.core.files.base import File
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from voices import failures, intake, ledger, options, outward, quota, reading, samples
from voices.consent import Consent
from voices.durable import move, wake
from voices.errors import ConsentMissing, InvalidInput, NotSupported, WrongState
from voices.ledger import Claim, Purpose
from voices.models import Owner, ProviderAccount, SampleSource, VoiceClone, VoiceEvent, VoiceSample, new_tag
from voices.names import valid_name
from voices.outcomes import ADVANCE
from voices.outward import AddressRefused
from voices.providers import registry
from voices.providers.base import Traits
from voices.queues import Queue

State = VoiceClone.State

FRESH = timedelta(seconds=2)
MOST_DESCRIPTION, MOST_LABELS = 500, 2000
"""Characters; of the labels, as JSON."""


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
    reading_id: str = "",
    token_id: int | None = None,
    pk: uuid.UUID | None = None,
) -> VoiceClone:
    """Take in a recording and promise a voice, under the id `pk` if one is given. Nothing is kept when this raises.

    `token_id` is of the ApiToken that asks.

    Raises InvalidInput (SampleRefused for the recording), NoAccount, Exhausted or StorageUnavailable.
    """
    described = _described(name, provider, model, language, enrollment)
    reading_text = reading.chosen(provider, reading_id)
    inspection = samples.inspect(recording, rules=registry.traits(provider).sample, filename=filename)
    samples.refuse(inspection)
    voice = VoiceClone(pk=pk or uuid.uuid4(), owner=owner, token_id=token_id, **described)

    def needed(account: ProviderAccount) -> list[Claim]:
        return [ledger.place(voice, account), *_for_training(voice, account, size=inspection.size, token_id=token_id)]

    quota.refuse_if_none_has_room(provider, needed)
    files = intake.stored(voice, recording=recording, inspection=inspection, reading=reading_text)
    with files as sample, quota.holding_at_any(provider, needed) as account:
        voice.account = account
        voice.save(force_insert=True)
        intake.keep(voice, sample, consent=consent)
        VoiceEvent.objects.create(row=voice, kind="created", to_state=State.INIT)
        wake(ADVANCE, voice.pk, queue=Queue.SLOW)
    return voice


def create_voice_from_url(
    owner: Owner,
    *,
    name: str,
    provider: str,
    model: str,
    language: str,
    url: str,
    consent: Consent,
    enrollment: Mapping[str, Any] | None = None,
    token_id: int | None = None,
    reading_id: str = "",
    pk: uuid.UUID | None = None,
) -> VoiceClone:
    """Promise a voice whose recording a worker will fetch. What is wrong with the recording shows in the voice, which then fails.

    Raises InvalidInput, also for an address that does not lead to the public internet; NoAccount or Exhausted.
    """
    described = _described(name, provider, model, language, enrollment)
    reading_text = reading.chosen(provider, reading_id)
    url = url.strip()
    try:
        outward.check_address(url, schemes=("https", "http"))
    except AddressRefused as refused:
        raise InvalidInput(fields={"sample_url": [refused.sentence]}) from None
    voice = VoiceClone(pk=pk or uuid.uuid4(), owner=owner, token_id=token_id, **described)

    def needed(account: ProviderAccount) -> list[Claim]:
        return [ledger.place(voice, account), *_for_training(voice, account, size=0, token_id=token_id)]

    with quota.holding_at_any(provider, needed) as account:
        voice.account = account
        voice.save(force_insert=True)
        SampleSource.objects.create(
            voice=voice,
            url=url,
            reading_id=reading_text.id if reading_text else "",
            reading_text=reading_text.text if reading_text else "",
        )
        intake.keep_consent(voice, None, consent)
        VoiceEvent.objects.create(row=voice, kind="recording_ordered", to_state=State.INIT)
        wake(ADVANCE, voice.pk, queue=Queue.SLOW)
    return voice


def rename(voice: VoiceClone, *, name: str) -> None:
    """A new name, told to the provider too where it keeps one. Never trains. Raises InvalidInput, WrongState."""
    name = valid_name(name, voice.traits)
    event = VoiceEvent(row=voice, kind="renamed", detail={"from": voice.name, "to": name})
    changed: dict[str, Any] = {"name": name}
    if voice.traits.can_rename and voice.remote_id and voice.state in (State.SUCCESS, State.FAILED):
        changed["due_at"] = timezone.now()
    _moved_or_raise(voice, states=set(State.values) - {State.DELETING, State.DELETED}, event=event, **changed)
    if "due_at" in changed:
        wake(ADVANCE, voice.pk)


def answer_repeats(voice: VoiceClone, *, on: bool) -> None:
    """Whether a request for exactly what the voice has said already is answered with the audio that was kept, at no cost. Only what
    is spoken from now on is repeated; switched off, nothing is.

    Raises NotSupported for a stock voice, which is everybody's, and for one that cannot be given texts; WrongState.
    """
    if on and (voice.is_stock or not voice.traits.can_synthesize):
        raise NotSupported(_("Only a voice of your own that speaks any text can answer repeats."))
    if on == voice.answers_repeats:
        return
    event = VoiceEvent(row=voice, kind="repeats_on" if on else "repeats_off")
    since = timezone.now() if on else None
    _moved_or_raise(voice, states=set(State.values) - {State.DELETING, State.DELETED}, event=event, repeats_since=since)


def change(voice: VoiceClone, *, name: str | None = None, answers_repeats: bool | None = None) -> None:
    """Both or neither; None leaves it. Raises as `rename` and `answer_repeats` do."""
    with transaction.atomic():
        if answers_repeats is not None:
            answer_repeats(voice, on=answers_repeats)
        if name is not None:
            rename(voice, name=name)


def describe(
    voice: VoiceClone,
    *,
    description: str | None = None,
    labels: Mapping[str, str] | None = None,
    usual_speed: float | None = None,
) -> None:
    """What its owner notes of a voice; None leaves it. Told to nobody. Raises InvalidInput."""
    given = {"description": description, "labels": labels, "usual_speed": usual_speed}
    changed = {name: value for name, value in given.items() if value is not None}
    if description is not None and len(description) > MOST_DESCRIPTION:
        raise InvalidInput(fields={"description": [_("Please choose a shorter description.")]})
    if labels is not None and len(json.dumps(dict(labels))) > MOST_LABELS:
        raise InvalidInput(fields={"labels": [_("These are too many labels. Please leave some out.")]})
    if changed:
        VoiceClone.objects.filter(pk=voice.pk).update(**changed, updated_at=timezone.now())
        for name, value in changed.items():
            setattr(voice, name, value)


def retrain(
    voice: VoiceClone,
    *,
    recording: File[bytes] | None = None,
    filename: str = "",
    consent: Consent | None = None,
    reading_id: str = "",
    token_id: int | None = None,
) -> None:
    """Train the voice anew, from a new recording (which needs consent of its own) or from the one it has. `token_id` is of the
    ApiToken that asks, and pays.

    Raises WrongState while it is still in work, NotSupported, SampleRefused, ConsentMissing, Exhausted,
    StorageUnavailable.
    """
    traits = voice.traits
    if voice.state not in (State.SUCCESS, State.FAILED, State.EXPIRED):
        raise WrongState(
            _("This voice is still in work. Please wait until it is ready or has failed, then train it again.")
        )
    if not may_retrain(voice):
        raise NotSupported(_("This provider cannot train an existing voice again. Please make a new voice instead."))
    if recording is None:
        if voice.sample is None or voice.sample.erased_at:
            raise InvalidInput(
                fields={"sample": [_("There is no recording left to train from. Please add a new one.")]}
            )
        with _starting_over(voice, token_id=token_id):
            return
    if consent is None:
        raise ConsentMissing
    reading_text = reading.chosen(voice.provider, reading_id)
    inspection = samples.inspect(recording, rules=traits.sample, filename=filename)
    samples.refuse(inspection)
    files = intake.stored(voice, recording=recording, inspection=inspection, reading=reading_text)
    with files as sample, _starting_over(voice, size=inspection.size, token_id=token_id):
        intake.keep(voice, sample, consent=consent)


def may_retrain(voice: VoiceClone) -> bool:
    """Whether `retrain` can work now: a voice that failed is always made anew, one that speaks only where its provider can."""
    if voice.is_stock:
        return False
    return voice.state in (State.FAILED, State.EXPIRED) or (voice.is_ready and voice.traits.can_retrain)


def erase_recording(sample: VoiceSample) -> None:
    """The voice stays and can no longer be trained again from this recording. Raises WrongState while its provider may need it."""
    voice = sample.voice
    if voice.in_progress:
        raise WrongState(_("This voice is still in work, and its provider may need the recording. Please wait."))
    if sample.erased_at is None:
        intake.erase(sample)
        if not voice.samples.filter(erased_at__isnull=True).exists():
            ledger.release(voice.pk, Purpose.RECORDING)
        VoiceEvent.objects.create(row=voice, kind="recording_erased", from_state=voice.state, to_state=voice.state)


def import_voice(
    owner: Owner,
    *,
    name: str,
    provider: str,
    model: str,
    language: str,
    remote_id: str,
    consent: Consent,
    token_id: int | None = None,
    pk: uuid.UUID | None = None,
) -> VoiceClone:
    """Take over a voice that was trained elsewhere in one of our accounts. It is believed once the provider confirms it.

    Raises InvalidInput, NoAccount, Exhausted, or WrongState when somebody here has it already.
    """
    traits = _valid_provider(provider)
    name = valid_name(name, traits)
    options.valid_language(options.valid_model(traits, model), language)
    remote_id = remote_id.strip()
    if not remote_id or len(remote_id) > 200 or not remote_id.isascii() or not remote_id.isprintable():
        raise InvalidInput(fields={"remote_id": [_("Please give the voice's id exactly as the provider shows it.")]})
    voice = VoiceClone(
        owner=owner,
        token_id=token_id,
        provider=provider,
        kind=VoiceClone.Kind.IMPORTED,
        name=name,
        language=language,
        model=model,
        remote_id=remote_id,
        holds_slot=True,
        due_at=timezone.now(),
        deadline=timezone.now() + timedelta(seconds=traits.training_deadline_seconds),
    )
    with quota.holding_at_any(provider, lambda account: [ledger.place(voice, account)]) as account:
        taken = VoiceClone.objects.filter(account__provider=provider, remote_id=remote_id).exclude(state=State.DELETED)
        if taken.exists():
            raise WrongState(_("This voice is already in use here. Ask whoever has it, or the operator of this site."))
        voice.account = account
        voice.save(force_insert=True)
        intake.keep_consent(voice, None, consent)
        VoiceEvent.objects.create(row=voice, kind="import_requested", to_state=State.INIT)
        wake(ADVANCE, voice.pk, queue=Queue.SLOW)
    return voice


def request_delete(voice: VoiceClone) -> None:
    """Delete the voice here and at its provider. It is gone for its owner at once; the provider's copy follows.

    Raises NotSupported for a stock voice: it is nobody's to delete.
    """
    if voice.is_stock:
        raise NotSupported(_("A stock voice cannot be deleted. An operator can withdraw it instead."))
    event = VoiceEvent(row=voice, kind="delete_requested")
    states = set(State.values) - {State.DELETING, State.DELETED}
    wanted: dict[str, Any] = {"state": State.DELETING, "due_at": timezone.now(), "deadline": None, "attempts": 0}
    with transaction.atomic():
        # A worker may have moved it since it was read; deleting is right from wherever it stands now.
        while voice.state in states:
            if move(voice, states=states, event=event, **wanted):
                wake(ADVANCE, voice.pk)
            else:
                voice.refresh_from_db(fields=["state"])


def look_at(voice: VoiceClone) -> None:
    """Somebody is looking: ask the provider sooner than the back-off would, but not more than every two seconds."""
    if voice.due_at is None:  # nothing is left to ask, as for nearly every voice that is looked at
        return
    now = timezone.now()
    stale = Q(polled_at__isnull=True) | Q(polled_at__lt=now - FRESH)
    VoiceClone.objects.filter(stale, pk=voice.pk, state=State.TRAINING, due_at__gt=now).update(due_at=now)
    if VoiceClone.objects.due().filter(pk=voice.pk).exists() and cache.add(
        f"woken:{voice.pk}", 1, FRESH.total_seconds()
    ):
        wake(ADVANCE, voice.pk, queue=Queue.SLOW if voice.state == State.INIT else Queue.DEFAULT)


def doubt(voice: VoiceClone) -> None:
    """The provider would not speak with this voice: ask it whether the voice still stands."""
    if VoiceClone.objects.filter(pk=voice.pk, state=State.SUCCESS, due_at__isnull=True).update(due_at=timezone.now()):
        wake(ADVANCE, voice.pk)


def poll_now(voice: VoiceClone) -> None:
    """An operator wants to know now, whatever was planned. A ready voice is asked about again."""
    states = (*VoiceClone.IN_PROGRESS, State.SUCCESS)
    if VoiceClone.objects.filter(pk=voice.pk, state__in=states).update(due_at=timezone.now()):
        wake(ADVANCE, voice.pk)


# --- the parts ---------------------------------------------------------------------------------------------------------


def _described(
    name: str, provider: str, model: str, language: str, enrollment: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The columns of a voice that is asked for, checked against its provider's Traits. Raises InvalidInput."""
    traits = _valid_provider(provider)
    name = valid_name(name, traits)
    options.valid_language(options.valid_model(traits, model), language)
    now = timezone.now()
    return {
        "name": name,
        "provider": provider,
        "model": model,
        "language": language,
        "options": options.validated(traits.enrollment_parameters(model), enrollment or {}),
        "holds_slot": True,
        "due_at": now,
        "deadline": now + timedelta(seconds=traits.training_deadline_seconds),
    }


@contextmanager
def _starting_over(voice: VoiceClone, *, token_id: int | None, size: int = 0) -> Iterator[None]:
    """Back to Init, and what the block writes, with another training held. `size`: of a new recording, in bytes.

    What cannot be trained in place is made anew: another intent, with a tag of its own.
    """

    def needed(account: ProviderAccount) -> list[Claim]:
        return _for_training(voice, account, size=size, token_id=token_id)

    anew = not voice.remote_id or not voice.traits.can_retrain
    if anew and not voice.holds_slot:
        holding = quota.holding_at_any(voice.provider, lambda account: [ledger.place(voice, account), *needed(account)])
    else:
        holding = quota.holding_at(voice.account, needed(voice.account))
    # Its row first: whoever ends a voice takes the locks in this order.
    with transaction.atomic():
        VoiceClone.objects.select_for_update(no_key=True).get(pk=voice.pk)
        with holding as account:
            changed: dict[str, Any] = {"account": account, "holds_slot": voice.holds_slot or anew}
            if anew:
                changed |= {"remote_id": "", "tag": new_tag()}
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
            yield
            wake(ADVANCE, voice.pk, queue=Queue.SLOW)


def _for_training(voice: VoiceClone, account: ProviderAccount, *, size: int, token_id: int | None) -> list[Claim]:
    return [
        ledger.training(voice, account, token_id=token_id),
        *([ledger.recording(voice, account, size=size)] if size else []),
    ]


def _moved_or_raise(voice: VoiceClone, *, states: set[str], event: VoiceEvent, **fields: Any) -> None:
    if not move(voice, states=states, event=event, **fields):
        raise WrongState(_("This voice has changed meanwhile. Please look at it again before going on."))


def _valid_provider(provider: str) -> Traits:
    if provider not in registry.slugs():
        raise InvalidInput(fields={"provider": [_("There is no such provider. Choose one of those offered.")]})
    return registry.traits(provider)
