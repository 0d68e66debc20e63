"""Which dialect of the API a request speaks, by its address and, where two share one, by the header that carries its key.

    /api/…                                  ours
    /v1/audio/…, /v1/models[/…], /openai/…  OpenAI's; with `xi-api-key`, /v1/models is ElevenLabs'
    /v1/…, /v2/…, /elevenlabs/…             ElevenLabs'

A refusal is worded in the dialect of its request wherever it happens: in a view, before one was found, or when one broke.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import patch_vary_headers
from rest_framework.response import Response
from rest_framework.views import set_rollback

from voiceclone_site import elevenlabs_errors, errors, openai_errors
from voiceclone_site.errors import Problem, Refusal, problem_of
from voiceclone_site.requests import GetResponse, current_request_id
from voices.providers.errors import ProviderError

logger = logging.getLogger(__name__)

KEY_HEADER = "xi-api-key"
OPENAI_PATHS = ("/openai/", "/v1/audio/", "/v1/models")
ELEVENLABS_PATHS = ("/elevenlabs/", "/v1/", "/v2/")
FROM_ANYWHERE = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "*"}
PREFLIGHT = {"Access-Control-Allow-Methods": "GET, POST, DELETE, OPTIONS", "Access-Control-Max-Age": "86400"}

Render = Callable[[Problem], Refusal]


def of(request: HttpRequest) -> Render | None:
    """How this request is refused; None for one that a browser asks for a page."""
    path = request.path_info
    if path.startswith("/api/"):
        return errors.refusal
    if path.startswith(OPENAI_PATHS) and not (path.startswith("/v1/models") and KEY_HEADER in request.headers):
        return openai_errors.refusal
    if path.startswith(ELEVENLABS_PATHS):
        # An address that neither has, asked as OpenAI's clients ask.
        known = KEY_HEADER in request.headers or "Authorization" not in request.headers
        return elevenlabs_errors.refusal if known or path.startswith("/elevenlabs/") else openai_errors.refusal
    return None


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """For REST_FRAMEWORK["EXCEPTION_HANDLER"]. None lets what nobody foresaw become a 500 (error_pages.py)."""
    problem = problem_of(error)
    if problem is None:
        return None
    set_rollback()
    if isinstance(error, ProviderError):
        logger.warning("%s", error)
    refused = (of(context["request"]) or errors.refusal)(problem)
    return Response(refused.body, status=refused.status, headers=refused.headers)


class CrossOriginMiddleware:
    """The other dialects' clients run in browsers too, on pages of any origin: they carry a key and never a cookie."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith((*OPENAI_PATHS, *ELEVENLABS_PATHS)):
            return self.get_response(request)
        is_preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        response = HttpResponse(status=204) if is_preflight else self.get_response(request)
        for name, value in (FROM_ANYWHERE | PREFLIGHT if is_preflight else FROM_ANYWHERE).items():
            response.headers[name] = value
        # A star does not stand for Authorization.
        asked_for = request.headers.get("Access-Control-Request-Headers", "")
        response.headers["Access-Control-Allow-Headers"] = asked_for or f"authorization, {KEY_HEADER}, content-type"
        patch_vary_headers(response, ["Access-Control-Request-Headers"])
        response.headers["Request-Id"] = current_request_id()  # as ElevenLabs calls it
        return response
