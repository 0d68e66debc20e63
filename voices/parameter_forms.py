"""A provider's parameters as a form: drawn from `Traits`, checked by the same rule as the API (`options.validated`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from voices import options
from voices.errors import InvalidInput
from voices.providers.base import OptionValue, Parameter

LONG_TEXT = 200
"""Characters from which a text parameter gets several lines."""


@dataclass(frozen=True, slots=True)
class Row:
    """A parameter with its field, as a template draws it. `is_slider`: a number between two ends."""

    parameter: Parameter
    field: forms.BoundField

    @property
    def is_slider(self) -> bool:
        parameter = self.parameter
        return (
            parameter.kind in {"integer", "number"}
            and parameter.minimum is not None
            and parameter.maximum is not None
            and parameter.step is not None
            and (parameter.maximum - parameter.minimum) / parameter.step <= 400
        )


class ParametersForm(forms.Form):
    """What was left at the provider's own default stays out of `chosen`, so that nothing is sent without a reason."""

    def __init__(self, parameters: Sequence[Parameter], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parameters = parameters
        for parameter in parameters:
            self.fields[parameter.name] = _field(parameter)

    def clean(self) -> dict[str, Any]:
        given = {parameter.name: self.cleaned_data.get(parameter.name) for parameter in self.parameters}
        try:
            self.chosen = self._changed(options.validated(self.parameters, given))
        except InvalidInput as wrong:
            self.refuse(wrong)
        return self.cleaned_data

    def refuse(self, wrong: InvalidInput) -> None:
        for name, sentences in wrong.fields.items():
            for sentence in sentences:
                self.add_error(name if name in self.fields else None, str(sentence))

    def simple(self) -> Iterator[Row]:
        return (row for row in self._rows() if not row.parameter.advanced)

    def advanced(self) -> Iterator[Row]:
        return (row for row in self._rows() if row.parameter.advanced)

    def has_advanced(self) -> bool:
        return any(parameter.advanced for parameter in self.parameters)

    def _rows(self) -> Iterator[Row]:
        return (Row(parameter, self[parameter.name]) for parameter in self.parameters)

    def _changed(self, values: dict[str, OptionValue]) -> dict[str, OptionValue]:
        defaults = {parameter.name: parameter.default for parameter in self.parameters}
        return {name: value for name, value in values.items() if value != defaults[name]}


def _field(parameter: Parameter) -> forms.Field:
    """Shape only: ranges and choices are checked in `clean`, in the same words as everywhere."""
    common: dict[str, Any] = {
        "label": parameter.label,
        "help_text": parameter.help,
        "required": False,
        "initial": parameter.default,
    }
    match parameter.kind:
        case "boolean":
            return forms.BooleanField(**common)
        case "choice":
            choices = [("", _("Automatic")), *((choice.value, choice.label) for choice in parameter.choices)]
            return forms.CharField(widget=forms.Select(choices=choices), **common)
        case "integer" | "number":
            ends = {"min": parameter.minimum, "max": parameter.maximum, "step": parameter.step or "any"}
            attrs = {name: f"{end:g}" if isinstance(end, float) else end for name, end in ends.items()}
            return forms.CharField(
                widget=forms.NumberInput(attrs={name: end for name, end in attrs.items() if end is not None}), **common
            )
        case "text":
            long = (parameter.max_length or 0) > LONG_TEXT
            return forms.CharField(widget=forms.Textarea(attrs={"rows": 2}) if long else forms.TextInput(), **common)
