"""What a person says when making, naming or training a voice. Limits come from Traits, rules from the services."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from voices.consent import STATEMENT
from voices.engines import Engine
from voices.errors import ConsentMissing
from voices.models import VoiceClone
from voices.parameter_forms import ParametersForm
from voices.providers.base import Traits
from voices.reading import NOT_OFFERED
from voices.samples import too_large

NO_RECORDING = _("Record your voice, or choose a file.")
LANGUAGES_OF_PAGES = {"zh-hans": "zh", "en": "en"}


class RecordingForm(forms.Form):
    """A recording with the consent to use it, and which text was read aloud in it, where its provider wants to know.

    `cut_off`: the upload was too large to be read at all.
    """

    sample = forms.FileField(
        label=_("Recording"), allow_empty_file=True, max_length=None, error_messages={"required": NO_RECORDING}
    )
    reading = forms.CharField(label=_("Text read aloud"), required=False)
    consent = forms.BooleanField(label=STATEMENT, error_messages={"required": ConsentMissing.default_sentence})

    def __init__(self, *args: Any, traits: Traits | None = None, cut_off: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.traits = traits
        if cut_off:
            self.fields["sample"].error_messages["required"] = too_large().sentence

    def clean(self) -> dict[str, Any]:
        if self.traits is not None and self.traits.needs_reading_text and not self.cleaned_data.get("reading"):
            self.add_error("reading", str(NOT_OFFERED))
        return self.cleaned_data


class NewVoiceForm(RecordingForm):
    name = forms.CharField(
        label=_("Name"),
        max_length=VoiceClone._meta.get_field("name").max_length,
        error_messages={"required": _("Please give the voice a name.")},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    engine = forms.ChoiceField(label=_("Provider and model"))
    language = forms.ChoiceField(label=_("Language of the recording"))

    field_order = ["name", "language", "engine", "sample", "reading", "consent"]

    def __init__(self, offered: list[Engine], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offered = {engine.slug: engine for engine in offered}
        _offer(self, offered)
        self.parameters = {engine.slug: self._parameters_of(engine) for engine in offered}

    @property
    def chosen_engine(self) -> Engine | None:
        """The one that is chosen, or preselected."""
        return self.offered.get(str(self["engine"].value() or ""))

    @property
    def texts_of(self) -> list[Traits]:
        """The providers on offer that compare the recording with a text of theirs."""
        return texts_of(*(engine.traits for engine in self.offered.values()))

    def settings(self) -> Iterator[tuple[Engine, ParametersForm]]:
        """Every engine with what can be set for it."""
        return ((engine, self.parameters[slug]) for slug, engine in self.offered.items())

    @property
    def own_parameters(self) -> ParametersForm:
        """Of the chosen engine; only after `is_valid`."""
        return self.parameters[self.cleaned_data["engine"]]

    def clean(self) -> dict[str, Any]:
        engine = self.cleaned_data.get("engine")
        if engine is not None:
            self.traits = self.offered[engine].traits
            if not self.parameters[engine].is_valid():
                self.add_error(None, _("Please look at the settings of the provider again."))
        return super().clean()

    def order(self) -> dict[str, Any]:
        """For `services.create_voice`."""
        chosen = self.offered[self.cleaned_data["engine"]]
        return {
            "name": self.cleaned_data["name"],
            "provider": chosen.traits.slug,
            "model": chosen.model.slug,
            "language": self.cleaned_data["language"],
            "recording": self.cleaned_data["sample"],
            "filename": self.cleaned_data["sample"].name,
            "enrollment": self.own_parameters.chosen,
            "reading_id": self.cleaned_data["reading"],
        }

    def _parameters_of(self, engine: Engine) -> ParametersForm:
        parameters = engine.traits.enrollment_parameters(engine.model.slug)
        return ParametersForm(parameters, self.data if self.is_bound else None, prefix=engine.prefix)


class ImportForm(forms.Form):
    """A voice that was trained elsewhere, with the consent to use it."""

    name = forms.CharField(
        label=_("Name"),
        max_length=VoiceClone._meta.get_field("name").max_length,
        error_messages={"required": _("Please give the voice a name.")},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    remote_id = forms.CharField(
        label=_("Id at the provider"),
        max_length=VoiceClone._meta.get_field("remote_id").max_length,
        help_text=_(
            "As the provider's console or answer shows it. The voice must be of the account that this site uses."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    engine = forms.ChoiceField(
        label=_("Provider and model"),
        help_text=_("The model that the voice was trained with: it speaks with no other."),
    )
    language = forms.ChoiceField(label=_("Language of the recording"))
    consent = forms.BooleanField(label=STATEMENT, error_messages={"required": ConsentMissing.default_sentence})

    def __init__(self, offered: list[Engine], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offered = {engine.slug: engine for engine in offered}
        _offer(self, offered)

    @property
    def silent(self) -> list[Traits]:
        """The providers on offer whose voices cannot be given texts to speak."""
        offered = {engine.traits.slug: engine.traits for engine in self.offered.values()}
        return [traits for traits in offered.values() if not traits.can_synthesize]

    def order(self) -> dict[str, Any]:
        """For `services.import_voice`."""
        chosen = self.offered[self.cleaned_data["engine"]]
        given = {name: self.cleaned_data[name] for name in ("name", "remote_id", "language")}
        return {**given, "provider": chosen.traits.slug, "model": chosen.model.slug}


class RenameForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        max_length=VoiceClone._meta.get_field("name").max_length,
        error_messages={"required": _("Please give the voice a name.")},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


def texts_of(*asked: Traits) -> list[Traits]:
    """Those of the providers that compare the recording with a text of theirs, each once."""
    return list({traits.slug: traits for traits in asked if traits.needs_reading_text}.values())


def _offer(form: forms.Form, offered: list[Engine]) -> None:
    """Fill in what there is to choose from: engines, and all languages that any of them knows."""
    spoken = {choice.value: choice.label for engine in offered for choice in engine.model.languages}
    engine, language = form.fields["engine"], form.fields["language"]
    assert isinstance(engine, forms.ChoiceField)
    assert isinstance(language, forms.ChoiceField)
    engine.choices = [(each.slug, each.label) for each in offered]
    engine.initial = offered[0].slug if offered else None
    language.choices, language.initial = list(spoken.items()), LANGUAGES_OF_PAGES.get(get_language() or "")
