"""The pages of webhooks. A stranger's is not found, whatever is asked of it."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from voices import webhook_services as services
from voices.models import WebhookDelivery, WebhookEndpoint
from voices.paging import page_of
from voices.refusing import shown_in
from voices.webhook_forms import WebhookForm
from voices.webhook_models import EndpointQuerySet


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def webhooks(request: HttpRequest) -> HttpResponse:
    """A new secret is shown in the answer to its own POST and nowhere else: no session, message or log ever holds it."""
    form, fresh = WebhookForm(request.POST or None), ""
    if request.method == "POST" and form.is_valid():
        with shown_in(form):
            fresh = services.add_endpoint(request.user, **form.cleaned_data).secret
            form = WebhookForm()
    return render(request, "voices/webhooks.html", {"form": form, "fresh": fresh, "endpoints": _mine(request)})


@never_cache
@login_required
@require_safe
def webhook(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    endpoint = get_object_or_404(_mine(request), pk=pk)
    rows = endpoint.deliveries.prefetch_related("log")
    page = page_of(rows, before=request.GET.get("before", ""), after=request.GET.get("after", ""))
    return render(request, "voices/webhook.html", {"endpoint": endpoint, "page": page})


@login_required
@require_POST
def webhook_switch(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    endpoint = get_object_or_404(_mine(request), pk=pk)
    services.change_endpoint(endpoint, enabled=not endpoint.is_open)
    return redirect("webhook", pk=pk)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def webhook_delete(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    endpoint = get_object_or_404(_mine(request), pk=pk)
    if request.method == "POST":
        endpoint.delete()
        messages.success(request, _("The webhook is deleted."))
        return redirect("webhooks")
    return render(request, "voices/webhook_delete.html", {"endpoint": endpoint})


@login_required
@require_POST
def webhook_replay(request: HttpRequest, pk: uuid.UUID, delivery: uuid.UUID) -> HttpResponse:
    mine = WebhookDelivery.objects.of(request.user).select_related("endpoint")
    services.replay(get_object_or_404(mine, pk=delivery, endpoint=pk))
    messages.success(request, _("The message is being sent anew."))
    return redirect("webhook", pk=pk)


def _mine(request: HttpRequest) -> EndpointQuerySet:
    return WebhookEndpoint.objects.of(request.user)
