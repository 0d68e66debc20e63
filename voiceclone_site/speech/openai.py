"""POST /v1/audio/speech, as OpenAI's clients ask it. Fields that we do not know are passed over, as theirs does.

Only the audio form of the answer so far: `stream_format` takes `audio` alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.utils.translation import gettext_lazy as _

from synthesis import audio
from voiceclone_site.errors import Problem, headers_of
from voiceclone_site.speech.bodies import answer_in_json, bearer, json_object
from voiceclone_site.speech.dialect import (
    Answer,
    Asked,
    Dialect,
    Speaking,
    SpeechWish,
    Token,
    Untouched,
    VoiceRef,
)
from voices.errors import InvalidInput

FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
DEFAULT_FORMAT = "mp3"
PCM_RATE = 24_000
SLOWEST, FASTEST = 0.25, 4.0

NAMES = {"text": "input", "format": "response_format"}

# Our code -> theirs, where their clients look for it.
CODES = {
    "token_missing": "invalid_api_key",
    "token_malformed": "invalid_api_key",
    "token_unknown": "invalid_api_key",
    "token_expired": "invalid_api_key",
    "token_revoked": "insufficient_scope",
    "scope_missing": "insufficient_scope",
    "not_found": "voice_not_found",
    "busy": "rate_limit_exceeded",
    "rate_limited": "rate_limit_exceeded",
    "invalid_input": "invalid_value",
    "parse_error": "invalid_value",
}
# Their clients ask again by themselves on 409, 429 and 5xx; these stay as they are however often they are asked.
STATUS = {
    "token_revoked": HTTPStatus.FORBIDDEN,
    "not_found": HTTPStatus.BAD_REQUEST,
    "voice_not_ready": HTTPStatus.BAD_REQUEST,
}


def credential(asked: Asked) -> Token:
    return Token(bearer(asked))


def wish(asked: Asked) -> SpeechWish:
    given = json_object(asked)
    wrong: dict[str, Sequence[Any]] = {}
    text, voice, model = given.get("input"), given.get("voice"), given.get("model")
    if not isinstance(text, str):
        wrong["input"] = [_("Give the text to speak.")]
    if isinstance(voice, Mapping):
        voice = voice.get("id")
    if not isinstance(voice, str) or not voice:
        wrong["voice"] = [_("Give the id or the exact name of one of your voices.")]
    if not isinstance(model, str) or not model:
        wrong["model"] = [_("Give a model, such as tts-1: it means the voice's own.")]
    audio_format = given.get("response_format") or DEFAULT_FORMAT
    if audio_format not in FORMATS:
        wrong["response_format"] = [_("Choose one of: {offered}.").format(offered=", ".join(FORMATS))]
    speed = given.get("speed")
    if speed is not None and not (
        isinstance(speed, int | float) and not isinstance(speed, bool) and SLOWEST <= speed <= FASTEST
    ):
        wrong["speed"] = [_("Give a number from {low} to {high}.").format(low=SLOWEST, high=FASTEST)]
    if given.get("stream_format", "audio") != "audio":
        wrong["stream_format"] = [_("Choose one of: {offered}.").format(offered="audio")]
    if wrong:
        raise InvalidInput(fields=wrong)
    assert isinstance(text, str)
    assert isinstance(voice, str)
    return SpeechWish(
        voice=VoiceRef(voice, may_be_name=True),
        text=text,
        audio_format=audio_format,
        sample_rate=PCM_RATE if audio_format == "pcm" else None,
        speed=speed,
    )


def naming(field: str) -> str:
    return NAMES.get(field, field)


def headers(wish: SpeechWish, speaking: Speaking) -> Mapping[str, str]:
    return {
        "Content-Type": audio.content_type(speaking.audio_format),
        "X-Generation-Id": str(speaking.job_id),
        "X-Voice-Id": str(speaking.voice_id),
        "X-Characters": str(speaking.characters),
    }


def framing(wish: SpeechWish, speaking: Speaking) -> Untouched:
    return Untouched()


def refusal(problem: Problem) -> Answer:
    status = int(STATUS.get(problem.code, problem.status))
    field = next(iter(problem.fields or ()), None)
    if problem.code in {"not_found", "voice_not_ready"}:
        field = "voice"
    error = {
        "message": problem.message,
        "type": _kind(status, problem),
        "param": field,
        "code": problem.provider_code or CODES.get(problem.code, problem.code),
    }
    headers = headers_of(problem)
    if not problem.retryable:
        headers["X-Should-Retry"] = "false"
    return answer_in_json(status, {"error": error}, headers)


def _kind(status: int, problem: Problem) -> str:
    if problem.provider is not None:
        return "upstream_error"
    if status == HTTPStatus.FORBIDDEN:
        return "permission_error"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "rate_limit_error" if problem.retryable else "insufficient_quota"
    return "invalid_request_error" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error"


OPENAI = Dialect(
    name="openai",
    credential=credential,
    wish=wish,
    naming=naming,
    headers=headers,
    framing=framing,
    refusal=refusal,
)
