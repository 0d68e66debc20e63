"""A service's refusal, shown where it belongs: at the fields of the form that asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django import forms

from voices.errors import InvalidInput, PortalError
from voices.providers.errors import ProviderError


@contextmanager
def shown_in(*asked: forms.Form, names: Mapping[str, str] | None = None) -> Iterator[None]:
    """What the block refuses becomes errors of the first form, or of the one that has the field. `names` says under which
    field of the form the service's field stands."""
    try:
        yield
    except InvalidInput as wrong:
        for name, sentences in wrong.fields.items():
            field = (names or {}).get(name, name)
            form = next((each for each in asked if field in each.fields), asked[0])
            for sentence in sentences:
                form.add_error(field if field in form.fields else None, str(sentence))
    except (PortalError, ProviderError) as error:
        asked[0].add_error(None, str(error.sentence))
