"""What can go wrong between us and a provider.

    ProviderError
    ├── Unreachable            nothing left this machine: no connection, so no effect
    ├── OutcomeUnknown         the request may have been acted on: time-out, reset, unreadable answer
    ├── StreamBroken           speech stopped before its end
    ├── ProviderTrouble        the provider says that it is unwell
    └── Refused                the provider gave a clear no
        ├── CredentialsRejected    wrong key, wrong region
        │   └── ClockSkewed            the key is right and our clock is not
        ├── AccountBlocked         unpaid, not activated, not granted
        ├── SlotsExhausted         no room for another voice
        ├── RateLimited            too fast; come back later
        ├── SampleRejected         this recording will not do
        ├── SampleUnreachable      the provider could not fetch the recording from us
        ├── VoiceNotFound          no such voice at the provider
        ├── VoiceNotUsable         the voice exists but cannot speak (now, or with this model)
        ├── VoiceNotDeletable      the provider keeps the voice, whoever asks
        ├── TextRejected           empty, too long, or refused by content review
        └── InvalidRequest         we asked wrongly

Wrong configuration on our side (an unknown provider, a credential that is missing) is `ConfigurationError`, outside the
tree on purpose: nobody should catch it together with a provider's mood.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    Sentence = str | _StrPromise


class Act(StrEnum):
    """Who has to do something before the same call can work."""

    USER = "user"
    OPERATOR = "operator"
    PROVIDER = "provider"


class ConfigurationError(Exception):
    """The portal itself is set up wrongly; the message names the setting to add."""


class ProviderError(Exception):
    """A call to a provider did not give what was asked for.

    `sentence` is for the person who asked (translated when shown); `detail` is the provider's own message, for operators.
    `retryable` says whether the same call may succeed later without anybody changing anything; `retry_after` in seconds,
    where the provider gave it.
    """

    code = "provider_error"
    retryable = False
    act = Act.PROVIDER
    default_sentence: Sentence = _("The provider could not do this. Please try again later.")

    def __init__(
        self,
        detail: str = "",
        *,
        provider: str,
        provider_code: str = "",
        request_id: str = "",
        http_status: int | None = None,
        sentence: Sentence | None = None,
        retryable: bool | None = None,
        retry_after: float | None = None,
        act: Act | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.provider = provider
        self.provider_code = provider_code
        self.request_id = request_id
        self.http_status = http_status
        self.sentence: Sentence = sentence or self.default_sentence
        self.retryable = type(self).retryable if retryable is None else retryable
        self.retry_after = retry_after
        self.act = act or type(self).act

    def __str__(self) -> str:
        evidence = [
            self.provider,
            self.code,
            self.provider_code,
            f"HTTP {self.http_status}" if self.http_status else "",
            f"request {self.request_id}" if self.request_id else "",
        ]
        head = " · ".join(part for part in evidence if part)
        return f"{head}: {self.detail}" if self.detail else head


class Unreachable(ProviderError):
    code = "provider_unreachable"
    retryable = True
    act = Act.OPERATOR
    default_sentence = _("The speech provider cannot be reached right now. We keep trying; nothing was used up.")


class OutcomeUnknown(ProviderError):
    code = "outcome_unknown"
    default_sentence = _("The provider did not answer clearly. We are checking what it did before going on.")


class StreamBroken(ProviderError):
    code = "stream_broken"
    default_sentence = _("The connection to the provider was lost while it was speaking. Please try again.")


class ProviderTrouble(ProviderError):
    code = "provider_trouble"
    retryable = True
    default_sentence = _("The provider has a problem of its own. Please try again later.")


class Refused(ProviderError):
    code = "provider_refused"


class CredentialsRejected(Refused):
    code = "credentials_rejected"
    act = Act.OPERATOR
    default_sentence = _("The speech service is not set up correctly. Please tell the operator of this site.")


class ClockSkewed(CredentialsRejected):
    """The signature was refused for its date; `detail` names the difference."""

    code = "clock_skewed"
    default_sentence = _(
        "The clock of this server is wrong, so the provider refuses every call. "
        "Please tell the operator of this site to set it."
    )


class AccountBlocked(Refused):
    code = "account_blocked"
    act = Act.OPERATOR
    default_sentence = _("The provider has paused this account. Please tell the operator of this site.")


class SlotsExhausted(Refused):
    code = "slots_exhausted"
    act = Act.OPERATOR
    default_sentence = _("No voice places are left at the provider. Please delete a voice you no longer need.")


class RateLimited(Refused):
    code = "rate_limited"
    retryable = True
    default_sentence = _("The provider is busy with many requests right now. Please try again in a moment.")


class SampleRejected(Refused):
    code = "sample_rejected"
    act = Act.USER
    default_sentence = _("The provider did not accept this recording. Please use another one.")


class SampleUnreachable(Refused):
    code = "sample_unreachable"
    retryable = True
    act = Act.OPERATOR
    default_sentence = _("We could not hand the recording over to the provider. We are trying again.")


class VoiceNotFound(Refused):
    code = "voice_not_found_at_provider"
    act = Act.USER
    default_sentence = _("This voice no longer exists at the provider. Train it again from its recording.")


class VoiceNotUsable(Refused):
    code = "voice_not_usable"
    act = Act.USER
    default_sentence = _("This voice cannot speak right now. Please choose another voice or train it again.")


class VoiceNotDeletable(Refused):
    code = "voice_not_deletable"
    act = Act.OPERATOR
    default_sentence = _("The provider never deletes this voice. It is gone from here; its place there stays taken.")


class TextRejected(Refused):
    code = "text_rejected"
    act = Act.USER
    default_sentence = _("The provider refused this text. Please change it and try again.")


class InvalidRequest(Refused):
    code = "invalid_provider_request"
    act = Act.OPERATOR
    default_sentence = _("Something went wrong on our side. Please tell the operator of this site.")
