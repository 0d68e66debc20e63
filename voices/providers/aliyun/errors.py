"""DashScope's codes in our words.

The code decides, and where one code covers several troubles its message does. The HTTP status decides almost nothing: the
vendor's page lists the same audio codes under 430 and under 400 (2026-10). Two exceptions are marked below.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from django.utils.translation import gettext_lazy as _

from voices.providers.aliyun.traits import SLUG
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
    SampleUnreachable,
    SlotsExhausted,
    StreamBroken,
    TextRejected,
    VoiceNotFound,
    VoiceNotUsable,
)

ENROLLMENT, SYNTHESIS, ACCOUNT = "enrollment", "synthesis", "account"

_of_enrollment = partial(BookEntry, SLUG, ENROLLMENT)
_of_synthesis = partial(BookEntry, SLUG, SYNTHESIS)
_of_account = partial(BookEntry, SLUG, ACCOUNT)

_REPORT = _("Give the operator's log and the provider's request id to whoever maintains this portal.")
_RECORD_AGAIN = _("Record again in a quiet room: one person, no music, 10 to 20 seconds of reading aloud.")
_WAIT = _("Wait a moment. The portal tries again by itself where nothing was spoken yet.")
_PAY = _("Settle the bill in the provider's console; calls work again some minutes later.")
_CHECK_ADDRESS = _(
    "See that the portal can be reached from the internet at PUBLIC_BASE_URL, then let the voice train again."
)
_OTHER_VOICE = _("Choose another voice, or train this one again with the model that is to speak.")
_GRANT = _("Grant the model to the key's workspace in the provider's console, or choose a model that is granted.")
_CHECK_KEY = _("Enter the key again on the provider account, and see that key and base URL are of the same region.")

_UNCLEAR = _("The recording could not be processed. Please record again in a quiet room.")
_NOT_GRANTED = _("This voice model is not available here. Please choose another model.")
_NO_FREE_QUOTA = _("The free allowance is used up. Please tell the operator of this site.")
_WRONG_VOICE = _("This voice cannot be used. Please choose another one or create it again.")
_NO_TEXT = _("Please enter some text.")

_DOWNLOAD = _("The provider could not fetch the recording from our address.")
_MISMATCH = _(
    "The voice is unknown, not ready, another account's, or was made for another model than the one asked for."
)
_OWN_TROUBLE = _("Something failed inside the provider.")
_TOO_FAST = _("More calls at once than the account may make.")
_UNPAID = _("The account has not paid, although the status says that it is only too fast.")
_FREE_USED = _("The free allowance is used up and paid use is switched off.")
_SWITCH_TO_PAID = _("Switch paid use on in the provider's console.")

BOOK: tuple[BookEntry, ...] = (
    # --- enrollment ---
    _of_enrollment(
        "BadRequest.UnsupportedFileFormat",
        SampleRejected,
        _("What was uploaded is not WAV, MP3 or M4A, whatever its name says."),
        _("Export the recording as WAV and upload it again."),
        _("This file type is not accepted. Please upload WAV, MP3 or M4A."),
    ),
    _of_enrollment(
        "BadRequest.ResourceNotExist",
        VoiceNotFound,
        _("The provider has no such voice: never made, another account's, or removed after a year without use."),
        _("Train the voice again from its recording."),
    ),
    _of_enrollment(
        "Audio.DecoderError",
        SampleRejected,
        _("The file is damaged, or is not what its name says."),
        _("Export the recording again, or record anew."),
        _("The recording could not be read. Please export it again or record anew."),
    ),
    _of_enrollment(
        "Audio.FileSizeExceed",
        SampleRejected,
        _("The file is larger than 10 MB."),
        _("Shorten the recording, or save it as MP3."),
        _("The file is larger than 10 MB. Please shorten it."),
    ),
    _of_enrollment(
        "Audio.AudioRateError",
        SampleRejected,
        _("The sample rate is below 16 kHz."),
        _("Record with at least 16 kHz; converting an old recording upwards does not help."),
        _("The recording quality is too low; at least 16 kHz is needed. Please record again."),
    ),
    _of_enrollment(
        "Audio.AudioSilentError",
        SampleRejected,
        _("The recording is silent or holds almost no speech."),
        _RECORD_AGAIN,
        _("Almost no speech was heard. Please read aloud for 10 to 20 seconds."),
    ),
    _of_enrollment(
        "Audio.AudioShortError",
        SampleRejected,
        _("What is left of the recording without pauses is too short."),
        _RECORD_AGAIN,
        _("The recording is too short. Please read aloud for 10 to 20 seconds."),
    ),
    _of_enrollment(
        "Audio.DurationLimitError",
        SampleRejected,
        _("The recording is longer than 60 seconds."),
        _("Cut it: 10 to 20 seconds are enough."),
        _("Please keep the recording under 60 seconds."),
    ),
    _of_enrollment(
        "Audio.PreprocessError",
        SampleRejected,
        _("No stretch of the recording is usable speech."),
        _RECORD_AGAIN,
        _UNCLEAR,
    ),
    _of_enrollment(
        "Audio", SampleRejected, _("Something else about the recording; the message says what."), _RECORD_AGAIN
    ),
    # InternalError covers bad audio as well as the provider's own trouble; only the message tells.
    _of_enrollment(
        "InternalError",
        SampleRejected,
        _("The recording is noisy, uneven or too long."),
        _RECORD_AGAIN,
        _UNCLEAR,
        saying="audio preprocess",
    ),
    _of_enrollment(
        "InternalError",
        SampleRejected,
        _("No clear human voice was heard."),
        _RECORD_AGAIN,
        _UNCLEAR,
        saying="request asr failed",
    ),
    _of_enrollment("BadRequest.InputDownloadFailed", SampleUnreachable, _DOWNLOAD, _CHECK_ADDRESS),
    _of_enrollment("InvalidURL", SampleUnreachable, _DOWNLOAD, _CHECK_ADDRESS),
    _of_enrollment("InvalidParameter.DataInspection", SampleUnreachable, _DOWNLOAD, _CHECK_ADDRESS),
    _of_enrollment(
        "DataInspectionFailed",
        SampleRejected,
        _("The provider's content check refused the recording."),
        _("Use a recording of other words."),
    ),
    _of_enrollment(
        "UNDEPLOYED",
        SampleRejected,
        _("Not a code but a state: the provider's review rejected the voice."),
        _("Use another recording."),
        _("The provider's review did not accept this recording. Please use another one."),
    ),
    # With 429 the same code means throughput, see _meaning_of_enrollment.
    _of_enrollment(
        "Throttling.AllocationQuota",
        SlotsExhausted,
        _("All voice places of the account (1000) are taken."),
        _("Delete voices that nobody uses, or ask the provider for more places."),
    ),
    _of_enrollment("InvalidParameter", InvalidRequest, _("A field of our request is wrong."), _REPORT),
    _of_enrollment("BadRequest", InvalidRequest, _("Our request is wrong or lacks something."), _REPORT),
    # --- synthesis ---
    # 418 is the older and 411 the newer wording of one mismatch.
    _of_synthesis(
        "InvalidParameter",
        VoiceNotUsable,
        _MISMATCH,
        _OTHER_VOICE,
        _WRONG_VOICE,
        saying="engine return error code: 418",
    ),
    _of_synthesis(
        "InvalidParameter", VoiceNotUsable, _MISMATCH, _OTHER_VOICE, _WRONG_VOICE, saying="engine error [418]"
    ),
    _of_synthesis(
        "InvalidParameter",
        VoiceNotUsable,
        _MISMATCH,
        _OTHER_VOICE,
        _WRONG_VOICE,
        saying="engine return error code: 411",
    ),
    _of_synthesis(
        "InvalidParameter", VoiceNotUsable, _MISMATCH, _OTHER_VOICE, _WRONG_VOICE, saying="engine error [411]"
    ),
    _of_synthesis(
        "InternalError",
        VoiceNotUsable,
        _("The voice does not exist."),
        _OTHER_VOICE,
        _WRONG_VOICE,
        saying="remote cancelled grpc stream",
    ),
    _of_synthesis(
        "InvalidParameter",
        InvalidRequest,
        _("This voice does not take a style instruction, or not this one."),
        _("Leave the style out."),
        _("This style is not available for this voice. Please leave it out."),
        saying="428",
        act=Act.USER,
    ),
    _of_synthesis(
        "InvalidParameter",
        InvalidRequest,
        _("This voice's model speaks no SSML."),
        _("Send plain text."),
        _("This voice does not support SSML. Please send plain text."),
        saying="ssml text is not supported",
        act=Act.USER,
    ),
    _of_synthesis(
        "InvalidParameter",
        TextRejected,
        _("The text is empty or holds nothing that can be spoken."),
        _("Enter some words."),
        _NO_TEXT,
        saying="please ensure input text is valid",
    ),
    _of_synthesis(
        "InvalidParameter",
        TextRejected,
        _("The text is empty or holds nothing that can be spoken."),
        _("Enter some words."),
        _NO_TEXT,
        saying="text is null",
    ),
    _of_synthesis(
        "InvalidParameter",
        StreamBroken,
        _("The connection stood silent for more than 23 seconds."),
        _WAIT,
        saying="request timeout after",
        retryable=True,
    ),
    _of_synthesis(
        "DataInspectionFailed",
        TextRejected,
        _("The provider's content check refused the text."),
        _("Change the text."),
        _("The provider's content check refused this text. Please change it and try again."),
    ),
    _of_synthesis("ClientDisconnect", StreamBroken, _("We hung up before the end."), _WAIT, retryable=True),
    # --- any call ---
    _of_account("InvalidApiKey", CredentialsRejected, _("The key is wrong, or of another region."), _CHECK_KEY),
    _of_account("invalid_api_key", CredentialsRejected, _("The key is wrong, or of another region."), _CHECK_KEY),
    _of_account("NOT AUTHORIZED", CredentialsRejected, _("The workspace is not the key's."), _CHECK_KEY),
    _of_account("Arrearage", AccountBlocked, _("The account is overdue."), _PAY),
    _of_account(
        "AccessDenied",
        AccountBlocked,
        _("The service is not activated for this account."),
        _("Activate the service in the provider's console."),
    ),
    _of_account("Model.AccessDenied", AccountBlocked, _("The model is not granted to this key."), _GRANT, _NOT_GRANTED),
    _of_account(
        "Workspace.AccessDenied", AccountBlocked, _("The model is not granted to this workspace."), _GRANT, _NOT_GRANTED
    ),
    _of_account("AllocationQuota.FreeTierOnly", AccountBlocked, _FREE_USED, _SWITCH_TO_PAID, _NO_FREE_QUOTA),
    _of_account("ModelNotFound", InvalidRequest, _("There is no model of this name in this region."), _REPORT),
    _of_account("WorkSpaceNotFound", InvalidRequest, _("There is no workspace of this name."), _REPORT),
    _of_account("InvalidParameter", InvalidRequest, _("A field of our request is wrong."), _REPORT),
    _of_account("Throttling", RateLimited, _TOO_FAST, _WAIT),
    _of_account(
        "Throttling.AllocationQuota", AccountBlocked, _FREE_USED, _SWITCH_TO_PAID, _NO_FREE_QUOTA, saying="free"
    ),
    _of_account("LimitRequests", RateLimited, _TOO_FAST, _WAIT),
    _of_account("insufficient_quota", AccountBlocked, _FREE_USED, _SWITCH_TO_PAID, _NO_FREE_QUOTA, saying="free"),
    _of_account("insufficient_quota", RateLimited, _("The throughput of the account is used up."), _WAIT),
    # These three come with 429 and yet waiting does not help.
    _of_account("PrepaidBillOverdue", AccountBlocked, _UNPAID, _PAY),
    _of_account("PostpaidBillOverdue", AccountBlocked, _UNPAID, _PAY),
    _of_account("CommodityNotPurchased", AccountBlocked, _UNPAID, _PAY),
    _of_account("InternalError", ProviderTrouble, _OWN_TROUBLE, _WAIT),
    _of_account("SystemError", ProviderTrouble, _OWN_TROUBLE, _WAIT),
    _of_account("ModelServiceFailed", ProviderTrouble, _OWN_TROUBLE, _WAIT),
    _of_account("RequestTimeOut", ProviderTrouble, _("The provider ran out of time."), _WAIT),
    _of_account("ModelUnavailable", ProviderTrouble, _("The model is out of service for now."), _WAIT),
)


def enrollment_refused(
    *, code: str, message: str, http_status: int, request_id: str, effect: bool, retry_after: float | None = None
) -> ProviderError:
    """What a REST answer with an error means. `effect` as in `HttpClient.call`."""
    entry = _meaning_of_enrollment(code, message, http_status)
    kind = entry.kind if entry is not None else _by_status(http_status)
    if effect and kind is ProviderTrouble:
        # A provider that is unwell may have made the voice before it noticed; a second one would take another place.
        kind = OutcomeUnknown
    elif entry is not None:
        return entry.error(message, code=code, request_id=request_id, http_status=http_status, retry_after=retry_after)
    return kind(
        message,
        provider=SLUG,
        provider_code=code,
        request_id=request_id,
        http_status=http_status,
        retry_after=retry_after,
    )


def task_failed(*, code: str, message: str, request_id: str, audio_heard: bool) -> ProviderError:
    """What `task-failed` means. After audio nothing is retryable: a second run of the task would be billed again."""
    retryable = False if audio_heard else None
    entry = found(BOOK, SYNTHESIS, ACCOUNT, code=code, message=message)
    if entry is not None:
        return entry.error(message, code=code, request_id=request_id, retryable=retryable)
    return Refused(message, provider=SLUG, provider_code=code, request_id=request_id, retryable=retryable)


def handshake_refused(*, code: str, message: str, http_status: int, request_id: str) -> ProviderError:
    entry = found(BOOK, ACCOUNT, code=code, message=message)
    if entry is not None:
        return entry.error(message, code=code, request_id=request_id, http_status=http_status)
    return _by_status(http_status)(
        message, provider=SLUG, provider_code=code, request_id=request_id, http_status=http_status
    )


def review_rejected(*, state: str, request_id: str) -> ProviderError:
    """What a voice's state says that its review did not let pass."""
    entry = found(BOOK, ENROLLMENT, code=state)
    detail = "the review rejected the voice"
    if entry is not None:
        return entry.error(detail, request_id=request_id)
    return SampleRejected(detail, provider=SLUG, provider_code=state, request_id=request_id)


def _meaning_of_enrollment(code: str, message: str, http_status: int) -> BookEntry | None:
    if code == "Throttling.AllocationQuota" and http_status == 429:
        return found(BOOK, ACCOUNT, code=code, message=message)
    return found(BOOK, ENROLLMENT, ACCOUNT, code=code, message=message)


def _by_status(http_status: int) -> type[ProviderError]:
    """For a code that nobody has told us about; it is carried in the error all the same."""
    if http_status >= 500:
        return ProviderTrouble
    kinds: Mapping[int, type[ProviderError]] = {401: CredentialsRejected, 403: AccountBlocked, 429: RateLimited}
    return kinds.get(http_status, Refused)
