"""What the portal itself refuses, before or beside any provider.

PortalError                 has a `code` for programs and a `sentence` for people
├── InvalidInput            a field is wrong; `fields` says which
│   └── SampleRefused       the recording will not do; `findings` says why
├── ConsentMissing          nobody ticked the statement
├── WrongState              right request, wrong moment
│   └── VoiceNotReady       the voice cannot speak yet, or no more
├── NoSuchVoice             no voice of theirs has this id or name
├── NoSuchModel             no provider has this model
├── NotSupported            the provider cannot do this at all
├── NoAccount               no provider account is open for this
├── Exhausted               a cap is reached
│   ├── LimitReached        the asker's own or their token's: `quota` says what is used, what is left, when it begins anew
│   │   └── NoRoomLeft      waiting does not help: something has to be deleted, or the limit raised
│   └── AccountExhausted    the provider account's; `resets_at` says when it begins anew, where it does
├── Busy                    too much at once; `retry_after` seconds
│   ├── AccountPaused           an operator has paused the provider account
│   ├── CircuitOpen             the provider is unwell; we ask again by ourselves
│   └── KeyInUse                the first request with this Idempotency-Key is still under way
├── StorageUnavailable      the files' storage does not answer; `detail` is for operators
├── KeyReused               the Idempotency-Key belongs to another request
└── Fault                   ours: nobody foresaw what happened; never raised, only kept in a row
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    Sentence = str | _StrPromise


class PortalError(Exception):
    code = "refused"
    default_sentence: Sentence = _("This cannot be done.")

    def __init__(self, sentence: Sentence | None = None, *, code: str | None = None) -> None:
        self.sentence: Sentence = sentence or self.default_sentence
        self.code = code or type(self).code
        super().__init__(self.sentence)


class InvalidInput(PortalError):
    code = "invalid_input"

    def __init__(
        self, sentence: Sentence | None = None, *, fields: Mapping[str, Sequence[Sentence]], code: str | None = None
    ) -> None:
        first = next((sentences[0] for sentences in fields.values() if sentences), None)
        super().__init__(sentence or first, code=code)
        self.fields = fields


class SampleRefused(InvalidInput):
    """`reason` is the code of the first finding (voices/verdict.py)."""

    code = "sample_refused"

    def __init__(
        self, sentence: Sentence | None = None, *, fields: Mapping[str, Sequence[Sentence]], reason: str = ""
    ) -> None:
        super().__init__(sentence, fields=fields)
        self.reason = reason


class ConsentMissing(PortalError):
    code = "consent_missing"
    default_sentence = _("Please read and accept the consent statement: without it no recording goes to a provider.")


class WrongState(PortalError):
    code = "wrong_state"


class VoiceNotReady(WrongState):
    code = "voice_not_ready"
    default_sentence = _("This voice is not ready to speak. Please wait until its training has ended.")


class NoSuchVoice(PortalError):
    code = "voice_not_found"
    default_sentence = _(
        "None of your voices has this id or this name. Look at the list of your voices; the name has to be exact."
    )


class NoSuchModel(PortalError):
    code = "model_not_found"
    default_sentence = _("There is no such model here. Choose one of the list of models, or leave it to the voice.")


class NotSupported(PortalError):
    code = "not_supported"


class NoAccount(PortalError):
    code = "no_provider_account"
    default_sentence = _("No provider account is open for this right now. Please tell the operator of this site.")


class Exhausted(PortalError):
    code = "exhausted"


@dataclass(frozen=True, slots=True)
class Quota:
    """Where somebody stands with one measure, cost in millionths of a yuan. `used` includes what is held for work under way;
    `resets_at` is None for what only deleting gives back."""

    measure: str
    used: int
    limit: int
    asked: int
    resets_at: datetime | None

    @property
    def left(self) -> int:
        return max(self.limit - self.used, 0)


class LimitReached(Exhausted):
    code = "limit_reached"

    def __init__(
        self, sentence: Sentence | None = None, *, quota: Quota | None = None, code: str | None = None
    ) -> None:
        super().__init__(sentence, code=code)
        self.quota = quota


class NoRoomLeft(LimitReached):
    code = "no_room_left"


class AccountExhausted(Exhausted):
    code = "account_exhausted"

    def __init__(
        self, sentence: Sentence | None = None, *, resets_at: datetime | None = None, code: str | None = None
    ) -> None:
        super().__init__(sentence, code=code)
        self.resets_at = resets_at


class Busy(PortalError):
    code = "busy"
    default_sentence = _("Many requests right now. Please try again in a moment.")

    def __init__(self, sentence: Sentence | None = None, *, retry_after: float) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class AccountPaused(Busy):
    code = "account_paused"
    default_sentence = _(
        "The operator of this site has paused this provider for now. What is waiting goes on by itself afterwards."
    )


class CircuitOpen(Busy):
    code = "provider_resting"
    default_sentence = _(
        "The provider has failed several times in a row, so we leave it alone for a moment. We ask again by ourselves."
    )


class KeyInUse(Busy):
    code = "idempotency_key_in_use"
    default_sentence = _(
        "The first request with this Idempotency-Key is still being answered. Please ask again in a moment."
    )


class StorageUnavailable(PortalError):
    """Nothing could be stored, read or deleted there, and waiting helps. `detail` is the storage's own words, for operators:
    without the name of an object, and without an address that is signed."""

    code = "storage_unavailable"
    default_sentence = _(
        "Recordings and speech can be neither kept nor read at the moment. Please try again in a minute; if it stays so, tell "
        "the operator of this site."
    )
    retry_after = 30.0

    def __init__(self, detail: str) -> None:
        super().__init__()
        self.detail = detail


class KeyReused(PortalError):
    code = "idempotency_key_reused"
    default_sentence = _(
        "This Idempotency-Key was sent with another request before. Please send each new request with a key of its own."
    )


class Fault(PortalError):
    """What a row says of an error that nobody foresaw; the log has the error itself, since no detail of it may leave."""

    code = "internal"
    default_sentence = _("Something went wrong on our side. Please tell the operator of this site.")
