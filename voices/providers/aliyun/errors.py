"""DashScope's codes in our words.

The code decides, and where one code covers several troubles its message does. The HTTP status decides almost nothing: the
vendor's page lists the same audio codes under 430 and under 400 (2026-10). Two exceptions are marked below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from voices.providers.aliyun.traits import SLUG
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
    SampleUnreachable,
    SlotsExhausted,
    StreamBroken,
    TextRejected,
    VoiceNotFound,
    VoiceNotUsable,
)

if TYPE_CHECKING:
    from voices.providers.errors import Sentence


@dataclass(frozen=True, slots=True)
class Meaning:
    kind: type[ProviderError]
    sentence: Sentence | None = None
    retryable: bool | None = None
    act: Act | None = None


_UNCLEAR_SAMPLE = Meaning(
    SampleRejected, _("The recording could not be processed. Please record again in a quiet room.")
)
_NO_FREE_QUOTA = Meaning(AccountBlocked, _("The free allowance is used up. Please tell the operator of this site."))
_NOT_GRANTED = Meaning(AccountBlocked, _("This voice model is not available here. Please choose another model."))
_WRONG_VOICE = Meaning(VoiceNotUsable, _("This voice cannot be used. Please choose another one or create it again."))
_OUR_FAULT = Meaning(InvalidRequest)

ENROLLMENT: Mapping[str, Meaning] = {
    "BadRequest.UnsupportedFileFormat": Meaning(
        SampleRejected, _("This file type is not accepted. Please upload WAV, MP3 or M4A.")
    ),
    "BadRequest.ResourceNotExist": Meaning(VoiceNotFound),
    "Audio.DecoderError": Meaning(
        SampleRejected, _("The recording could not be read. Please export it again or record anew.")
    ),
    "Audio.FileSizeExceed": Meaning(SampleRejected, _("The file is larger than 10 MB. Please shorten it.")),
    "Audio.AudioRateError": Meaning(
        SampleRejected, _("The recording quality is too low; at least 16 kHz is needed. Please record again.")
    ),
    "Audio.AudioSilentError": Meaning(
        SampleRejected, _("Almost no speech was heard. Please read aloud for 10 to 20 seconds.")
    ),
    "Audio.AudioShortError": Meaning(
        SampleRejected, _("The recording is too short. Please read aloud for 10 to 20 seconds.")
    ),
    "Audio.DurationLimitError": Meaning(SampleRejected, _("Please keep the recording under 60 seconds.")),
    "Audio.PreprocessError": _UNCLEAR_SAMPLE,
    "Audio": Meaning(SampleRejected),
    "BadRequest.InputDownloadFailed": Meaning(SampleUnreachable),
    "InvalidURL": Meaning(SampleUnreachable),
    "InvalidParameter.DataInspection": Meaning(SampleUnreachable),
    "DataInspectionFailed": Meaning(SampleRejected),
    # With 429 the same code means throughput, see _meaning_of_enrollment.
    "Throttling.AllocationQuota": Meaning(SlotsExhausted),
    "InvalidParameter": _OUR_FAULT,
    "BadRequest": _OUR_FAULT,
}
# InternalError covers bad audio as well as the provider's own trouble; only the message tells.
ENROLLMENT_MESSAGES: tuple[tuple[str, str, Meaning], ...] = (
    ("InternalError", "audio preprocess", _UNCLEAR_SAMPLE),
    ("InternalError", "request asr failed", _UNCLEAR_SAMPLE),
)

ACCOUNT: Mapping[str, Meaning] = {
    "InvalidApiKey": Meaning(CredentialsRejected),
    "invalid_api_key": Meaning(CredentialsRejected),
    "NOT AUTHORIZED": Meaning(CredentialsRejected),
    "Arrearage": Meaning(AccountBlocked),
    "AccessDenied": Meaning(AccountBlocked),
    "Model.AccessDenied": _NOT_GRANTED,
    "Workspace.AccessDenied": _NOT_GRANTED,
    "AllocationQuota.FreeTierOnly": _NO_FREE_QUOTA,
    "ModelNotFound": _OUR_FAULT,
    "WorkSpaceNotFound": _OUR_FAULT,
    "InvalidParameter": _OUR_FAULT,
    "Throttling": Meaning(RateLimited),
    "LimitRequests": Meaning(RateLimited),
    "insufficient_quota": Meaning(RateLimited),
    # These three come with 429 and yet waiting does not help.
    "PrepaidBillOverdue": Meaning(AccountBlocked),
    "PostpaidBillOverdue": Meaning(AccountBlocked),
    "CommodityNotPurchased": Meaning(AccountBlocked),
    "InternalError": Meaning(ProviderTrouble),
    "SystemError": Meaning(ProviderTrouble),
    "ModelServiceFailed": Meaning(ProviderTrouble),
    "RequestTimeOut": Meaning(ProviderTrouble),
    "ModelUnavailable": Meaning(ProviderTrouble),
}
ACCOUNT_MESSAGES: tuple[tuple[str, str, Meaning], ...] = (
    ("insufficient_quota", "free", _NO_FREE_QUOTA),
    ("Throttling.AllocationQuota", "free", _NO_FREE_QUOTA),
)

SYNTHESIS: Mapping[str, Meaning] = {
    "DataInspectionFailed": Meaning(
        TextRejected, _("The provider's content check refused this text. Please change it and try again.")
    ),
    "ClientDisconnect": Meaning(StreamBroken, retryable=True),
}
SYNTHESIS_MESSAGES: tuple[tuple[str, str, Meaning], ...] = (
    # 418 is the older and 411 the newer wording of: voice unknown, not ready, another account's, or another model's.
    ("InvalidParameter", "engine return error code: 418", _WRONG_VOICE),
    ("InvalidParameter", "engine error [418]", _WRONG_VOICE),
    ("InvalidParameter", "engine return error code: 411", _WRONG_VOICE),
    ("InvalidParameter", "engine error [411]", _WRONG_VOICE),
    ("InternalError", "remote cancelled grpc stream", _WRONG_VOICE),
    (
        "InvalidParameter",
        "428",
        Meaning(InvalidRequest, _("This style is not available for this voice. Please leave it out."), act=Act.USER),
    ),
    (
        "InvalidParameter",
        "ssml text is not supported",
        Meaning(InvalidRequest, _("This voice does not support SSML. Please send plain text."), act=Act.USER),
    ),
    ("InvalidParameter", "please ensure input text is valid", Meaning(TextRejected, _("Please enter some text."))),
    ("InvalidParameter", "text is null", Meaning(TextRejected, _("Please enter some text."))),
    ("InvalidParameter", "request timeout after", Meaning(StreamBroken, retryable=True)),
)


def enrollment_refused(
    *, code: str, message: str, http_status: int, request_id: str, effect: bool, retry_after: float | None = None
) -> ProviderError:
    """What a REST answer with an error means. `effect` as in `HttpClient.call`."""
    meaning = _meaning_of_enrollment(code, message, http_status)
    if effect and meaning.kind is ProviderTrouble:
        # A provider that is unwell may have made the voice before it noticed; a second one would take another place.
        meaning = Meaning(OutcomeUnknown)
    return meaning.kind(
        message,
        provider=SLUG,
        provider_code=code,
        request_id=request_id,
        http_status=http_status,
        sentence=meaning.sentence,
        retryable=meaning.retryable,
        act=meaning.act,
        retry_after=retry_after,
    )


def task_failed(*, code: str, message: str, request_id: str, audio_heard: bool) -> ProviderError:
    """What `task-failed` means. After audio nothing is retryable: a second run of the task would be billed again."""
    meaning = _found(code, message, SYNTHESIS, SYNTHESIS_MESSAGES) or _of_account(code, message) or Meaning(Refused)
    return meaning.kind(
        message,
        provider=SLUG,
        provider_code=code,
        request_id=request_id,
        sentence=meaning.sentence,
        retryable=False if audio_heard else meaning.retryable,
        act=meaning.act,
    )


def handshake_refused(*, code: str, message: str, http_status: int, request_id: str) -> ProviderError:
    meaning = _of_account(code, message) or _by_status(http_status)
    return meaning.kind(
        message,
        provider=SLUG,
        provider_code=code,
        request_id=request_id,
        http_status=http_status,
        sentence=meaning.sentence,
        retryable=meaning.retryable,
        act=meaning.act,
    )


def _meaning_of_enrollment(code: str, message: str, http_status: int) -> Meaning:
    if code == "Throttling.AllocationQuota" and http_status == 429:
        return _of_account(code, message) or Meaning(RateLimited)
    return (
        _found(code, message, ENROLLMENT, ENROLLMENT_MESSAGES) or _of_account(code, message) or _by_status(http_status)
    )


def _of_account(code: str, message: str) -> Meaning | None:
    return _found(code, message, ACCOUNT, ACCOUNT_MESSAGES)


def _found(
    code: str, message: str, by_code: Mapping[str, Meaning], by_message: tuple[tuple[str, str, Meaning], ...]
) -> Meaning | None:
    """By code and message, else by code, else by the family that a dotted code belongs to."""
    said = message.lower()
    for of_code, fragment, meaning in by_message:
        if code == of_code and fragment in said:
            return meaning
    return by_code.get(code) or by_code.get(code.partition(".")[0])


def _by_status(http_status: int) -> Meaning:
    """For a code that nobody has told us about; it is carried in the error all the same."""
    if http_status >= 500:
        return Meaning(ProviderTrouble)
    kinds: Mapping[int, type[ProviderError]] = {401: CredentialsRejected, 403: AccountBlocked, 429: RateLimited}
    return Meaning(kinds.get(http_status, Refused))
