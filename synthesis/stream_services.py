"""A wish to hear speech at once, held against what its voice can do: the format is made where the provider does not speak it, and a
text that is too long for one request is spoken in pieces, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from synthesis import cutting
from synthesis.delivery import Delivery, plan
from synthesis.in_turn import Passage
from synthesis.models import SynthesisJob
from synthesis.services import SpeechOrder, check
from voices.models import Owner, VoiceClone


@dataclass(frozen=True, slots=True)
class StreamOrder:
    """What is asked of the provider, and how it leaves. `pieces`: none for what is spoken in one go."""

    order: SpeechOrder
    delivery: Delivery
    pieces: Sequence[Passage] = ()


def check_stream(
    owner: Owner,
    *,
    voice: VoiceClone,
    text: str,
    audio_format: str = "",
    sample_rate: int | None = None,
    parameters: Mapping[str, Any] | None = None,
    token_id: int | None = None,
    **manner: Any,
) -> StreamOrder:
    """`manner`: `bit_rate`, `speed`, `hints` and `word_times` of `delivery.plan`. Raises as that and `services.check` do."""
    text = text.strip()
    pieces = _pieces(voice, text)
    delivery = plan(
        voice.traits,
        voice.model,
        audio_format=audio_format,
        sample_rate=sample_rate,
        from_pcm=bool(pieces),
        **manner,
    )
    # What holds for the first piece holds for all: parameters, sample rate, and whether the voice can speak.
    order = check(
        owner,
        voice=voice,
        text=pieces[0].text if pieces else text,
        audio_format=delivery.source_format,
        sample_rate=delivery.source_rate,
        parameters={**delivery.parameters, **(parameters or {})},
        token_id=token_id,
    )
    if pieces:
        order = replace(order, text=text, characters=voice.traits.count_characters(text))
    return StreamOrder(order, delivery, pieces)


def pieces_of(job: SynthesisJob) -> Sequence[Passage]:
    """In which the text of a streamed job is spoken; none where it is spoken in one go."""
    return _pieces(job.voice, job.text)


def delivery_of(job: SynthesisJob, audio_format: str, sample_rate: int | None) -> Delivery:
    """How what a job is spoken in leaves in another format, or at another rate. Raises InvalidInput where it cannot."""
    if audio_format == job.audio_format and sample_rate in (None, job.sample_rate):
        sample_rate = job.sample_rate
        return Delivery(audio_format, sample_rate, audio_format, sample_rate)
    return plan(job.voice.traits, job.model, audio_format=audio_format, sample_rate=sample_rate, from_pcm=True)


def _pieces(voice: VoiceClone, text: str) -> Sequence[Passage]:
    traits = voice.traits
    if not traits.can_synthesize or not cutting.is_too_long(traits, voice.model, text):
        return ()
    if not cutting.can_be_cut(traits, voice.model, text):
        return ()
    cut = cutting.pieces_of(traits, voice.model, text)
    return [Passage(each, traits.count_characters(each)) for each in cut] if len(cut) > 1 else ()
