"""What a voice may be called."""

from __future__ import annotations

import unicodedata

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from voices.errors import InvalidInput
from voices.providers.base import Traits


def valid_name(name: str, traits: Traits) -> str:
    """The name as it is kept: composed, without spaces at its ends. Raises InvalidInput."""
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if not name:
        raise InvalidInput(fields={"name": [_("Please give the voice a name.")]})
    # What a provider counts is not always said: code points, or UTF-16 units. The stricter of the two fits both.
    if len(name.encode("utf-16-le")) // 2 > traits.max_name_length:
        sentence = format_lazy(
            _("Please choose a shorter name: {longest} characters at most."), longest=traits.max_name_length
        )
        raise InvalidInput(fields={"name": [sentence]})
    if not name.isprintable():
        raise InvalidInput(fields={"name": [_("Please use only letters, digits and signs in the name.")]})
    return name
