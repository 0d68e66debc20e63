"""Webhooks and their messages for operators. An endpoint's secret is its owner's, and not shown."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from voices import webhook_services
from voices.evidence import EvidenceAdmin, EvidenceInline
from voices.failures import shown
from voices.models import DeliveryEvent, WebhookDelivery, WebhookEndpoint


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(EvidenceAdmin):
    list_display = ["url", "owner", "created_at", "disabled_at", "disabled_why"]
    list_select_related = ["owner"]
    list_filter = ["disabled_why", "created_at"]
    search_fields = ["=id", "owner__email"]
    search_help_text = _("Id, or how the owner's e-mail address begins")
    fields = ["id", "url", "owner", "events", "created_at", "disabled_at", "disabled_why"]


class EventInline(EvidenceInline):
    model = DeliveryEvent
    fields = ["at", "kind", "from_state", "to_state", "detail"]


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(EvidenceAdmin):
    list_display = ["event", "endpoint", "state", "attempts", "response_status", "due_at", "created_at", "delivered_at"]
    list_select_related = ["endpoint"]
    list_filter = ["state", "created_at", "event"]
    search_fields = ["=id", "=endpoint", "endpoint__owner__email"]
    search_help_text = _("Id of the message or the webhook, or how the owner's e-mail address begins")
    fields = [
        *["id", "endpoint", "event", "state", "body", "response_status", "attempts", "due_at", "delivered_at"],
        *["error_code", "sentence", "error_detail", "created_at", "updated_at"],
    ]
    inlines = [EventInline]
    actions = ["send_again"]

    @admin.display(description=_("what happened"))
    def sentence(self, delivery: WebhookDelivery) -> str:
        return shown(delivery.error_sentence) or "-"

    @admin.action(description=_("Send the same message again"), permissions=["change"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> None:
        deliveries = queryset.select_related("endpoint")
        self.each_by_itself(request, deliveries, webhook_services.replay, done=_("The message is being sent anew."))
