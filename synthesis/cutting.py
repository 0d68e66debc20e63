"""A text in pieces that its provider takes one by one, by the provider's own way of counting. For jobs and for streams."""

from __future__ import annotations

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from synthesis import text as texts
from voices.errors import InvalidInput
from voices.providers.base import Traits

SPOKEN_AS = "pcm"
"""What is spoken in pieces comes as this, so that nothing has to be decoded to join it."""
LONGEST_TEXT = 100_000
"""Of what is cut, in characters as the provider counts them: some hours of sound."""


def is_too_long(traits: Traits, model: str, text: str) -> bool:
    """For one request of this provider's."""
    longest, most_bytes = traits.text_limits(model)
    counted = traits.count_characters(text)
    return counted > longest or (most_bytes is not None and len(text.encode(errors="replace")) > most_bytes)


def longest_text(traits: Traits, model: str) -> int:
    """In one request to us, as the provider counts it."""
    longest, _most_bytes = traits.text_limits(model)
    return max(longest, LONGEST_TEXT) if can_be_cut(traits, model, "") else longest


def can_be_cut(traits: Traits, model: str, text: str) -> bool:
    return SPOKEN_AS in traits.model(model).audio_formats and not texts.is_markup(text)


def pieces_of(traits: Traits, model: str, text: str, *, most: int | None = None) -> list[str]:
    """`most` characters each at most, as the provider counts them; None: what it takes. Markup stays whole. Raises InvalidInput for
    what is too long even so."""
    longest, most_bytes = traits.text_limits(model)
    room = longest if most is None else min(longest, most)
    counted = traits.count_characters(text)
    if counted > LONGEST_TEXT:
        sentence = format_lazy(
            _(
                "This text counts {characters} characters, and {limit} are spoken at most. Please send it in several parts."
            ),
            characters=counted,
            limit=LONGEST_TEXT,
        )
        raise InvalidInput(fields={"text": [sentence]})

    def fits(piece: str) -> bool:
        return traits.count_characters(piece) <= room and (
            most_bytes is None or len(piece.encode(errors="replace")) <= most_bytes
        )

    return [text] if texts.is_markup(text) else texts.split(text.strip(), fits=fits)
