"""What a view refuses, when no form showed it: JSON for a script of a page, and for a person the page they came from, with the
sentence. Everything beneath /api/ is the API's own (errors.py); what nobody foresaw stays a 500 (error_pages.py).
"""

from __future__ import annotations

import logging

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect

from voiceclone_site.errors import body_of, headers_of, problem_of
from voiceclone_site.requests import GetResponse
from voices.errors import PortalError
from voices.providers.errors import ProviderError

logger = logging.getLogger(__name__)


class RefusalMiddleware:
    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        problem = problem_of(error)
        by_script = request.get_preferred_type(["text/html", "application/json"]) == "application/json"
        if problem is None or not (by_script or isinstance(error, PortalError | ProviderError)):
            return None
        if isinstance(error, ProviderError):
            logger.warning("%s", error)
        if by_script:
            return JsonResponse(body_of(problem), status=problem.status, headers=headers_of(problem))
        messages.error(request, problem.message)
        back = _where_from(request)
        return HttpResponseClientRedirect(back) if "HX-Request" in request.headers else redirect(back)


def _where_from(request: HttpRequest) -> str:
    referer = request.headers.get("Referer", "")
    ours = url_has_allowed_host_and_scheme(
        referer, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    # A GET that is refused must not be sent back to itself.
    return referer if ours and request.method == "POST" else resolve_url("dashboard")
