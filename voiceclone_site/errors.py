"""The one table: error class -> HTTP status and body. Services raise, views do not catch.

`problem_of` says what an error means to whoever asked; each dialect of the API renders a Problem in its own words
(openai_errors.py, elevenlabs_errors.py; which one is for dialects.py to say). Ours is `refusal`; docs/errors.md is this table for
readers. An error that stands in no row is a fault of ours: a 500 that is logged with its traceback, and no detail of it leaves.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import exceptions as drf

from synthesis import errors as speech
from voiceclone_site.accounts.errors import MoreThanOwn, NotLetIn, TokenElsewhere
from voiceclone_site.requests import current_request_id
from voices import book, outward, webhooks
from voices import errors as portal
from voices.models import Measure
from voices.pricing import plain
from voices.providers import errors as provider
from voices.providers.errors import Act

logger = logging.getLogger(__name__)

# An error is looked up by its own class first, then by its bases: a new one inherits a sane answer.
STATUS: dict[type[Exception], HTTPStatus] = {
    # between us and a provider
    provider.ProviderError: HTTPStatus.BAD_GATEWAY,
    provider.Unreachable: HTTPStatus.SERVICE_UNAVAILABLE,
    provider.OutcomeUnknown: HTTPStatus.BAD_GATEWAY,
    provider.StreamBroken: HTTPStatus.BAD_GATEWAY,
    provider.ProviderTrouble: HTTPStatus.SERVICE_UNAVAILABLE,
    provider.Refused: HTTPStatus.BAD_GATEWAY,
    provider.CredentialsRejected: HTTPStatus.BAD_GATEWAY,
    provider.AccountBlocked: HTTPStatus.BAD_GATEWAY,
    provider.SlotsExhausted: HTTPStatus.TOO_MANY_REQUESTS,
    provider.RateLimited: HTTPStatus.TOO_MANY_REQUESTS,
    provider.SampleRejected: HTTPStatus.UNPROCESSABLE_ENTITY,
    provider.SampleUnreachable: HTTPStatus.BAD_GATEWAY,
    provider.VoiceNotFound: HTTPStatus.CONFLICT,
    provider.VoiceNotUsable: HTTPStatus.CONFLICT,
    provider.VoiceNotDeletable: HTTPStatus.CONFLICT,
    provider.TextRejected: HTTPStatus.UNPROCESSABLE_ENTITY,
    provider.InvalidRequest: HTTPStatus.BAD_GATEWAY,
    provider.ConfigurationError: HTTPStatus.INTERNAL_SERVER_ERROR,
    # what the portal refuses by itself
    portal.PortalError: HTTPStatus.CONFLICT,
    portal.InvalidInput: HTTPStatus.BAD_REQUEST,
    portal.SampleRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    portal.ConsentMissing: HTTPStatus.UNPROCESSABLE_ENTITY,
    portal.WrongState: HTTPStatus.CONFLICT,
    portal.NotSupported: HTTPStatus.UNPROCESSABLE_ENTITY,
    portal.NoAccount: HTTPStatus.SERVICE_UNAVAILABLE,
    portal.Exhausted: HTTPStatus.TOO_MANY_REQUESTS,
    portal.NoRoomLeft: HTTPStatus.FORBIDDEN,
    portal.Busy: HTTPStatus.TOO_MANY_REQUESTS,
    portal.AccountPaused: HTTPStatus.SERVICE_UNAVAILABLE,
    portal.CircuitOpen: HTTPStatus.SERVICE_UNAVAILABLE,
    portal.KeyInUse: HTTPStatus.CONFLICT,
    portal.StorageUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    portal.KeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
    portal.Fault: HTTPStatus.INTERNAL_SERVER_ERROR,
    outward.AddressRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    outward.OutwardFailed: HTTPStatus.BAD_GATEWAY,
    webhooks.NotAccepted: HTTPStatus.BAD_GATEWAY,
    portal.NoSuchVoice: HTTPStatus.NOT_FOUND,
    portal.NoSuchModel: HTTPStatus.NOT_FOUND,
    speech.EmptySpeech: HTTPStatus.BAD_GATEWAY,
    speech.UnreadableAudio: HTTPStatus.BAD_GATEWAY,
    NotLetIn: HTTPStatus.UNAUTHORIZED,
    TokenElsewhere: HTTPStatus.FORBIDDEN,
    MoreThanOwn: HTTPStatus.FORBIDDEN,
    # Django's own
    Http404: HTTPStatus.NOT_FOUND,
    PermissionDenied: HTTPStatus.FORBIDDEN,
    DjangoValidationError: HTTPStatus.BAD_REQUEST,
    RequestDataTooBig: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    TooManyFilesSent: HTTPStatus.BAD_REQUEST,
    TooManyFieldsSent: HTTPStatus.BAD_REQUEST,
}
OPERATOR_ACTS = (
    portal.NoAccount,
    portal.AccountExhausted,
    portal.AccountPaused,
    portal.StorageUnavailable,
    portal.Fault,
    provider.ConfigurationError,
)


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, for whoever asked. `action` is who has to act; `retry_after` in seconds; `help_url` explains the
    provider's code, as a path; `reason` is the finding for which a recording was refused."""

    status: int
    code: str
    message: str
    action: str = Act.USER.value
    retryable: bool = False
    retry_after: float | None = None
    provider: str | None = None
    provider_code: str | None = None
    provider_request_id: str | None = None
    help_url: str | None = None
    fields: Mapping[str, Sequence[str]] | None = None
    quota: portal.Quota | None = None
    reason: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A Problem in the words of one dialect: `body` leaves as JSON."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str]


def status_of(error: type[BaseException]) -> int | None:
    for cls in error.__mro__:
        if cls in STATUS:
            return int(STATUS[cls])
    return None


def problem_of(error: BaseException) -> Problem | None:
    """None for an error that nobody foresaw."""
    if isinstance(error, drf.APIException):
        return _from_rest_framework(error)
    status = status_of(type(error))
    if status is None:
        return None
    match error:
        case provider.ProviderError():
            return Problem(
                status=status,
                code=error.code,
                message=str(error.sentence),
                action=error.act.value,
                retryable=error.retryable,
                retry_after=error.retry_after,
                provider=error.provider,
                provider_code=error.provider_code or None,
                provider_request_id=error.request_id or None,
                help_url=_help_url(error),
            )
        case portal.PortalError():
            retry_after = _retry_after(error)
            return Problem(
                status=status,
                code=error.code,
                message=str(error.sentence),
                action=(Act.OPERATOR if isinstance(error, OPERATOR_ACTS) else Act.USER).value,
                retryable=retry_after is not None,
                retry_after=retry_after,
                fields=_words(error.fields) if isinstance(error, portal.InvalidInput) else None,
                quota=error.quota if isinstance(error, portal.LimitReached) else None,
                reason=error.reason if isinstance(error, portal.SampleRefused) else "",
            )
        case provider.ConfigurationError():
            logger.error("The portal is set up wrongly: %s", error)
            sentence = _("This site is not set up correctly. Please tell its operator.")
            return Problem(status=status, code="configuration", message=sentence, action=Act.OPERATOR.value)
        case DjangoValidationError():
            fields = error.message_dict if hasattr(error, "error_dict") else {"non_field_errors": error.messages}
            return _invalid(fields)
        case Http404():
            return Problem(status=status, code="not_found", message=not_found())
        case PermissionDenied():
            sentence = str(error) or _("You may not do this.")
            return Problem(status=status, code="permission_denied", message=sentence)
        case RequestDataTooBig():
            sentence = _("This is too much data at once. Please send less.")
            return Problem(status=status, code="request_too_large", message=sentence)
    return Problem(status=status, code="bad_request", message=_("This request cannot be read. Please check its form."))


def _retry_after(error: portal.PortalError) -> float | None:
    """Seconds until the same request may work without anybody doing anything."""
    if isinstance(error, portal.Busy | portal.StorageUnavailable):
        return error.retry_after
    resets_at = None
    if isinstance(error, portal.AccountExhausted):
        resets_at = error.resets_at
    elif isinstance(error, portal.LimitReached) and error.quota is not None:
        resets_at = error.quota.resets_at
    return None if resets_at is None else max((resets_at - timezone.now()).total_seconds(), 1.0)


def _help_url(error: provider.ProviderError) -> str | None:
    return book.help_url(error.provider_code, book.entry_of_error(error)) if error.provider_code else None


def not_found() -> str:
    """The same for what does not exist and for what belongs to somebody else."""
    return _("There is nothing here: it does not exist, or it is not yours.")


def body_of(problem: Problem) -> dict[str, Any]:
    error: dict[str, Any] = {
        "code": problem.code,
        "message": problem.message,
        "action": problem.action,
        "provider": problem.provider,
        "provider_code": problem.provider_code,
        "provider_request_id": problem.provider_request_id,
        "help_url": f"{settings.PUBLIC_BASE_URL}{problem.help_url}" if problem.help_url else None,
        "request_id": current_request_id(),
        "retryable": problem.retryable,
    }
    if problem.fields is not None:
        error["fields"] = {name: list(sentences) for name, sentences in problem.fields.items()}
    if problem.quota is not None:
        error["quota"] = _quota(problem.quota)
    return {"error": error}


def _quota(quota: portal.Quota) -> dict[str, Any]:
    measure = Measure(quota.measure)
    amounts = {name: plain(measure, getattr(quota, name)) for name in ("used", "limit", "left", "asked")}
    return {"measure": quota.measure, **amounts, "resets_at": quota.resets_at and quota.resets_at.isoformat()}


def headers_of(problem: Problem) -> dict[str, str]:
    headers = dict(problem.headers)
    if problem.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(problem.retry_after)))
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers.setdefault("WWW-Authenticate", 'Bearer realm="api"')
    return headers


def refusal(problem: Problem) -> Refusal:
    """In our own words."""
    return Refusal(status=problem.status, body=body_of(problem), headers=headers_of(problem))


def _from_rest_framework(error: drf.APIException) -> Problem:
    if isinstance(error, drf.ValidationError):
        return _invalid(_flat(error.detail))
    if isinstance(error, drf.NotFound):
        return Problem(status=error.status_code, code="not_found", message=not_found())
    code = error.get_codes()
    auth_header = getattr(error, "auth_header", None)
    if auth_header and isinstance(error, drf.AuthenticationFailed):
        auth_header += ', error="invalid_token"'
    return Problem(
        status=error.status_code,
        code=code if isinstance(code, str) else error.default_code,
        message=str(error.detail),
        retryable=isinstance(error, drf.Throttled),
        retry_after=getattr(error, "wait", None),
        headers={"WWW-Authenticate": auth_header} if auth_header else {},
    )


def _invalid(fields: Mapping[str, Sequence[Any]]) -> Problem:
    words = _words(fields)
    first = next((sentences[0] for sentences in words.values() if sentences), _("Please check what you sent."))
    return Problem(status=400, code=portal.InvalidInput.code, message=first, fields=words)


def _words(fields: Mapping[str, Sequence[Any]]) -> dict[str, list[str]]:
    return {name: [str(sentence) for sentence in sentences] for name, sentences in fields.items()}


def _flat(detail: Any, name: str = "") -> dict[str, list[Any]]:
    """DRF's nested details under dotted names: `{"options": {"speed": [...]}}` becomes `{"options.speed": [...]}`."""
    if isinstance(detail, Mapping):
        found: dict[str, list[Any]] = {}
        for key, inner in detail.items():
            found |= _flat(inner, f"{name}.{key}" if name else str(key))
        return found
    if isinstance(detail, list) and any(isinstance(inner, Mapping | list) for inner in detail):
        return _flat({str(place): inner for place, inner in enumerate(detail) if inner}, name)
    sentences = detail if isinstance(detail, list) else [detail]
    return {name or "non_field_errors": sentences} if sentences else {}
