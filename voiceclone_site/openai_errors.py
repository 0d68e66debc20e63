"""A Problem as OpenAI's clients read it: `{"error": {message, type, param, code}}`, all four always there.

Their SDK takes the class of its exception from the status alone, and asks again by itself on 408, 409, 429 and 5xx unless
`x-should-retry` forbids it. So nothing that stays as it is leaves as a 409, and only what may pass by itself is asked again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from voiceclone_site.errors import Problem, Refusal, headers_of

REQUEST, PERMISSION, RATE, QUOTA = (
    "invalid_request_error",
    "permission_error",
    "rate_limit_error",
    "insufficient_quota",
)
UPSTREAM, SERVER = "upstream_error", "server_error"


@dataclass(frozen=True, slots=True)
class Theirs:
    """What one of our codes is in this dialect; None leaves what follows from the status."""

    code: str
    kind: str | None = None
    status: HTTPStatus | None = None
    param: str | None = None


_BAD = HTTPStatus.BAD_REQUEST

CODES: Mapping[str, Theirs] = {
    "token_missing": Theirs("invalid_api_key"),
    "token_malformed": Theirs("invalid_api_key"),
    "token_unknown": Theirs("invalid_api_key"),
    "token_revoked": Theirs("invalid_api_key"),
    "token_expired": Theirs("invalid_api_key"),
    "scope_missing": Theirs("insufficient_scope"),
    "voice_not_found": Theirs("voice_not_found", status=_BAD, param="voice"),
    "voice_not_ready": Theirs("voice_not_ready", status=_BAD, param="voice"),
    "voice_not_usable": Theirs("voice_not_ready", REQUEST, _BAD, param="voice"),
    "voice_not_found_at_provider": Theirs("voice_not_found", REQUEST, _BAD, param="voice"),
    "model_not_found": Theirs("model_not_found", param="model"),
    "invalid_input": Theirs("invalid_value"),
    "parse_error": Theirs("invalid_value"),
    "bad_request": Theirs("invalid_value"),
    "sample_refused": Theirs("invalid_audio", status=_BAD),
    "consent_missing": Theirs("consent_required", status=_BAD, param="consent"),
    "text_rejected": Theirs("content_policy_violation", REQUEST, _BAD, param="input"),
    "request_too_large": Theirs("string_above_max_length"),
    "exhausted": Theirs("insufficient_quota", QUOTA),
    "characters_exhausted": Theirs("insufficient_quota", QUOTA),
    "trainings_exhausted": Theirs("insufficient_quota", QUOTA),
    "storage_exhausted": Theirs("insufficient_quota", QUOTA),
    "token_characters_exhausted": Theirs("insufficient_quota", QUOTA),
    "token_cost_exhausted": Theirs("insufficient_quota", QUOTA),
    "account_characters_exhausted": Theirs("insufficient_quota", QUOTA),
    "account_trainings_exhausted": Theirs("insufficient_quota", QUOTA),
    "account_cost_exhausted": Theirs("insufficient_quota", QUOTA),
    "voices_exhausted": Theirs("voice_limit_reached", QUOTA),
    "slots_exhausted": Theirs("voice_limit_reached", QUOTA),
    "jobs_exhausted": Theirs("rate_limit_exceeded", RATE),
    "busy": Theirs("rate_limit_exceeded", RATE),
    "throttled": Theirs("rate_limit_exceeded", RATE),
    "rate_limited": Theirs("rate_limit_exceeded", RATE),
}
_KINDS = {
    HTTPStatus.FORBIDDEN: PERMISSION,
    HTTPStatus.TOO_MANY_REQUESTS: RATE,
}


def refusal(problem: Problem) -> Refusal:
    theirs = CODES.get(problem.code, Theirs(problem.code))
    status = theirs.status or _status(problem)
    error = {
        "message": problem.message,
        "type": theirs.kind or _kind(problem, status),
        "param": next(iter(problem.fields or ()), theirs.param),
        "code": _code(problem, theirs),
    }
    return Refusal(status=int(status), body={"error": error}, headers=_headers(problem, theirs))


def _status(problem: Problem) -> int:
    if problem.provider is not None and problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return HTTPStatus.BAD_GATEWAY
    if problem.status in (HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY):
        return HTTPStatus.BAD_REQUEST
    return problem.status


def _kind(problem: Problem, status: int) -> str:
    if problem.provider is not None:
        return UPSTREAM
    return _KINDS.get(HTTPStatus(status), REQUEST if status < HTTPStatus.INTERNAL_SERVER_ERROR else SERVER)


def _code(problem: Problem, theirs: Theirs) -> str:
    """A provider's own code, where what went wrong is between us and the provider."""
    known = problem.code in CODES or not problem.provider_code
    return theirs.code if known else str(problem.provider_code)


def _headers(problem: Problem, theirs: Theirs) -> dict[str, str]:
    # A quota begins anew by itself, but no client should wait for the month to end.
    again = problem.retryable and theirs.kind != QUOTA
    headers = headers_of(problem) | {"X-Should-Retry": "true" if again else "false"}
    if problem.provider is not None:
        headers["X-Vendor"] = problem.provider
    if problem.provider_request_id:
        headers["X-Vendor-Request-Id"] = problem.provider_request_id
    return headers
