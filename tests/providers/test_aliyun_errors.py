"""Section 9 of the protocol notes, row by row."""

from __future__ import annotations

import pytest
from django.utils.translation import override

from voices.providers.aliyun.errors import enrollment_refused, handshake_refused, task_failed
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

ACCOUNT = [
    (401, "InvalidApiKey", "Invalid API-key provided.", CredentialsRejected, False),
    (401, "invalid_api_key", "Incorrect API key provided.", CredentialsRejected, False),
    (401, "NOT AUTHORIZED", "Workspace can not be found.", CredentialsRejected, False),
    (400, "Arrearage", "Access denied, account overdue.", AccountBlocked, False),
    (403, "AccessDenied", "Access denied.", AccountBlocked, False),
    (403, "AccessDenied.Unpurchased", "Access to model denied.", AccountBlocked, False),
    (403, "Model.AccessDenied", "Model access denied.", AccountBlocked, False),
    (403, "Workspace.AccessDenied", "Workspace access denied.", AccountBlocked, False),
    (403, "AllocationQuota.FreeTierOnly", "The free tier is used up.", AccountBlocked, False),
    (404, "ModelNotFound", "Model can not be found.", InvalidRequest, False),
    (404, "WorkSpaceNotFound", "Workspace can not be found.", InvalidRequest, False),
    (429, "Throttling", "Requests throttling triggered.", RateLimited, True),
    (429, "Throttling.RateQuota", "Requests rate limit exceeded, please try again later.", RateLimited, True),
    (429, "LimitRequests", "You exceeded your current requests list.", RateLimited, True),
    (429, "Throttling.BurstRate", "Request rate increased too quickly.", RateLimited, True),
    (429, "Throttling.AllocationQuota", "Allocated quota exceeded, please increase your quota.", RateLimited, True),
    (429, "Throttling.AllocationQuota", "Free allocated quota exceeded.", AccountBlocked, False),
    (429, "insufficient_quota", "You exceeded your current quota.", RateLimited, True),
    (429, "insufficient_quota", "Your free quota is exhausted.", AccountBlocked, False),
    (429, "PrepaidBillOverdue", "The prepaid bill is overdue.", AccountBlocked, False),
    (429, "PostpaidBillOverdue", "The postpaid bill is overdue.", AccountBlocked, False),
    (429, "CommodityNotPurchased", "Commodity has not purchased yet.", AccountBlocked, False),
    (500, "InternalError", "An internal error has occured.", ProviderTrouble, True),
    (500, "InternalError.Algo", "An internal error has occured.", ProviderTrouble, True),
    (503, "SystemError", "System error.", ProviderTrouble, True),
    (503, "ModelServiceFailed", "Failed to request model service.", ProviderTrouble, True),
    (500, "RequestTimeOut", "Request timed out, please try again later.", ProviderTrouble, True),
    (503, "ModelUnavailable", "Model is unavailable.", ProviderTrouble, True),
]

ENROLLMENT = [
    (415, "BadRequest.UnsupportedFileFormat", "File format unsupported.", SampleRejected, False),
    (400, "BadRequest.UnsupportedFileFormat", "File format unsupported.", SampleRejected, False),
    (416, "BadRequest.ResourceNotExist", "The Required resource not exist", VoiceNotFound, False),
    (400, "BadRequest.ResourceNotExist", "The Required resource not exist", VoiceNotFound, False),
    (430, "Audio.DecoderError", "Decoder audio file failed.", SampleRejected, False),
    (430, "Audio.FileSizeExceed", "File too large", SampleRejected, False),
    (400, "Audio.AudioRateError", "File sample rate unsupported", SampleRejected, False),
    (430, "Audio.AudioSilentError", "Silent file unsupported.", SampleRejected, False),
    (400, "Audio.AudioShortError", "valid audio too short!", SampleRejected, False),
    (400, "Audio.DurationLimitError", "Audio duration exceeds maximum allowed limit.", SampleRejected, False),
    (400, "Audio.PreprocessError", "No segments meet minimum duration requirement", SampleRejected, False),
    (400, "Audio.SomethingNew", "A new trouble with audio.", SampleRejected, False),
    (500, "InternalError", "audio preprocess server error", SampleRejected, False),
    (500, "InternalError", "request asr failed", SampleRejected, False),
    (400, "BadRequest.InputDownloadFailed", "Failed to download the input file.", SampleUnreachable, True),
    (400, "InvalidURL", "Invalid URL.", SampleUnreachable, True),
    (400, "InvalidURL.Timeout", "Download timed out.", SampleUnreachable, True),
    (400, "InvalidURL.ConnectionRefused", "Connection refused.", SampleUnreachable, True),
    (400, "InvalidParameter.DataInspection", "Unable to download the media resource.", SampleUnreachable, True),
    (400, "DataInspectionFailed", "Input data may contain inappropriate content.", SampleRejected, False),
    (400, "Throttling.AllocationQuota", "您当前的配额为1000", SlotsExhausted, False),
    (400, "InvalidParameter", "prefix is invalid", InvalidRequest, False),
    (400, "BadRequest.EmptyInput", "Required input parameter missing.", InvalidRequest, False),
    (400, "BadRequest.EmptyModel", "Required parameter model missing.", InvalidRequest, False),
    (400, "BadRequest.IllegalInput", "The input parameter requires json format.", InvalidRequest, False),
    (418, "Brand.New", "never heard of", Refused, False),
    (500, "Brand.New", "never heard of", ProviderTrouble, True),
    (429, "Brand.New", "never heard of", RateLimited, True),
    (401, "Brand.New", "never heard of", CredentialsRejected, False),
    (403, "Brand.New", "never heard of", AccountBlocked, False),
    (400, "", "", Refused, False),
]

SYNTHESIS = [
    ("InvalidParameter", "[tts:]Engine return error code: 418", VoiceNotUsable, False),
    ("InvalidParameter", "[cosyvoice:]Engine return error code: 418", VoiceNotUsable, False),
    ("InvalidParameter", "[cosyvoice:]Engine error [411]: TTS speak operation failed", VoiceNotUsable, False),
    ("InvalidParameter", "[tts:]Engine return error code: 428", InvalidRequest, False),
    ("InvalidParameter", "Request voice is invalid!", InvalidRequest, False),
    ("InvalidParameter", "Missing required parameter 'payload.model'!", InvalidRequest, False),
    ("InvalidParameter", "Please ensure input text is valid.", TextRejected, False),
    ("InvalidParameter", "Parameter invalid: text is null", TextRejected, False),
    ("InvalidParameter", "Text request limit violated, expected 1.", InvalidRequest, False),
    ("InvalidParameter", "SSML text is not supported at the moment.", InvalidRequest, False),
    ("InvalidParameter", "request timeout after 23 seconds.", StreamBroken, True),
    ("InternalError", "Remote cancelled grpc stream.", VoiceNotUsable, False),
    ("InternalError", "Something else.", ProviderTrouble, True),
    ("DataInspectionFailed", "Output data may contain inappropriate content.", TextRejected, False),
    ("Throttling.RateQuota", "Requests rate limit exceeded, please try again later.", RateLimited, True),
    ("ClientDisconnect", "Client disconnected before task finished!", StreamBroken, True),
    ("Brand.New", "never heard of", Refused, False),
    ("", "", Refused, False),
]


def assert_evidence(error: ProviderError, *, code: str, message: str) -> None:
    assert error.provider == "aliyun"
    assert error.provider_code == code
    assert error.request_id == "r-1"
    assert error.detail == message
    with override("en"):
        assert str(error.sentence).endswith(".")


@pytest.mark.parametrize(("status", "code", "message", "kind", "retryable"), [*ACCOUNT, *ENROLLMENT])
def test_it_translates_what_enrollment_answers(
    status: int, code: str, message: str, kind: type[ProviderError], retryable: bool
) -> None:
    error = enrollment_refused(code=code, message=message, http_status=status, request_id="r-1", effect=False)
    assert type(error) is kind
    assert error.retryable is retryable
    assert error.http_status == status
    assert_evidence(error, code=code, message=message)


@pytest.mark.parametrize(
    ("code", "message", "kind", "retryable"),
    [*SYNTHESIS, *(row[1:] for row in ACCOUNT)],
)
def test_it_translates_what_a_failed_task_says(
    code: str, message: str, kind: type[ProviderError], retryable: bool
) -> None:
    error = task_failed(code=code, message=message, request_id="r-1", audio_heard=False)
    assert type(error) is kind
    assert error.retryable is retryable
    assert_evidence(error, code=code, message=message)


@pytest.mark.parametrize(("status", "code", "message", "kind", "retryable"), ACCOUNT)
def test_it_translates_what_a_refused_handshake_says(
    status: int, code: str, message: str, kind: type[ProviderError], retryable: bool
) -> None:
    error = handshake_refused(code=code, message=message, http_status=status, request_id="r-1")
    assert type(error) is kind
    assert error.retryable is retryable
    assert_evidence(error, code=code, message=message)


@pytest.mark.parametrize(("code", "message", "kind", "retryable"), SYNTHESIS)
def test_nothing_is_worth_another_try_once_audio_was_heard(
    code: str, message: str, kind: type[ProviderError], retryable: bool
) -> None:
    error = task_failed(code=code, message=message, request_id="r-1", audio_heard=True)
    assert type(error) is kind
    assert not error.retryable


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (500, "RequestTimeOut", OutcomeUnknown),
        (504, "", OutcomeUnknown),
        (500, "InternalError", OutcomeUnknown),
        (503, "ModelUnavailable", OutcomeUnknown),
        (400, "", Refused),
    ],
)
def test_trouble_inside_the_provider_leaves_a_create_unknown(status: int, code: str, kind: type[ProviderError]) -> None:
    error = enrollment_refused(code=code, message="", http_status=status, request_id="r-1", effect=True)
    assert type(error) is kind


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("[tts:]Engine return error code: 428", "This style is not available for this voice. Please leave it out."),
        ("SSML text is not supported at the moment.", "This voice does not support SSML. Please send plain text."),
    ],
)
def test_what_a_person_can_change_is_said_to_the_person(message: str, sentence: str) -> None:
    error = task_failed(code="InvalidParameter", message=message, request_id="r-1", audio_heard=False)
    assert error.act is Act.USER
    with override("en"):
        assert str(error.sentence) == sentence


def test_it_passes_on_how_long_to_wait() -> None:
    error = enrollment_refused(
        code="Throttling", message="", http_status=429, request_id="r-1", effect=True, retry_after=3.0
    )
    assert error.retry_after == 3.0
