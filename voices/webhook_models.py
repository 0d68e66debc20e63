"""Who is told of what happens here, and every message to them, as rows."""

from __future__ import annotations

import base64
import secrets
import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from voices.durable import DurableQuerySet, DurableRow, EventRow
from voices.encryption import EncryptedJSONField

SECRET_BYTES = 32


def new_secret() -> str:
    """As Standard Webhooks writes it: `whsec_` and base64."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"


class WebhookEvent(models.TextChoices):
    VOICE_READY = "voice.ready", _("A voice is ready to speak")
    VOICE_FAILED = "voice.failed", _("A voice could not be trained, or is gone at its provider")
    JOB_DONE = "job.done", _("A job was spoken to its end")
    JOB_FAILED = "job.failed", _("A job failed or was cancelled")
    QUOTA_WARNING = "quota.warning", _("Most of what may be used has been used")


class EndpointQuerySet(models.QuerySet["WebhookEndpoint"]):
    def of(self, user: Any) -> EndpointQuerySet:
        return self.filter(owner=user)


class WebhookEndpoint(models.Model):
    """An address of somebody's program that wants to be told. Its secret is encrypted at rest and shown once."""

    class Disabled(models.TextChoices):
        BY_OWNER = "by_owner", _("switched off by you")
        GONE = "gone", _("it answered 410: it is gone")
        FAILING = "failing", _("nothing was accepted for days")

    id = models.UUIDField(_("id"), primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="webhook_endpoints",
        verbose_name=_("owner"),
    )
    url = models.CharField(_("address"), max_length=500)
    events = models.JSONField(_("events"), default=list)
    secret = EncryptedJSONField(_("secret"), default=new_secret, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    disabled_at = models.DateTimeField(_("disabled"), null=True, blank=True, editable=False)
    disabled_why = models.CharField(_("disabled because"), max_length=10, choices=Disabled.choices, blank=True)

    objects = EndpointQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["owner", "-created_at", "-id"], name="webhook_owner_newest")]

    def __str__(self) -> str:
        return self.url

    @property
    def is_open(self) -> bool:
        return self.disabled_at is None

    @property
    def event_labels(self) -> list[str]:
        return [str(label) for value, label in WebhookEvent.choices if value in self.events]


class DeliveryQuerySet(DurableQuerySet["WebhookDelivery"]):
    def of(self, user: Any) -> DeliveryQuerySet:
        return self.filter(endpoint__owner=user)


class WebhookDelivery(DurableRow):
    """One message to one endpoint: sent until it is accepted, and the same bytes every time."""

    class State(models.TextChoices):
        WAITING = "Waiting", _("Waiting")
        DELIVERED = "Delivered", _("Delivered")
        FAILED = "Failed", _("Failed")

    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries", verbose_name=_("webhook")
    )
    state = models.CharField(_("state"), max_length=20, choices=State.choices, default=State.WAITING)
    event = models.CharField(_("event"), max_length=40, choices=WebhookEvent.choices)
    body = models.TextField(_("body"))
    response_status = models.PositiveSmallIntegerField(_("last answer"), null=True, blank=True)
    delivered_at = models.DateTimeField(_("delivered at"), null=True, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook message")
        verbose_name_plural = _("webhook messages")
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["endpoint", "-created_at", "-id"], name="delivery_endpoint_newest"),
            models.Index(fields=["-created_at", "-id"], name="delivery_newest"),
            models.Index(fields=["due_at"], name="delivery_due", condition=models.Q(due_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.event} · {self.message_id}"

    @property
    def message_id(self) -> str:
        """The same for every attempt and every replay, so that a receiver can tell what it has had already."""
        return f"msg_{self.pk.hex}"


class DeliveryEvent(EventRow):
    row = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="log")

    class Meta:
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return self.kind
