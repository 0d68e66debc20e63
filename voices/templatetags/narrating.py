"""What templates ask about voices and recordings, and about errors that were kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django import template

from voices import demo, failures, narration
from voices.engines import Engine
from voices.models import VoiceClone, VoiceEvent, VoiceSample
from voices.narration import Ability, Figure
from voices.providers.base import Traits
from voices.verdict import Finding

if TYPE_CHECKING:
    from voices.errors import Sentence

register = template.Library()


@register.filter
def kept_sentence(sentence: str) -> str:
    """`{{ voice.error_sentence|kept_sentence }}`: in the reader's language."""
    return failures.shown(sentence)


@register.filter
def what_happened(event: VoiceEvent) -> Sentence:
    return narration.what_happened(event)


@register.filter
def now_says(voice: VoiceClone) -> Sentence:
    return narration.now_says(voice)


@register.filter
def what_to_do(voice: VoiceClone) -> Sentence:
    return narration.what_to_do(voice)


@register.filter
def warnings(traits: Traits) -> list[Sentence]:
    return narration.warnings(traits)


@register.filter
def abilities(traits: Traits) -> Iterable[Ability]:
    return narration.abilities(traits)


@register.filter
def demo_of(voice: VoiceClone) -> bool:
    """Whether the provider has spoken a sentence of its own with the voice that can be heard here."""
    return demo.has_demo(voice)


@register.filter
def tone(voice: VoiceClone) -> str:
    return narration.tone(voice)


@register.filter
def findings(sample: VoiceSample) -> Iterable[Finding]:
    return narration.findings(sample)


@register.filter
def figures(sample: VoiceSample) -> Iterable[Figure]:
    return narration.figures(sample)


@register.filter
def language_label(voice: VoiceClone) -> Sentence:
    """What the provider calls the language of the voice's sample; its code where the model no longer names it."""
    for choice in voice.traits.model(voice.model).languages:
        if choice.value == voice.language:
            return choice.label
    return voice.language


@register.filter
def engine_label(voice: VoiceClone) -> str:
    """The provider and the model."""
    return Engine(voice.traits, voice.traits.model(voice.model)).label


@register.filter
def model_label(voice: VoiceClone) -> Sentence:
    return voice.traits.model(voice.model).label
