"""The toy's codes, once: the help page reads them and the typed errors are looked up in them."""

from __future__ import annotations

from functools import partial

from tests.toy_provider.traits import SLUG
from voices.providers.book import BookEntry, found
from voices.providers.errors import CredentialsRejected, ProviderError, Refused, TextRejected, VoiceNotFound

_entry = partial(BookEntry, SLUG)

BOOK: tuple[BookEntry, ...] = (
    _entry("account", "T-1", CredentialsRejected, "The key opens no toy box.", "Look for another key."),
    _entry("training", "T-404", VoiceNotFound, "The toy has lost this voice.", "Train it again."),
    _entry(
        "synthesis",
        "T-9",
        TextRejected,
        "A toy whistles no question marks.",
        "Leave the question mark out.",
        "The toy cannot whistle this. Please ask nothing.",
    ),
)


def refused(*services: str, code: str, message: str, request_id: str) -> ProviderError:
    entry = found(BOOK, *services, "account", code=code, message=message)
    if entry is not None:
        return entry.error(message, request_id=request_id)
    return Refused(message, provider=SLUG, provider_code=code, request_id=request_id)
