"""Qiniu's codes in our words.

The code is in the body; whether the HTTP status repeats it is not published (sibling pages: always 200), so the body wins and
the status decides only where there is no code. There are no codes of detail (name too long, no quota, still training): what a
400 means depends on what was asked, and `msg` is for people to read, never for us to decide by.
"""

from __future__ import annotations

from enum import StrEnum
from functools import partial

from django.utils.translation import gettext_lazy as _

from voices.providers.book import BookEntry, found
from voices.providers.errors import (
    AccountBlocked,
    Act,
    CredentialsRejected,
    InvalidRequest,
    OutcomeUnknown,
    ProviderError,
    ProviderTrouble,
    RateLimited,
    Refused,
    SampleRejected,
    SlotsExhausted,
    VoiceNotDeletable,
    VoiceNotFound,
)
from voices.providers.qiniu.traits import SLUG


class Call(StrEnum):
    CREATE = "create"
    TRAIN = "train"
    RENAME = "rename"
    GET = "get"
    LIST = "list"
    DELETE = "delete"
    QUOTA = "quota"


# Where a code means the same whatever was asked, and where what was asked decides.
ANY_CALL = "account"
PAID_TRAINING = "paid training"

_entry = partial(BookEntry, SLUG)

_REPORT = _("Pass the ticket on to whoever looks after this portal.")
_CHECK_ADDRESS = _("Correct the base URL on the provider account.")
_AGAIN = _(
    "Nothing: the portal tries again, or looks first whether the call took effect. If it goes on, ask the provider."
)
_WRONG_ADDRESS = _("Qiniu does not know what was asked. Please tell the operator of this site to check its address.")
_NOT_AN_API = _("The address is not that of the voice clone service.")

BOOK: tuple[BookEntry, ...] = (
    # --- what was asked decides ---
    _entry(
        Call.CREATE.value,
        "400",
        InvalidRequest,
        _("Model, language or tier of the new place were not accepted, or the account has no place left."),
        _("Look at the provider's words in the ticket and at the places left in the provider's console."),
        _("Qiniu did not make a place for this voice. Please tell the operator of this site."),
    ),
    _entry(Call.CREATE.value, "404", InvalidRequest, _NOT_AN_API, _CHECK_ADDRESS, _WRONG_ADDRESS),
    _entry(
        Call.TRAIN.value,
        "400",
        InvalidRequest,
        _("The name or the recording's address was not accepted, or the voice is still in training."),
        _("Wait until a running training has ended and train the voice again; otherwise pass the ticket on."),
        _(
            "Qiniu did not accept this training. If the voice is still being trained there, wait until that has ended; "
            "otherwise tell the operator of this site."
        ),
    ),
    _entry(
        Call.TRAIN.value,
        "Failed",
        SampleRejected,
        _("Not a code but a state: the training failed, and no reason is given."),
        _(
            "Use a clear recording of 10 to 60 seconds without noise, and see that its address can be reached from the internet."
        ),
        _(
            "Qiniu could not train this voice and does not say why. Please try a clear recording of 10 to 60 seconds "
            "without noise."
        ),
    ),
    _entry(
        Call.RENAME.value,
        "400",
        InvalidRequest,
        _("The name is empty, longer than 20 characters, or holds signs that are not taken."),
        _("Choose another name: letters, digits and Chinese characters, 20 at most."),
        _("Qiniu did not accept this name. Please choose another one."),
        act=Act.USER,
    ),
    _entry(
        Call.DELETE.value,
        "403",
        VoiceNotDeletable,
        _("The voice has a paid place, and those are never deleted."),
        _("Nothing can be done: the place stays taken. It can be trained with another recording."),
    ),
    _entry(Call.LIST.value, "404", InvalidRequest, _NOT_AN_API, _CHECK_ADDRESS, _WRONG_ADDRESS),
    # --- what only the account's quota tells ---
    _entry(
        PAID_TRAINING,
        "400",
        SlotsExhausted,
        _("The account has no paid training left: every training of a paid place uses one up."),
        _("Buy trainings in the provider's console, or make the voice with the free tier."),
        _("All paid trainings of this account are used up. Choose the free tier, or tell the operator."),
    ),
    # --- any call ---
    _entry(ANY_CALL, "400", InvalidRequest, _("A parameter is wrong; the provider's words may name it."), _REPORT),
    _entry(
        ANY_CALL,
        "401",
        CredentialsRejected,
        _("The API key is wrong, missing or has expired."),
        _("Make a key in the console's API key management and enter it on the provider account."),
    ),
    _entry(
        ANY_CALL,
        "403",
        AccountBlocked,
        _("The account may not do this."),
        _("Ask the provider to open voice cloning for the account."),
    ),
    _entry(
        ANY_CALL,
        "404",
        VoiceNotFound,
        _("There is no such voice, or it is another account's."),
        _("Train the voice again from its recording."),
    ),
    _entry(ANY_CALL, "429", RateLimited, _("Too many calls at once."), _("Nothing: the portal waits and goes on.")),
    _entry(ANY_CALL, "500", ProviderTrouble, _("Something failed inside the provider."), _AGAIN),
    # Of sibling resources of the same platform.
    _entry(ANY_CALL, "599", ProviderTrouble, _("Something failed inside the provider."), _AGAIN),
    _entry(
        ANY_CALL,
        "612",
        VoiceNotFound,
        _("There is no such voice, or it is another account's."),
        _("Train the voice again from its recording."),
    ),
    _entry(
        ANY_CALL,
        "614",
        Refused,
        _("What was to be made is there already."),
        _("Look at the voice again, and choose another name."),
        _(
            "Qiniu says that it has this already. Look at the voice again, and choose another name before you try again."
        ),
        act=Act.USER,
    ),
)


def refused(
    *,
    call: Call,
    code: str,
    message: str,
    http_status: int,
    request_id: str,
    effect: bool,
    retry_after: float | None = None,
) -> ProviderError:
    """What an answer other than success means. `effect` as in `HttpClient.call`: after a failure of the server's own, what
    became of such a call has to be looked up."""
    deciding = code or str(http_status)
    entry = found(BOOK, call.value, ANY_CALL, code=deciding)
    kind = entry.kind if entry is not None else _by_size(deciding)
    if effect and kind is ProviderTrouble:
        entry, kind = None, OutcomeUnknown
    waits = retry_after if kind is RateLimited else None
    if entry is not None:
        return entry.error(message, code=code, request_id=request_id, http_status=http_status, retry_after=waits)
    return kind(
        message,
        provider=SLUG,
        provider_code=code,
        request_id=request_id,
        http_status=http_status,
        retry_after=waits,
    )


def no_training_left(refusal: ProviderError) -> ProviderError:
    """What a 400 was, once the account's quota has told."""
    (entry,) = (entry for entry in BOOK if entry.service == PAID_TRAINING)
    return entry.error(refusal.detail, request_id=refusal.request_id, http_status=refusal.http_status)


def training_failed(*, state: str, request_id: str) -> ProviderError:
    """What a voice's state says that could not be trained."""
    detail = "the training failed; no reason is given"
    entry = found(BOOK, Call.TRAIN.value, code=state)
    if entry is not None:
        return entry.error(detail, request_id=request_id)
    return SampleRejected(detail, provider=SLUG, provider_code=state, request_id=request_id)


def _by_size(deciding: str) -> type[ProviderError]:
    """For a code that nobody has told us about; it is carried in the error all the same."""
    if len(deciding) == 3 and deciding.startswith("5"):
        return ProviderTrouble
    return Refused
