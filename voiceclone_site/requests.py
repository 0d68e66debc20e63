"""What every request gets: an id that leads from an answer to the log, and the browser features that our pages may use."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from contextvars import ContextVar

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from voices import logbook

GetResponse = Callable[[HttpRequest], HttpResponseBase]

# Never reset at the end of a request: a streamed body is still to come, and its log lines belong to the request.
_request_id: ContextVar[str] = ContextVar("request_id", default="")

# What a proxy in front of us sends; anything else could smuggle text into the log.
SANE = re.compile(r"[0-9A-Za-z._:-]{8,64}", re.ASCII)


def current_request_id() -> str:
    """Empty outside a request."""
    return _request_id.get()


class RequestIdMiddleware:
    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get("X-Request-Id", "")
        request_id = given if SANE.fullmatch(given) else secrets.token_hex(8)
        _request_id.set(request_id)
        logbook.begin()
        response = self.get_response(request)
        response.headers["X-Request-Id"] = request_id
        return response


class PermissionsPolicyMiddleware:
    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Permissions-Policy", settings.PERMISSIONS_POLICY)
        return response
