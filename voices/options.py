"""What a person may turn, held against what the provider declares: types, ranges, choices."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from voices.errors import InvalidInput
from voices.providers.base import OptionValue, Parameter, Traits, VoiceModel

if TYPE_CHECKING:
    from voices.errors import Sentence

# Control characters and lone surrogates: PostgreSQL stores neither NUL nor a half of a pair, and no provider takes them.
UNPRINTABLE = {"Cc", "Cs"}
TRUE, FALSE = {"true", "1", "on", "yes"}, {"false", "0", "off", "no"}


def valid_model(traits: Traits, slug: str) -> VoiceModel:
    """A model that a voice can be trained with. Raises InvalidInput."""
    trained = {model.slug: model for model in traits.trained_models}
    try:
        return trained[slug]
    except KeyError:
        offered = ", ".join(trained)
        sentence = format_lazy(_("There is no such model. Choose one of: {offered}."), offered=offered)
        raise InvalidInput(fields={"model": [sentence]}) from None


def valid_language(model: VoiceModel, language: str) -> str:
    offered = [choice.value for choice in model.languages]
    if language not in offered:
        sentence = format_lazy(
            _("This model does not know that language. Choose one of: {offered}."), offered=", ".join(offered)
        )
        raise InvalidInput(fields={"language": [sentence]})
    return language


def validated(parameters: Iterable[Parameter], given: Mapping[str, Any]) -> dict[str, OptionValue]:
    """What was given, in the parameters' own types; what was not given stays out. Raises InvalidInput naming each field.

    An empty string or None counts as not given. A name that no parameter has is refused: a wrong field name that is
    silently ignored costs its user an hour.
    """
    known = {parameter.name: parameter for parameter in parameters}
    fields: dict[str, list[Sentence]] = {
        name: [_("This voice's model does not take this parameter. Leave it out.")]
        for name in given
        if name not in known
    }
    values: dict[str, OptionValue] = {}
    for name, parameter in known.items():
        value = given.get(name)
        if value is None or value == "":
            continue
        try:
            values[name] = _converted(parameter, value)
        except ValueError as error:
            fields[name] = [error.args[0]]
    if fields:
        raise InvalidInput(fields=fields)
    return values


def _converted(parameter: Parameter, value: Any) -> OptionValue:
    """Raises ValueError with the sentence to show."""
    match parameter.kind:
        case "boolean":
            return _boolean(value)
        case "integer" | "number":
            return _number(parameter, value)
        case "choice":
            offered = [choice.value for choice in parameter.choices]
            if str(value) not in offered:
                raise ValueError(format_lazy(_("Choose one of: {offered}."), offered=", ".join(offered)))
            return str(value)
        case "text":
            if not isinstance(value, str | int | float):
                raise ValueError(_("Give text."))
            text = str(value).strip()
            if any(unicodedata.category(character) in UNPRINTABLE for character in text if character not in "\n\r\t"):
                raise ValueError(_("This holds characters that are no text. Type it anew."))
            if parameter.max_length is not None and len(text) > parameter.max_length:
                raise ValueError(
                    format_lazy(
                        _("At most {longest} characters; this has {length}."),
                        longest=parameter.max_length,
                        length=len(text),
                    )
                )
            return text


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in TRUE | FALSE:
        return str(value).lower() in TRUE
    raise ValueError(_("Give true or false."))


def _number(parameter: Parameter, value: Any) -> OptionValue:
    if isinstance(value, bool):
        raise ValueError(_("Give a number."))
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(_("Give a number.")) from None
    if not math.isfinite(number):
        raise ValueError(_("Give a number."))
    if parameter.kind == "integer" and number != int(number):
        raise ValueError(_("Give a whole number."))
    low, high = parameter.minimum, parameter.maximum
    if low is not None and high is not None and not low <= number <= high:
        raise ValueError(format_lazy(_("Give a number from {low} to {high}."), low=f"{low:g}", high=f"{high:g}"))
    return int(number) if parameter.kind == "integer" else number
