"""Speech in the background, beyond what one request of a provider takes: long texts, formats that we make, many texts at once."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from synthesis import cutting, pieces
from synthesis import text as texts
from synthesis.models import SynthesisJob
from synthesis.services import SpeechOrder, check, submit
from voices.errors import NotSupported, WrongState
from voices.models import Owner, VoiceClone

PIECE_CHARACTERS = 4_000
"""As the provider counts them. Smaller than most take, so that progress shows, others get their turn, and little is lost."""
MADE_FORMATS = ("flac", "aac", "opus", "mp3", "wav")
"""What we make of PCM for a job, where the provider does not speak it."""
MOST_TEXTS = 100
"""Of one batch."""


def submit_batch(
    orders: Sequence[SpeechOrder], *, of: Sequence[SynthesisJob | None]
) -> tuple[uuid.UUID, list[SynthesisJob]]:
    """Speak many texts in the background, or repeat `of` each what `kept_for` found: all of them are taken, or none. The batch's
    id, and its jobs in the texts' order."""
    batch = uuid.uuid4()
    with transaction.atomic():
        return batch, [submit(order, batch=batch, of=kept) for order, kept in zip(orders, of, strict=True)]


def check_long(
    owner: Owner,
    *,
    voice: VoiceClone,
    text: str,
    audio_format: str = "",
    sample_rate: int | None = None,
    parameters: Mapping[str, Any] | None = None,
    word_times: bool = False,
    token_id: int | None = None,
) -> SpeechOrder:
    """As `check`, for a job: the text may be longer than the provider takes at once, and the format one that we make.

    `word_times` asks for the time of each word, whatever the provider calls it. Raises as `check` does, and NotSupported where this
    voice's model tells no times.
    """
    traits = voice.traits
    wanted: dict[str, Any] = {"sample_rate": sample_rate, "parameters": dict(parameters or {}), "token_id": token_id}
    if word_times and traits.can_synthesize:
        wanted["parameters"] = _telling_times(voice) | wanted["parameters"]
    too_long = traits.can_synthesize and cutting.is_too_long(traits, voice.model, text)
    engine = traits.model(voice.model)
    made = audio_format in MADE_FORMATS and audio_format not in engine.audio_formats
    is_cut = too_long or traits.count_characters(text) > PIECE_CHARACTERS
    if not (made or is_cut) or cutting.SPOKEN_AS not in engine.audio_formats or (texts.is_markup(text) and too_long):
        return check(owner, voice=voice, text=text, audio_format=audio_format, **wanted)
    cut = cutting.pieces_of(traits, voice.model, text, most=PIECE_CHARACTERS)
    # What holds for the first piece holds for all: parameters, sample rate, and whether the voice can speak.
    order = check(owner, voice=voice, text=cut[0] if cut else text, audio_format=cutting.SPOKEN_AS, **wanted)
    return replace(
        order,
        text=text.strip(),
        audio_format=audio_format or traits.default_format,
        characters=traits.count_characters(text.strip()),
        pieces=cut,
    )


def retry(job: SynthesisJob, *, token_id: int | None = None, pk: uuid.UUID | None = None) -> SynthesisJob:
    """Speak the same text again, as a new job, which is never a repeat: the old one stays what it was. Pieces of a failed one that
    have been spoken already go over to the new one. Raises as `check` and `record` do."""
    if job.in_progress:
        raise WrongState(_("This is still being spoken. Wait for it to end, or cancel it first."))
    order = check_long(
        job.owner,
        voice=job.voice,
        text=job.text,
        audio_format=job.audio_format,
        sample_rate=job.sample_rate,
        parameters=job.options,
        token_id=token_id,
    )
    with transaction.atomic():
        again = submit(order, pk=pk)
        if order.pieces and job.pieces:
            pieces.take_over(again, job)
    return again


def _telling_times(voice: VoiceClone) -> dict[str, Any]:
    taken = {
        name: value for name, value in voice.traits.word_times.items() if name in voice.traits.model(voice.model).speech
    }
    if not taken:
        raise NotSupported(_("This voice's model does not tell when each word is spoken. Leave word times out."))
    return taken
