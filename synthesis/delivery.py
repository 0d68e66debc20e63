"""What leaves and what is asked of the provider for it: the format it speaks itself where it can, otherwise PCM that is encoded
on the way; its own tempo as far as that goes, and the rest by stretching.

Arithmetic on Traits: neither a provider nor the database is touched, and PyAV is loaded only when an encoder is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import IO, TYPE_CHECKING, Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from voices.errors import InvalidInput
from voices.providers.base import Mark, Traits, VoiceModel

if TYPE_CHECKING:
    from synthesis.encoder import Encoder

ANY_RATE = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
# What the encoder makes of PCM, and the sample rates (Hz) at which it can leave.
RATES: Mapping[str, tuple[int, ...]] = {
    "mp3": ANY_RATE,
    "wav": ANY_RATE,
    "pcm": ANY_RATE,
    "flac": ANY_RATE,
    "aac": ANY_RATE,
    "opus": (48_000,),
    "mulaw": (8_000,),
    "alaw": (8_000,),
}
NATURAL = 1.0
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Delivery:
    """`audio_format` at `sample_rate` Hz leaves; the provider is asked for `source_format` at `source_rate`, with `parameters`.

    `tempo` is how many times faster than the provider speaks it is to be heard. `ignored` are the hints that this voice's model
    has no parameter for.
    """

    audio_format: str
    sample_rate: int
    source_format: str
    source_rate: int
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tempo: float = NATURAL
    bit_rate: int = 0
    ignored: tuple[str, ...] = ()

    @property
    def is_untouched(self) -> bool:
        """What the provider speaks leaves byte for byte."""
        return (self.audio_format, self.sample_rate, self.tempo) == (self.source_format, self.source_rate, NATURAL)

    def heard(self, marks: Sequence[Mark]) -> Sequence[Mark]:
        """When the words are heard, by when the provider speaks them."""
        if self.tempo == NATURAL:
            return marks
        return [
            replace(mark, begin_ms=round(mark.begin_ms / self.tempo), end_ms=round(mark.end_ms / self.tempo))
            for mark in marks
        ]

    def encoded(self, sound: IO[bytes]) -> Iterator[bytes]:
        """What leaves of what the provider spoke; closes `sound`."""
        encoder = self.encoder()
        with sound:
            while chunk := sound.read(_CHUNK):
                if ready := encoder.feed(chunk):
                    yield ready
        yield encoder.finish()

    def encoder(self) -> Encoder:
        """Made anew for each clip; loads PyAV the first time."""
        made: Encoder = import_module("synthesis.encoder").Encoder(
            source_rate=self.source_rate,
            audio_format=self.audio_format,
            sample_rate=self.sample_rate,
            bit_rate=self.bit_rate,
            tempo=self.tempo,
        )
        return made


def plan(
    traits: Traits,
    model: str,
    *,
    audio_format: str = "",
    sample_rate: int | None = None,
    bit_rate: int | None = None,
    speed: float | None = None,
    hints: Mapping[str, Any] | None = None,
    word_times: bool = False,
    from_pcm: bool = False,
) -> Delivery:
    """How a wish is met by a voice of this model. `speed` is a factor of the natural pace, `bit_rate` in bit/s and heeded where
    we encode. `hints` are parameters that are passed over where the model has none of the name; among them `instruction` and
    `language`, whatever the provider calls those. `from_pcm`: only PCM will do of the provider, since pieces are joined.

    A format that neither the provider nor we make is left for `services.check` to refuse. Raises InvalidInput for a sample rate
    or a speed that this format cannot have.
    """
    engine = traits.model(model)
    audio_format = audio_format or traits.default_format
    parameters, ignored = _taken(traits, engine, hints or {})
    if word_times:
        parameters |= {name: value for name, value in traits.word_times.items() if name in engine.speech}
    pace, tempo = _paced(traits, engine, speed or NATURAL)
    parameters |= pace
    is_spoken = audio_format in engine.audio_formats and (sample_rate is None or sample_rate in traits.sample_rates)
    can_be_made = audio_format in RATES and "pcm" in engine.audio_formats
    if tempo != NATURAL and not can_be_made:
        raise InvalidInput(
            fields={"speed": [_("This voice cannot speak at another speed in this format. Leave it out.")]}
        )
    as_it_is = is_spoken and (not from_pcm or audio_format == "pcm")
    if tempo == NATURAL and (as_it_is or not can_be_made):
        rate = sample_rate or traits.default_sample_rate
        return Delivery(audio_format, rate, audio_format, rate, parameters=parameters, ignored=ignored)
    rate = _leaving_rate(audio_format, sample_rate, usual=traits.default_sample_rate)
    return Delivery(
        audio_format,
        rate,
        source_format="pcm",
        source_rate=rate if rate in traits.sample_rates else traits.default_sample_rate,
        parameters=parameters,
        tempo=tempo,
        bit_rate=bit_rate or 0,
        ignored=ignored,
    )


def _leaving_rate(audio_format: str, sample_rate: int | None, *, usual: int) -> int:
    possible = RATES[audio_format]
    if sample_rate is None:
        return usual if usual in possible else possible[0]
    if sample_rate not in possible:
        offered = ", ".join(str(each) for each in possible)
        sentence = format_lazy(_("This format leaves at these sample rates: {offered}."), offered=offered)
        raise InvalidInput(fields={"sample_rate": [sentence]})
    return sample_rate


def _taken(traits: Traits, engine: VoiceModel, hints: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    words = {"instruction": traits.instruction_parameter, "language": traits.language_parameter}
    named = {hint: words.get(hint, hint) for hint in hints}
    taken = {named[hint]: value for hint, value in hints.items() if named[hint] in engine.speech}
    return taken, tuple(hint for hint in hints if named[hint] not in engine.speech)


def _paced(traits: Traits, engine: VoiceModel, speed: float) -> tuple[dict[str, Any], float]:
    """What is asked of the provider, and what is left to do by stretching."""
    pace = traits.pace
    if speed == NATURAL:
        return {}, NATURAL
    if pace is None or pace.parameter not in engine.speech:
        return {}, speed
    reached = min(max(speed, pace.slowest), pace.fastest)
    return {pace.parameter: pace.said(reached)}, speed / reached
