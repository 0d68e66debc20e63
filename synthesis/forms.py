"""How a text is to be spoken: the format, the sample rate and whatever the voice's model lets one turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from voices.engines import Engine
from voices.models import VoiceClone
from voices.parameter_forms import ParametersForm

PLAYED_FIRST = "wav"
"""The page plays it from the first chunk on, in every browser."""

FORMATS = {
    "wav": _("WAV: sounds at once"),
    "mp3": _("MP3: small files"),
    "opus": _("Opus: smallest files"),
    "pcm": _("PCM: for programs"),
}


class MannerForm(ParametersForm):
    """Of one model. A page that asks for nothing in particular may leave the whole of it out."""

    audio_format = forms.CharField(required=False, label=_("Format"))
    sample_rate = forms.IntegerField(required=False, label=_("Sample rate"))

    def __init__(self, engine: Engine, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(engine.traits.speech_parameters(engine.model.slug), data, prefix=engine.prefix)
        self.engine = engine
        self.given = any(name.startswith(f"{engine.prefix}-") for name in data or ())
        offered = [name for name in engine.traits.audio_formats if name in engine.model.audio_formats]
        self.default_format = PLAYED_FIRST if PLAYED_FIRST in offered else engine.traits.default_format
        offered.sort(key=lambda name: name != self.default_format)
        self.fields["audio_format"].widget = forms.Select(
            choices=[(name, FORMATS.get(name, name.upper())) for name in offered]
        )
        self.fields["audio_format"].initial = self.default_format
        self.fields["sample_rate"].widget = forms.Select(
            choices=[(rate, f"{rate / 1000:g} kHz") for rate in engine.traits.sample_rates]
        )
        self.fields["sample_rate"].initial = engine.traits.default_sample_rate

    def wish(self) -> dict[str, Any]:
        """For `services.check`; only after `is_valid`."""
        if not self.given:
            return {"audio_format": self.default_format}
        return {
            "audio_format": self.cleaned_data["audio_format"] or self.default_format,
            "sample_rate": self.cleaned_data["sample_rate"],
            "parameters": self.chosen,
        }


def engine_of(voice: VoiceClone) -> Engine:
    return Engine(voice.traits, voice.traits.model(voice.model))
