"""A voice as an order to its provider."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from voices import samples
from voices.errors import InvalidInput
from voices.models import VoiceClone
from voices.providers.base import VoiceOrder


def order_for(voice: VoiceClone) -> VoiceOrder:
    """What is asked of the provider, with an address for the recording that is good for a while. Raises StorageUnavailable."""
    sample = voice.sample
    if sample is None:
        raise InvalidInput(fields={"sample": [_("There is no recording left to train from. Please add a new one.")]})

    def read() -> bytes:
        with sample.prepared.open("rb") as prepared:
            return bytes(prepared.read())

    # Where it goes along in the call it is read now: no intent is declared yet, and a storage may be slow, or away.
    sent_along = None if voice.traits.needs_public_url else read()

    return VoiceOrder(
        tag=voice.tag,
        name=voice.name,
        model=voice.model,
        language=voice.language,
        sample_url=samples.sample_url(sample),
        sample=read if sent_along is None else lambda: sent_along,
        options=voice.options,
        reading=sample.reading_id,
    )
