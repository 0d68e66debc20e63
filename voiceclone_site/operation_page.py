"""The page that an operator opens first. Its buttons are the admin's own actions on a provider account."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from voiceclone_site.operation import standing


@never_cache
@require_safe
def status(request: HttpRequest) -> HttpResponse:
    """For staff: `urls.py` has the admin's own door in front of it."""
    context = {
        **admin.site.each_context(request),
        "title": _("Status"),
        "standing": standing(),
        "may_change": request.user.has_perm("voices.change_provideraccount"),
    }
    return TemplateResponse(request, "admin/status.html", context)
