"""iFlytek's codes in our words. Services are kept apart: 10019 is an expired authorisation in training and a time-out in speech.

A code that is in no entry is carried along and counts as the provider's trouble. Sources: both pages of the provider, its gateway's
source, and field reports, October 2026.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from voices.providers.book import BookEntry, found
from voices.providers.errors import (
    AccountBlocked,
    Act,
    ClockSkewed,
    CredentialsRejected,
    InvalidRequest,
    OutcomeUnknown,
    ProviderError,
    ProviderTrouble,
    RateLimited,
    Refused,
    SampleRejected,
    SlotsExhausted,
    StreamBroken,
    TextRejected,
    VoiceNotFound,
    VoiceNotUsable,
)
from voices.providers.iflytek.traits import SLUG
from voices.providers.redaction import redacted

if TYPE_CHECKING:
    from voices.providers.errors import Sentence

TOKEN, TRAINING, SYNTHESIS, HANDSHAKE = "token", "training", "synthesis", "handshake"

TRAINING_FAILED = "trainStatus=0"
"""How a training that came to nothing is told: not by a code, but as its state."""
MAX_CLOCK_SKEW_SECONDS = 300.0
"""What the provider's edge allows."""


_of_token = partial(BookEntry, SLUG, TOKEN)
_of_training = partial(BookEntry, SLUG, TRAINING)
_of_synthesis = partial(BookEntry, SLUG, SYNTHESIS)
_of_handshake = partial(BookEntry, SLUG, HANDSHAKE)

_TELL_US = _("This is a mistake in the portal. Pass the ticket on to whoever looks after it.")
_TICKET = _("Open a ticket in the provider's console, with the code, the time and the session id.")
_ASK_SALES = _("Ask the provider's sales staff to extend the application's contract.")
_AGAIN = _("Nothing: the portal tries again. If it goes on for an hour, open a ticket in the provider's console.")
_CHECK_KEYS = _(
    "Compare application id, API key and API secret with the provider's console; all three are of one application."
)
_CHOOSE_TEXT = _("Choose the sentence again and read exactly that one aloud.")
_RECORD_AGAIN = _("Record again: the chosen sentence, once, in a quiet room, within 40 seconds.")
_NOT_NOW = _("Voice cloning is not available at the moment. Please tell the operator of this site.")
_CHOOSE_TEXT_AGAIN = _("Please choose the sentence to read again, and record exactly that one.")

_WRONG_LENGTH = _("The recording is too short or too long. Please read the chosen sentence once, within 40 seconds.")
_POOR_QUALITY = _(
    "The quality of the recording is below what was asked for. Please record in a quiet room, close to the microphone."
)
_WRONG_FORMAT = _("The provider could not use this sound file. Please record again or export it as WAV.")
_READING_DIFFERS = _(
    "The recording does not match the sentence. Please read exactly the chosen sentence and record again."
)

# The provider publishes no list of its reasons (2026-11); these are looked for in its words, the first that is found decides.
_REASONS: tuple[tuple[Sentence, tuple[str, ...]], ...] = (
    (_READING_DIFFERS, ("文本", "不一致", "不匹配", "漏读", "错读", "match")),
    (_WRONG_LENGTH, ("时长", "过短", "过长", "太短", "太长", "duration")),
    (_POOR_QUALITY, ("质量", "评分", "得分", "噪", "人声", "mos", "quality")),
    (_WRONG_FORMAT, ("格式", "采样率", "声道", "位深", "过大", "解码", "解析", "format", "sample rate")),
)

_ENGINE_CODES = (10003, *range(100_001, 100_011))
_GATEWAY_CODES = (10031, 10106, 10107, 10109, 10118, 10164, 10165, 10202, 10225, 10240, 10250, 10324, 11345, 12000)


def _failed_trainings() -> Iterator[BookEntry]:
    cause = _("The training came to nothing: the provider did not accept the recording.")
    failed = partial(_of_training, TRAINING_FAILED, SampleRejected, cause, _RECORD_AGAIN)
    for sentence, sayings in _REASONS:
        for saying in sayings:
            yield failed(sentence, saying=saying)
    yield failed()


def _engine_failures() -> Iterator[BookEntry]:
    cause = _("The speech engine failed; the provider's words hold its own number.")
    for code in _ENGINE_CODES:
        yield _of_synthesis(str(code), ProviderTrouble, cause, _TICKET, retry_after=2.0)


def _gateway_failures() -> Iterator[BookEntry]:
    cause = _("The provider's gateway failed inside.")
    for code in _GATEWAY_CODES:
        yield _of_synthesis(str(code), ProviderTrouble, cause, _AGAIN, retry_after=2.0)


def _too_fast() -> Iterator[BookEntry]:
    for code in ("11202", "11203"):
        yield _of_synthesis(
            code,
            RateLimited,
            _("Too many sessions at once, or too many calls a second."),
            _(
                "Nothing: the portal waits. If it happens often, lower the account's rate or ask sales for more sessions."
            ),
            retry_after=5.0,
        )


BOOK: tuple[BookEntry, ...] = (
    # --- the access token ---
    _of_token("000004", InvalidRequest, _("The token call lacks a parameter."), _TELL_US),
    _of_token("000006", InvalidRequest, _("A parameter of the token call has a wrong format."), _TELL_US),
    _of_token(
        "000007", CredentialsRejected, _("The signature of the token call is wrong: another API key."), _CHECK_KEYS
    ),
    _of_token("999999", ProviderTrouble, _("The token service has a problem of its own."), _AGAIN, retry_after=5.0),
    # --- training ---
    # The first refusal is answered by a fresh token and does not get here.
    _of_training("10000", ProviderTrouble, _("The access token has expired or is not valid."), _AGAIN, retry_after=5.0),
    _of_training("10001", InvalidRequest, _("The header X-AppId or X-Token is missing."), _TELL_US),
    _of_training(
        "10015",
        VoiceNotFound,
        _("The training belongs to another application."),
        _("If the account's application id was changed, change it back; otherwise start the voice again."),
        _("This recording cannot be continued. Please start the voice again."),
        act=Act.OPERATOR,
    ),
    _of_training(
        "10016",
        AccountBlocked,
        _("The application id is not valid for voice cloning."),
        _("Ask the provider to open voice cloning for this application."),
        _NOT_NOW,
    ),
    _of_training(
        "10017",
        AccountBlocked,
        _("The application may not train voices of this kind."),
        _("Ask the provider to open this kind of training, or offer the other model only."),
        _("Voices of this kind cannot be trained here. Please choose another model or tell the operator of this site."),
    ),
    _of_training(
        "10018",
        SlotsExhausted,
        _("No parallel trainings are assigned to the application, or all of them are running."),
        _("Nothing while others are in training: the portal tries again. Otherwise ask sales for parallel trainings."),
        _("Other trainings are running at the provider. Yours is queued and starts by itself."),
        retryable=True,
        retry_after=120.0,
    ),
    _of_training("10019", AccountBlocked, _("The application's authorisation has expired."), _ASK_SALES, _NOT_NOW),
    _of_training(
        "10020",
        AccountBlocked,
        _("The address of this server is not on the application's list of allowed addresses."),
        _("Have the provider add this server's public IP address to the application's list."),
        _NOT_NOW,
    ),
    _of_training(
        "10021",
        SlotsExhausted,
        _("No trainings are left."),
        _("Buy trainings for the application at the provider."),
        _("The number of trainings that this site has bought is used up. Please tell its operator."),
    ),
    _of_training(
        "20001",
        InvalidRequest,
        _("The set of texts to read is not valid or empty."),
        _CHOOSE_TEXT,
        _CHOOSE_TEXT_AGAIN,
        act=Act.USER,
    ),
    _of_training(
        "20002",
        InvalidRequest,
        _("There is no such sentence in the set of texts to read."),
        _CHOOSE_TEXT,
        _CHOOSE_TEXT_AGAIN,
        act=Act.USER,
    ),
    _of_training(
        "60000",
        VoiceNotFound,
        _("There is no such training."),
        _("Start the voice again."),
        _("This training no longer exists at the provider. Please start it again."),
    ),
    _of_training("90001", InvalidRequest, _("The structure of the request is not allowed."), _TELL_US),
    _of_training(
        "90002", InvalidRequest, _("A parameter of the request is wrong; the provider's words name it."), _TELL_US
    ),
    _of_training(
        "99999", ProviderTrouble, _("The training service has a problem of its own."), _AGAIN, retry_after=120.0
    ),
    *_failed_trainings(),
    # --- speech ---
    _of_synthesis(
        "10009",
        TextRejected,
        _("The input is not valid."),
        _("Change the text: leave out emoji, HTML and invisible characters."),
        _("The provider could not process this text. Please leave out emoji, HTML and unusual characters."),
    ),
    _of_synthesis(
        "10010",
        RateLimited,
        _("No licence is free: too many sessions at once, or none left."),
        _("Wait; if it stays, ask sales for more licences."),
        retry_after=30.0,
        act=Act.OPERATOR,
    ),
    _of_synthesis("10019", InvalidRequest, _("The connection was kept after the last data."), _TELL_US),
    _of_synthesis(
        "10043",
        InvalidRequest,
        _("The audio could not be coded in this format."),
        _("Choose MP3."),
        _("The provider could not make this audio format. Please choose MP3."),
        act=Act.USER,
    ),
    _of_synthesis(
        "10114",
        TextRejected,
        _("The session took longer than about 60 seconds."),
        _("Shorten the text."),
        _("This text takes too long to speak in one go. Please shorten it."),
    ),
    _of_synthesis("10139", InvalidRequest, _("A parameter is wrong."), _TELL_US),
    _of_synthesis("10160", InvalidRequest, _("The request is not JSON."), _TELL_US),
    _of_synthesis("10161", InvalidRequest, _("The text is not base64."), _TELL_US),
    _of_synthesis(
        "10163",
        VoiceNotUsable,
        _("The provider does not offer this voice."),
        _("Withdraw the voice, or enable it in the provider's console."),
        _("The provider does not offer this voice any more. Please choose another one."),
        saying="parameter.tts.vcn",
    ),
    _of_synthesis(
        "10163",
        InvalidRequest,
        _("The request does not fit the provider's schema; its words name the field."),
        _TELL_US,
    ),
    _of_synthesis("10200", StreamBroken, _("The provider waited 10 seconds for data."), _AGAIN, retryable=True),
    _of_synthesis(
        "10222",
        StreamBroken,
        _("More was sent than the provider takes, or a certificate is not valid."),
        _("Shorten the text; if that does not help, open a ticket with the log."),
        _("The provider gave up on this text. Please try again, with a shorter one if it happens again."),
        retryable=True,
        act=Act.USER,
    ),
    _of_synthesis("10223", ProviderTrouble, _("The provider found no machine for the call."), _AGAIN, retry_after=2.0),
    _of_synthesis(
        "10313",
        CredentialsRejected,
        _("The application id does not belong to the API key, or is empty."),
        _CHECK_KEYS,
    ),
    _of_synthesis("10317", ProviderTrouble, _("The version is not valid."), _TICKET, retryable=False),
    _of_synthesis("10404", InvalidRequest, _("There is no such address at the provider."), _TELL_US),
    _of_synthesis("10700", ProviderTrouble, _("The speech engine failed."), _TICKET, retry_after=2.0),
    _of_synthesis(
        "11200",
        AccountBlocked,
        _("The service or this voice is not enabled for the application, or its quota is used up or has expired."),
        _("Enable the service and the voice in the provider's console, and look at the characters left there."),
        _(
            "This voice is not enabled for this site, or what the site has bought is used up. Please choose another voice."
        ),
    ),
    _of_synthesis(
        "11201",
        AccountBlocked,
        _("The application's calls of this day are used up."),
        _("Wait until tomorrow (Beijing time), or apply for more calls a day."),
        _("The calls of this day are used up. Please try again tomorrow, or tell the operator of this site."),
    ),
    *_too_fast(),
    _of_synthesis("11502", ProviderTrouble, _("The provider's service is set up wrongly."), _TICKET, retry_after=2.0),
    _of_synthesis(
        "11503", ProviderTrouble, _("The provider's service got a wrong answer inside."), _AGAIN, retry_after=2.0
    ),
    _of_synthesis(
        "26004",
        VoiceNotFound,
        _("The voice is unknown, or another application's, or was trained with the other edition."),
        _("Check the voice's id and model, and that the account's application id is the one that it was trained with."),
        _("The provider does not know this voice with this model. Please choose another voice or train it again."),
    ),
    _of_synthesis(
        "26005", StreamBroken, _("The provider waited 14 seconds for the end of the text."), _AGAIN, retryable=True
    ),
    _of_synthesis(
        "26006", ProviderTrouble, _("The speech engine gave nothing for 14 seconds."), _AGAIN, retry_after=2.0
    ),
    _of_synthesis("26016", InvalidRequest, _("Text was sent after its end."), _TELL_US),
    *_engine_failures(),
    *_gateway_failures(),
    # --- the handshake of speech ---
    _of_handshake("401", CredentialsRejected, _("The key is unknown, or the signature does not match."), _CHECK_KEYS),
    _of_handshake(
        "403",
        ClockSkewed,
        _("The date of the signature is more than five minutes off."),
        _("Set the clock of this server, best by NTP."),
    ),
    _of_handshake(
        "404",
        InvalidRequest,
        _("There is no such service at this address."),
        _("Correct the address of the speech service on the provider account."),
    ),
)


def token_refused(*, code: str, message: str, http_status: int, retry_after: float | None = None) -> ProviderError:
    entry = found(BOOK, TOKEN, code=code)
    if entry is not None:
        return entry.error(message, http_status=http_status, retry_after=retry_after)
    return _unknown(message, code=code, http_status=http_status, retry_after=retry_after)


def training_refused(
    *,
    code: int | None,
    message: str,
    http_status: int,
    request_id: str = "",
    paid: bool = False,
    retry_after: float | None = None,
) -> ProviderError:
    """What an answer of the training service means that is no success. `paid`: the call may have begun a training all the same."""
    shown = "" if code is None else str(code)
    entry = found(BOOK, TRAINING, code=shown, message=message)
    if entry is None:
        error = _unknown(message, code=shown, http_status=http_status, request_id=request_id, retry_after=retry_after)
    else:
        error = entry.error(message, http_status=http_status, request_id=request_id, retry_after=retry_after)
    if paid and type(error) is ProviderTrouble and shown != "10000":
        return OutcomeUnknown(
            message, provider=SLUG, provider_code=shown, http_status=http_status, request_id=request_id
        )
    return error


def training_failed(*, reason: str, request_id: str) -> ProviderError:
    """Why a training came to nothing, from the provider's words."""
    entry = found(BOOK, TRAINING, code=TRAINING_FAILED, message=reason)
    assert entry is not None, "the book has an entry without a saying"
    return entry.error(redacted(reason, secrets=()), request_id=request_id)


def synthesis_failed(*, code: int, message: str, request_id: str, audio_heard: bool) -> ProviderError:
    """What an error frame means. After audio nothing is retryable: a second run would be billed again."""
    entry = found(BOOK, SYNTHESIS, code=str(code), message=message)
    retryable = False if audio_heard else None
    if entry is None:
        return ProviderTrouble(
            message, provider=SLUG, provider_code=str(code), request_id=request_id, retryable=retryable
        )
    return entry.error(message, request_id=request_id, retryable=retryable)


def handshake_refused(*, http_status: int, message: str, date: str, now: float) -> ProviderError | None:
    """What it means that the WebSocket was refused; None when only the status tells. `now` is our clock, `date` the provider's."""
    entry = found(BOOK, HANDSHAKE, code=str(http_status))
    if entry is None:
        return None
    difference = _clock_difference(date, now) if entry.kind is ClockSkewed else None
    if difference is None:
        return entry.error(message, http_status=http_status)
    if abs(difference) <= MAX_CLOCK_SKEW_SECONDS:
        # The clocks agree, so it is not the clock.
        return CredentialsRejected(message, provider=SLUG, provider_code=str(http_status), http_status=http_status)
    where = "ahead of" if difference > 0 else "behind"
    return entry.error(
        f"our clock is {abs(difference):.0f} s {where} the provider's; {message}", http_status=http_status
    )


def _clock_difference(date: str, now: float) -> float | None:
    """By how many seconds our clock is ahead; None when the provider's date cannot be read."""
    try:
        return now - parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def _unknown(
    message: str, *, code: str, http_status: int, request_id: str = "", retry_after: float | None = None
) -> ProviderError:
    """For a code that nobody has told us about; it is carried in the error all the same."""
    kind: type[ProviderError] = ProviderTrouble
    if 400 <= http_status < 500:
        kinds: Mapping[int, type[ProviderError]] = {401: CredentialsRejected, 403: AccountBlocked, 429: RateLimited}
        kind = kinds.get(http_status, Refused)
    return kind(
        message,
        provider=SLUG,
        provider_code=code,
        http_status=http_status,
        request_id=request_id,
        retry_after=retry_after,
    )
