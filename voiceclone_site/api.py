"""What holds for all of the API: one address however it is typed, and JSON that cannot break its reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import IO, Any

from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

PREFIXES = ("/api/v1/", "/v1/", "/v2/", "/openai/", "/elevenlabs/")


class SlashlessMiddleware:
    """`/api/v1/voices/` is `/api/v1/voices`: answered, not redirected, for a redirected POST arrives without its body."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(PREFIXES):
            request.path_info = request.path_info.removesuffix("/")
        return self.get_response(request)


class SafeJSONParser(JSONParser):
    """JSON is UTF-8 whatever the request's charset claims (RFC 8259), and brackets ten thousand deep are refused, not a 500."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            return super().parse(stream, media_type, {**(parser_context or {}), "encoding": "utf-8"})
        except RecursionError:
            raise ParseError(_("This JSON is nested too deeply. Please send it flatter.")) from None
