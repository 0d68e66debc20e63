"""What the speech service of the experiment answers, in our words.

It publishes neither codes nor bodies, so the HTTP status decides, and an error frame within a stream is carried as it comes.
"""

from __future__ import annotations

from functools import partial

from django.utils.translation import gettext_lazy as _

from voices.providers.book import BookEntry, found
from voices.providers.errors import (
    AccountBlocked,
    CredentialsRejected,
    InvalidRequest,
    ProviderError,
    ProviderTrouble,
    RateLimited,
    Refused,
    VoiceNotUsable,
)
from voices.providers.qiniu.traits import SLUG

SPEECH = "speech"
NOT_LISTED = "not-listed"

_entry = partial(BookEntry, SLUG, SPEECH)

SPEECH_BOOK: tuple[BookEntry, ...] = (
    _entry(
        NOT_LISTED,
        VoiceNotUsable,
        _("Not a code: the speech service does not name this voice in its list, so nothing was sent to it."),
        _(
            "Nothing can be changed here: whether it lists cloned voices is the provider's decision. Ask it, or listen to the demo."
        ),
        _(
            "Qiniu's speech service does not list this voice, so nothing was sent: it might have answered with somebody else's "
            "voice. Its demo can still be heard."
        ),
    ),
    _entry(
        "400",
        VoiceNotUsable,
        _("The voice, the text or a parameter was refused; the provider does not publish which codes it has."),
        _("Look at the provider's words in the ticket. The same text by another voice shows whether it is the voice."),
        _("Qiniu's speech service refused this voice or this text. Please try another text, or another voice."),
    ),
    _entry(
        "401",
        CredentialsRejected,
        _("The API key of the speech service is wrong, missing or has expired. It is not that of the voice clones."),
        _("Make a key for AI inference in the provider's console and set it as QINIU_TTS_API_KEY."),
    ),
    _entry(
        "403",
        AccountBlocked,
        _("The key may not use the speech service."),
        _("Ask the provider to open speech synthesis for this key."),
    ),
    _entry(
        "404",
        InvalidRequest,
        _("The address is not that of the speech service."),
        _("Correct QINIU_TTS_URL."),
    ),
    _entry("429", RateLimited, _("Too many calls at once."), _("Nothing: the portal waits and goes on.")),
    _entry(
        "500",
        ProviderTrouble,
        _("Something failed inside the speech service."),
        _("Nothing: the portal tries again while nothing was heard. If it goes on, ask the provider."),
    ),
)


def not_listed() -> ProviderError:
    (entry,) = (entry for entry in SPEECH_BOOK if entry.code == NOT_LISTED)
    return entry.error("the id is not in the list of voices")


def list_refused(error: ProviderError) -> ProviderError:
    """What a failure to get the list means; what is not the provider's clear no stays what it is."""
    if not isinstance(error, Refused) or error.http_status is None:
        return error
    return handshake_refused(http_status=error.http_status, message=error.detail, retry_after=error.retry_after)


def handshake_refused(*, http_status: int, message: str, retry_after: float | None = None) -> ProviderError:
    """`message` is redacted already."""
    entry = found(SPEECH_BOOK, SPEECH, code=str(http_status))
    if entry is not None:
        return entry.error(message, http_status=http_status, retry_after=retry_after)
    kind: type[ProviderError] = ProviderTrouble if http_status >= 500 else Refused
    return kind(message, provider=SLUG, http_status=http_status)


def broken_off(*, code: str, message: str, request_id: str, audio_heard: bool) -> ProviderError:
    """An error in the place of audio. What can be said again is said again only while nothing was heard."""
    return ProviderTrouble(message, provider=SLUG, provider_code=code, request_id=request_id, retryable=not audio_heard)
