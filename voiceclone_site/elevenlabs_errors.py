"""A Problem as ElevenLabs' clients read it: `{"detail": {status, message}}`, and for a body of the wrong shape a 422 with a list,
`{"detail": [{loc, msg, type}]}`. Their SDK raises ApiError for any status but 2xx.

It asks again by itself on 408, 409, 429 and 5xx. What stays as it is leaves as something else: a used-up quota is a 401 with
them, and a voice in the wrong state a 400.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from voiceclone_site.errors import Problem, Refusal, headers_of
from voices.errors import InvalidInput, SampleRefused


@dataclass(frozen=True, slots=True)
class Theirs:
    """What one of our codes is in this dialect; None leaves our status."""

    word: str
    status: HTTPStatus | None = None


WRONG_TYPE = "wrong_type"
"""The code of an InvalidInput that is about a field's type, whatever the field."""
_BAD, _NO = HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED
_ASKED_AGAIN = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT)

CODES: Mapping[str, Theirs] = {
    "token_missing": Theirs("needs_authorization"),
    "token_malformed": Theirs("invalid_api_key"),
    "token_unknown": Theirs("invalid_api_key"),
    "token_revoked": Theirs("invalid_api_key"),
    "token_expired": Theirs("invalid_api_key"),
    "scope_missing": Theirs("missing_permissions"),
    "voice_not_ready": Theirs("voice_not_fine_tuned", _BAD),
    "voice_not_usable": Theirs("voice_not_fine_tuned", _BAD),
    "voice_not_found_at_provider": Theirs("voice_not_found", HTTPStatus.NOT_FOUND),
    "model_not_found": Theirs("model_not_found", _BAD),
    "sample_refused": Theirs("invalid_audio", _BAD),
    "consent_missing": Theirs("consent_required", HTTPStatus.FORBIDDEN),
    "text_rejected": Theirs("text_rejected", _BAD),
    "request_too_large": Theirs("max_character_limit_exceeded", _BAD),
    "exhausted": Theirs("quota_exceeded", _NO),
    "characters_exhausted": Theirs("quota_exceeded", _NO),
    "trainings_exhausted": Theirs("quota_exceeded", _NO),
    "storage_exhausted": Theirs("quota_exceeded", _NO),
    "token_characters_exhausted": Theirs("quota_exceeded", _NO),
    "token_cost_exhausted": Theirs("quota_exceeded", _NO),
    "account_characters_exhausted": Theirs("quota_exceeded", _NO),
    "account_trainings_exhausted": Theirs("quota_exceeded", _NO),
    "account_cost_exhausted": Theirs("quota_exceeded", _NO),
    "voices_exhausted": Theirs("voice_limit_reached", _BAD),
    "jobs_exhausted": Theirs("too_many_concurrent_requests"),
    "slots_exhausted": Theirs("voice_limit_reached", _BAD),
    "busy": Theirs("too_many_concurrent_requests"),
    "throttled": Theirs("rate_limit_exceeded"),
    "rate_limited": Theirs("rate_limit_exceeded"),
}
# What a wrong field is called, where they have a word for it. A text that is wrong in itself is too long: an empty one has a code.
FIELDS: Mapping[str, str] = {
    "output_format": "invalid_output_format",
    "model_id": "model_not_found",
    "text": "max_character_limit_exceeded",
}
RECORDINGS: Mapping[str, str] = {
    "too_short": "audio_too_short",
    "silent": "audio_silent",
    "too_large": "audio_too_large",
}


def refusal(problem: Problem) -> Refusal:
    headers = headers_of(problem)
    if problem.provider is not None:
        headers["X-Vendor"] = problem.provider
    if problem.provider_request_id:
        headers["X-Vendor-Request-Id"] = problem.provider_request_id
    field = next(iter(problem.fields or ()), "")
    if problem.code == WRONG_TYPE or (problem.code == InvalidInput.code and field not in FIELDS):
        return Refusal(status=HTTPStatus.UNPROCESSABLE_ENTITY, body={"detail": _places(problem)}, headers=headers)
    word, status = _word(problem, field), _status(problem)
    return Refusal(status=status, body={"detail": {"status": word, "message": problem.message}}, headers=headers)


def _word(problem: Problem, field: str) -> str:
    if problem.code == SampleRefused.code:
        return RECORDINGS.get(problem.reason, "invalid_audio")
    if problem.code == InvalidInput.code:
        return FIELDS[field]
    if problem.code in CODES:
        return CODES[problem.code].word
    return "upstream_error" if problem.provider is not None else problem.code


def _status(problem: Problem) -> int:
    theirs = CODES.get(problem.code)
    if theirs is not None and theirs.status is not None:
        return theirs.status
    if problem.provider is not None and problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return HTTPStatus.BAD_GATEWAY
    return HTTPStatus.BAD_REQUEST if problem.status in _ASKED_AGAIN or problem.fields else problem.status


def _places(problem: Problem) -> list[dict[str, object]]:
    return [
        {"loc": ["body", *field.split(".")], "msg": sentence, "type": "value_error"}
        for field, sentences in (problem.fields or {}).items()
        for sentence in sentences
    ]
