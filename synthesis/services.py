"""The use cases of speech. What a streamed request does is `speak`, and each of its steps is a small function below it:
check ─► hold ─► record ─► open ─► relay ─► settle (the last three in streaming.py).

In the background a text may be longer than a provider takes, and a format one that no provider speaks: `pieces.py`. What the
worker does with a job is in `advancing.py`.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.db.models import Q
from django.db.models.fields.files import FieldFile
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from synthesis import ending, pieces, repeats, streaming
from synthesis.advancing import ADVANCE, TASK_SECONDS, not_ready, waiting_jobs
from synthesis.errors import AudioNotReady, Cancelled, NoAudio, NoWordTimes
from synthesis.models import JobEvent, SynthesisJob
from synthesis.settling import DATABASE_IS_AWAY
from synthesis.streaming import INTENT, LEASE, SpeechStream
from voices import failures, leave, ledger, logbook, options, plain_sql, pricing
from voices.durable import move, wake
from voices.errors import InvalidInput, NotSupported, PortalError, WrongState
from voices.ledger import Purpose
from voices.models import Owner, ProviderAccount, VoiceClone
from voices.plain_rows import drafted
from voices.providers.base import OptionValue
from voices.providers.errors import ProviderError
from voices.queues import Queue

logger = logging.getLogger(__name__)

State, Mode = SynthesisJob.State, SynthesisJob.Mode

WAKE_UPS = 8
"""Of one owner's jobs that wait; further ones are taken up as these end, so that nobody fills the queue in front of others."""


_GONE = _("There is no audio any more: it was deleted with the text that this one repeated. Let it be spoken anew.")


@dataclass(frozen=True, slots=True)
class SpeechOrder:
    """A checked wish: this voice can say this text like this. `pieces`: for a job, what is spoken one by one; empty for one go."""

    owner: Owner
    voice: VoiceClone
    text: str
    audio_format: str
    sample_rate: int
    options: Mapping[str, OptionValue]
    characters: int
    token_id: int | None = None
    pieces: Sequence[str] = ()


# --- what people ask for ---------------------------------------------------------------------------------------------


def speak(order: SpeechOrder, *, pk: uuid.UUID | None = None) -> SpeechStream:
    """Speak now. What is returned has its first audio; close it, whatever happens.

    Raises Busy, ProviderError or PortalError before anything was heard.
    """
    hold(order)
    job = record(order, mode=Mode.STREAM, pk=pk)
    try:
        return streaming.open_speech(job)
    except Exception as error:
        ending.end(job, error)
        raise


def submit(
    order: SpeechOrder,
    *,
    pk: uuid.UUID | None = None,
    batch: uuid.UUID | None = None,
    of: SynthesisJob | None = None,
) -> SynthesisJob:
    """Speak in the background, as the job `pk` if an id is given; or, with `of` as `kept_for` found it, repeat that at once."""
    if of is not None and repeats.answer(repeat := _row(order, mode=Mode.BACKGROUND, pk=pk, batch=batch), of):
        return repeat
    with transaction.atomic():
        job = record(order, mode=Mode.BACKGROUND, pk=pk, batch=batch)
        pieces.lay_out(job, order.pieces)
        if waiting_jobs().filter(owner=order.owner)[:WAKE_UPS].count() < WAKE_UPS:
            wake(ADVANCE, job.pk, queue=Queue.SLOW, timeout=TASK_SECONDS)
    return job


def check(
    owner: Owner,
    *,
    voice: VoiceClone,
    text: str,
    audio_format: str = "",
    sample_rate: int | None = None,
    parameters: Mapping[str, Any] | None = None,
    token_id: int | None = None,
) -> SpeechOrder:
    """Hold a wish against what the voice's provider and model can do. Touches neither the provider nor the database.
    `token_id`: of the ApiToken that asks.

    Raises VoiceNotReady, NotSupported, or InvalidInput naming every wrong field.
    """
    traits = voice.traits
    if not traits.can_synthesize:
        raise NotSupported(
            _("This provider publishes no way to speak with a cloned voice. Its demo can still be heard.")
        )
    if not voice.is_ready:
        raise not_ready(voice)
    model = traits.model(voice.model)
    fields: dict[str, list[Any]] = {}
    text = text.strip()
    characters = traits.count_characters(text)
    longest, most_bytes = traits.text_limits(model.slug)
    size = len(text.encode(errors="replace"))
    if not text:
        fields["text"] = [_("Please enter some text to speak.")]
    elif characters > longest:
        fields["text"] = [
            format_lazy(
                _(
                    "This text counts {characters} characters and the limit is {limit} "
                    "(a Chinese character may count as two). Please shorten it."
                ),
                characters=characters,
                limit=longest,
            )
        ]
    elif most_bytes is not None and size > most_bytes:
        fields["text"] = [
            format_lazy(
                _(
                    "This text is {size} bytes long and the limit is {limit} "
                    "(a Chinese character takes three, most emoji four). Please shorten it."
                ),
                size=size,
                limit=most_bytes,
            )
        ]
    audio_format = audio_format or traits.default_format
    if audio_format not in model.audio_formats:
        offered = ", ".join(name for name in traits.audio_formats if name in model.audio_formats)
        fields["format"] = [format_lazy(_("This voice speaks these formats: {offered}."), offered=offered)]
    sample_rate = sample_rate or traits.default_sample_rate
    if sample_rate not in traits.sample_rates:
        offered = ", ".join(str(each) for each in traits.sample_rates)
        fields["sample_rate"] = [format_lazy(_("This voice speaks at these sample rates: {offered}."), offered=offered)]
    settings: dict[str, OptionValue] = {}
    try:
        settings = options.validated(traits.speech_parameters(voice.model), parameters or {})
    except InvalidInput as wrong:
        fields |= {name: list(sentences) for name, sentences in wrong.fields.items()}
    if fields:
        raise InvalidInput(fields=fields)
    return SpeechOrder(
        owner=owner,
        voice=voice,
        text=text,
        audio_format=audio_format,
        sample_rate=sample_rate,
        options=settings,
        characters=characters,
        token_id=token_id,
    )


def said_before(order: SpeechOrder) -> SynthesisJob | None:
    """The earlier job that answers it, by the rows alone. One query, and none where the voice answers no repeats."""
    return repeats.kept(_row(order, mode=Mode.STREAM)) if order.voice.answers_repeats else None


def kept_for(order: SpeechOrder) -> SynthesisJob | None:
    """The earlier job that answers it, its audio whole and still stored. Asks the storage: not within a transaction."""
    found = said_before(order)
    return found if found is not None and repeats.is_stored(found) else None


@dataclass(frozen=True, slots=True)
class Begun:
    """A job whose intent to speak is committed, and in how many seconds it may leave: its slot in the account's rate. Or a
    repeat, which has ended: there is only something to be heard."""

    job: SynthesisJob
    wait: float = 0.0


def begin(order: SpeechOrder, *, pk: uuid.UUID | None = None, of: SynthesisJob | None = None) -> Begun:
    """Take what speaking uses up, and write the row and the intent to speak: one transaction, and no waiting in it. With `of`, as
    `kept_for` found it, nothing is used up.

    Raises as `record` does, and Busy also when the account rests.
    """
    if of is not None and repeats.answer(repeat := _row(order, mode=Mode.STREAM, pk=pk), of):
        return Begun(repeat)
    return _begin([_drafted(order, mode=Mode.STREAM, pk=pk)])[0]


def begin_together(orders: Sequence[SpeechOrder]) -> list[Begun | Exception]:
    """The same for many in one transaction, each with what `begin` would raise for it; whoever is refused holds up nobody.

    That is OperationalError or InterfaceError where the database is the reason. It may have committed all the same, and others may
    have begun: asked again, they would be begun twice, and what was never sent would be counted.
    """
    drafts = [_drafted(order, mode=Mode.STREAM) for order in orders]
    # An account whose circuit is being tried lets one out at most.
    at_once = [draft for draft in drafts if draft.voice.account.circuit == ProviderAccount.Circuit.CLOSED]
    begun: dict[uuid.UUID, Begun | Exception] = {}
    away: Exception | None = None
    if len(at_once) > 1:
        together = _outcome(at_once)
        # Where one of them is in the way, each is told by itself what is in its own way.
        if isinstance(together, list):
            begun = {each.job.pk: each for each in together}
        elif isinstance(together, DATABASE_IS_AWAY):
            away = together
    for draft in drafts:
        if draft.pk not in begun:
            alone = _outcome([draft]) if away is None else away
            away = alone if isinstance(alone, DATABASE_IS_AWAY) else away
            begun[draft.pk] = alone[0] if isinstance(alone, list) else alone
    return [begun[draft.pk] for draft in drafts]


def _outcome(drafts: Sequence[SynthesisJob]) -> list[Begun] | Exception:
    try:
        return _begin(drafts)
    except Exception as error:
        return error


def _begin(drafts: Sequence[SynthesisJob]) -> list[Begun]:
    by_account: dict[int, list[SynthesisJob]] = {}
    for draft in drafts:
        by_account.setdefault(draft.voice.account_id or 0, []).append(draft)
    waits: dict[uuid.UUID, float] = {}
    with _recording(drafts):
        # In one order, or two processes would wait for each other.
        for _account_id, theirs in sorted(by_account.items()):
            slots = leave.reserve(theirs[0].voice.account, "synthesis", calls=len(theirs))
            waits |= {draft.pk: slot for draft, slot in zip(theirs, slots, strict=True)}
    return [Begun(draft, waits[draft.pk]) for draft in drafts]


def refuse(job: SynthesisJob, error: ProviderError | PortalError) -> None:
    """Nothing was heard of a stream, and this is why: close its books."""
    leave.learn(job.voice.account, "synthesis", error)
    ending.end(job, error)


def hold(order: SpeechOrder) -> None:
    """Take what speaking uses up before it is used: a slot in the account's rate. Raises Busy, also when the account rests."""
    leave.ask(order.voice.account, "synthesis")


def record(
    order: SpeechOrder, *, mode: SynthesisJob.Mode, pk: uuid.UUID | None = None, batch: uuid.UUID | None = None
) -> SynthesisJob:
    """The row and its hold in the ledger, before anything is sent: one transaction of three statements.

    A streamed one is already in our hands; a background one waits for a worker. Raises LimitReached, AccountExhausted or Busy.
    """
    job = _drafted(order, mode=mode, pk=pk, batch=batch)
    with _recording([job]):
        pass
    return job


def _drafted(
    order: SpeechOrder, *, mode: SynthesisJob.Mode, pk: uuid.UUID | None = None, batch: uuid.UUID | None = None
) -> SynthesisJob:
    now = timezone.now()
    job = _row(order, mode=mode, pk=pk, batch=batch)
    job.due_at, job.repeat_key = now, repeats.key_of(job)
    if mode == Mode.STREAM:
        # due_at: whoever finds this row with its lease run out knows that its process died.
        job.state, job.started_at = State.RUNNING, now
        job.lease_token, job.lease_until = uuid.uuid4(), now + LEASE
        job.intent, job.intent_at = INTENT, now
    return job


def _row(
    order: SpeechOrder, *, mode: SynthesisJob.Mode, pk: uuid.UUID | None = None, batch: uuid.UUID | None = None
) -> SynthesisJob:
    """What was asked for, in no table yet."""
    return drafted(
        SynthesisJob,
        id=pk or uuid.uuid4(),
        owner=order.owner,
        token_id=order.token_id,
        voice=order.voice,
        provider=order.voice.provider,
        model=order.voice.model,
        mode=mode,
        text=order.text,
        options=dict(order.options),
        audio_format=order.audio_format,
        sample_rate=order.sample_rate,
        characters_expected=order.characters,
        pieces=len(order.pieces),
        batch=batch,
    )


@contextmanager
def _recording(drafts: Sequence[SynthesisJob]) -> Iterator[None]:
    """The transaction that holds what these take and writes their rows, around what else belongs into it."""
    claims = [
        ledger.speech(
            job.pk,
            owner_id=job.owner_id,
            voice=job.voice,
            characters=job.characters_expected,
            model=job.model,
            token_id=job.token_id,
        )
        for job in drafts
    ]
    with ledger.holding(*claims):
        plain_sql.insert(*drafts)
        yield
    for job in drafts:
        logbook.note(job=job.pk, voice=job.voice_id, provider=job.provider)


def cancel(job: SynthesisJob) -> None:
    """Stop a job that waits or speaks. One that speaks stops at its next chunk; what was spoken is counted.

    Raises WrongState when it has already ended.
    """
    kept = failures.kept(Cancelled())
    event = JobEvent(row=job, kind="cancelled")
    waiting, speaking = {State.QUEUED}, SynthesisJob.objects.filter(pk=job.pk, state=State.RUNNING)
    # A worker may have moved it since it was read, and may move it back: to wait for another try.
    while job.in_progress:
        now = timezone.now()
        with transaction.atomic():
            if move(job, states=waiting, event=event, state=State.CANCELLED, due_at=None, finished_at=now, **kept):
                ending.close_books(SynthesisJob.objects.get(pk=job.pk))
                return
        if speaking.update(cancel_requested_at=now):
            return
        job.refresh_from_db(fields=["state"])
    raise WrongState(_("This has already ended; there is nothing left to cancel."))


def take_up_now(job: SynthesisJob) -> None:
    """An operator does not want to wait for the next try or the next sweep. Raises WrongState when nothing waits."""
    now = timezone.now()
    waits = SynthesisJob.objects.filter(Q(lease_until=None) | Q(lease_until__lt=now), pk=job.pk, due_at__isnull=False)
    if not waits.update(due_at=now):
        raise WrongState(_("This job has ended or is being spoken, so there is nothing to take up."))
    wake(ADVANCE, job.pk, queue=Queue.SLOW, timeout=TASK_SECONDS)


def delete(job: SynthesisJob) -> None:
    """Erase the text and the audio, of which repeats have no other; the count of characters stays, since they were paid.

    Raises WrongState while it runs.
    """
    if job.in_progress:
        raise WrongState(_("This is still being spoken. Cancel it first, then delete it."))
    if job.repeat_key is not None:
        # Before its file goes: nobody begins to repeat it any more.
        SynthesisJob.objects.filter(pk=job.pk).update(repeat_key=None)
    if job.audio.name and not job.is_repeat:
        # Before its row, so that no file is left that no row knows of, whatever happens in between.
        job.audio.storage.delete(job.audio.name)
    pieces.forget(job)
    with transaction.atomic():
        erased: dict[str, Any] = {"text": "", "marks": [], "audio": "", "repeat_key": None}
        SynthesisJob.objects.filter(pk=job.pk).update(deleted_at=timezone.now(), **erased)
        repeats.forget(job)
        ledger.release(job.pk, Purpose.AUDIO)


def audio_of(job: SynthesisJob) -> FieldFile:
    """What was spoken, as a stored file. Raises AudioNotReady while there may still be one, NoAudio when there will be none."""
    if job.in_progress:
        raise AudioNotReady
    if not job.has_audio:
        raise NoAudio(_GONE if job.is_repeat else None)
    return job.audio


def marks_of(job: SynthesisJob) -> list[dict[str, Any]]:
    """When each word was spoken. Raises AudioNotReady while it may still be told, NoWordTimes when it will not be."""
    if job.in_progress:
        raise AudioNotReady
    if not job.marks:
        raise NoWordTimes
    return list(job.marks)


def look_at(job: SynthesisJob) -> None:
    """Somebody is waiting for this job: if its wake-up was lost or its process died, do not wait for the sweep."""
    if job.due_at is None:
        return
    if SynthesisJob.objects.due().filter(pk=job.pk).exists() and cache.add(f"woken:{job.pk}", 1, 5):
        wake(ADVANCE, job.pk, queue=Queue.SLOW, timeout=TASK_SECONDS)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What an order would take: characters by the provider's way of counting, and CNY at today's price."""

    characters: int
    cost: Decimal


def estimate(order: SpeechOrder) -> Estimate:
    """Nothing is held, sent or written."""
    price = pricing.of_characters(order.voice.account, order.voice.model)
    return Estimate(order.characters, pricing.in_yuan(pricing.cost_of(order.characters, price)))
