"""What somebody sees when a request ends before or beyond the views: JSON where programs ask, a page elsewhere."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template import loader
from django.templatetags.static import static
from django.utils import translation
from django.utils.translation import gettext as _

from voiceclone_site import dialects
from voiceclone_site.errors import Problem, not_found
from voiceclone_site.requests import current_request_id
from voices.providers.errors import Act


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    # A request that names a host we are not has not come as far as LanguageMiddleware.
    translation.activate(translation.get_language_from_request(request))
    sentence = _("This request cannot be read. Please check its form.")
    return _bare(request, Problem(status=400, code="bad_request", message=sentence))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, Problem(status=403, code="permission_denied", message=_("You may not do this.")))


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, Problem(status=404, code="not_found", message=not_found()))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    sentence = _(
        "This form was open for too long, or cookies are switched off. Go back, reload the page and try again."
    )
    return _answer(request, Problem(status=403, code="csrf_failed", message=sentence))


def server_error(request: HttpRequest) -> HttpResponse:
    sentence = _("Something went wrong on our side. Please try again; if it stays, tell the operator of this site.")
    return _bare(request, Problem(status=500, code="internal", message=sentence, action=Act.OPERATOR.value))


def _answer(request: HttpRequest, problem: Problem) -> HttpResponse:
    if (worded := dialects.of(request)) is not None:
        refused = worded(problem)
        return JsonResponse(refused.body, status=refused.status, headers=dict(refused.headers))
    context = {"message": problem.message, "request_id": current_request_id()}
    return render(request, f"{problem.status}.html", context, status=problem.status)


def _bare(request: HttpRequest, problem: Problem) -> HttpResponse:
    """Rendered without the request: neither session nor database nor host is asked, since any of them may be what has failed."""
    if (worded := dialects.of(request)) is not None:
        refused = worded(problem)
        return JsonResponse(refused.body, status=refused.status, headers=dict(refused.headers))
    context = {"message": problem.message, "request_id": current_request_id(), "stylesheets": _stylesheets()}
    return HttpResponse(loader.render_to_string(f"{problem.status}.html", context), status=problem.status)


def _stylesheets() -> list[str]:
    """None when the static files have not been collected: what tells of a failure must not fail for it."""
    try:
        return [static("vendor/bootstrap/bootstrap.min.css"), static("css/site.css")]
    except ValueError:
        return []
