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


def set_request_id(request_id: str) -> None:
    """From now on, in this task and in what it starts; the lines of the log are about this request and nothing else."""
    _request_id.set(request_id)
    logbook.begin()


def request_id_from(given: str) -> str:
    """What a proxy in front of us gave, where it is sane; else one of our own."""
    return given if SANE.fullmatch(given) else secrets.token_hex(8)


class RequestIdMiddleware:
    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id = request_id_from(request.headers.get("X-Request-Id", ""))
        set_request_id(request_id)
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
