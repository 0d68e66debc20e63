"""Texts to read aloud, for providers that compare the recording with one. Asked for once an hour and account."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.cache import cache
from django.utils.translation import gettext_lazy as _

from voices import leave
from voices.errors import InvalidInput, NoAccount
from voices.models import ProviderAccount
from voices.providers import registry
from voices.providers.base import ReadingText

KEPT_SECONDS = 3600
NOT_OFFERED = _("Please choose one of the texts offered, and read exactly that one aloud.")


def texts(provider: str) -> Sequence[ReadingText]:
    """What may be read aloud; nothing where the provider takes any speech.

    Raises NoAccount, or Busy or ProviderError when the provider has to be asked and cannot be, or does not answer.
    """
    if not registry.traits(provider).needs_reading_text:
        return ()
    account = ProviderAccount.objects.filter(provider=provider, is_open=True).order_by("pk").first()
    if account is None:
        raise NoAccount
    key = f"reading-texts:{account.pk}"
    kept: Sequence[ReadingText] | None = cache.get(key)
    if kept is None:
        leave.ask(account, "enrollment")
        with leave.watched(account, "enrollment"):
            kept = tuple(account.client().cloning.reading_texts())
        cache.set(key, kept, KEPT_SECONDS)
    return kept


def chosen(provider: str, reading_id: str) -> ReadingText | None:
    """The text that was read. Raises InvalidInput when one is needed and this is none of them."""
    if not registry.traits(provider).needs_reading_text:
        return None
    for text in texts(provider):
        if text.id == reading_id:
            return text
    raise InvalidInput(fields={"reading": [NOT_OFFERED]})
