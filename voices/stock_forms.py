"""Finding one among the stock voices: by a part of its name, its provider, or the language it speaks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from voices.models import VoiceQuerySet
from voices.providers import registry


class StockFilterForm(forms.Form):
    """What is not to be found among `offered` cannot be asked for; a wish that makes no sense is no wish."""

    q = forms.CharField(label=_("Part of the name"), required=False, max_length=60)
    provider = forms.ChoiceField(label=_("Provider"), required=False)
    language = forms.ChoiceField(label=_("Language"), required=False)

    def __init__(self, offered: VoiceQuerySet, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offered = offered
        every = list(offered.order_by("pk").values_list("provider", "model", "language"))
        providers = {slug: registry.traits(slug).label for slug, _model, _language in every}
        languages = {value: label for slug, model, _language in every for value, label in _spoken(slug, model)}
        used = {language for _slug, _model, language in every}
        self._offer("provider", providers.items())
        self._offer("language", ((value, label) for value, label in languages.items() if value in used))

    def found(self) -> VoiceQuerySet:
        self.is_valid()
        wanted = {name: value for name, value in self.cleaned_data.items() if value}
        rows = self.offered.select_related("account").order_by("created_at", "pk")
        if text := wanted.pop("q", ""):
            rows = rows.filter(name__icontains=text)
        return rows.filter(**wanted)

    def _offer(self, name: str, choices: Iterable[tuple[str, Any]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", _("All")), *choices]


def _spoken(provider: str, model: str) -> Iterable[tuple[str, Any]]:
    return ((choice.value, choice.label) for choice in registry.traits(provider).model(model).languages)
