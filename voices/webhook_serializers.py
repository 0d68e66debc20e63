"""What the API takes and gives about webhooks."""

from __future__ import annotations

import json
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from voices.models import DeliveryEvent, WebhookDelivery, WebhookEndpoint, WebhookEvent
from voices.serializers import ErrorOfRowField, StrictSerializer


class NewEndpointSerializer(StrictSerializer):
    url = serializers.CharField(max_length=500, help_text="Begins with https:// and leads to the public internet.")
    events = serializers.ListField(child=serializers.ChoiceField(choices=WebhookEvent.choices), allow_empty=False)


class ChangedEndpointSerializer(StrictSerializer):
    url = serializers.CharField(max_length=500, required=False)
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=WebhookEvent.choices), allow_empty=False, required=False
    )
    enabled = serializers.BooleanField(required=False, help_text="false stops it; true opens it again.")


class ReplaySerializer(StrictSerializer):
    since = serializers.DateTimeField(help_text="Everything from this moment on that was not accepted.")


class DeliveryFilterSerializer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=WebhookDelivery.State.choices, required=False)


class EndpointSerializer(serializers.ModelSerializer[WebhookEndpoint]):
    events = serializers.ListField(child=serializers.ChoiceField(choices=WebhookEvent.choices))
    enabled = serializers.BooleanField(source="is_open")
    disabled_why = serializers.CharField(
        help_text="by_owner, gone (it answered 410) or failing; empty while it is enabled."
    )

    class Meta:
        model = WebhookEndpoint
        fields = ["id", "url", "events", "enabled", "disabled_why", "disabled_at", "created_at"]
        read_only_fields = fields


class SecretSerializer(serializers.Serializer[WebhookEndpoint]):
    secret = serializers.CharField(help_text="`whsec_…`: shown this once. Messages are verified with it.")


class EndpointWithSecretSerializer(EndpointSerializer):
    secret = serializers.CharField(help_text="`whsec_…`: shown this once. Messages are verified with it.")

    class Meta(EndpointSerializer.Meta):
        fields = [*EndpointSerializer.Meta.fields, "secret"]
        read_only_fields = fields


class ReplayedSerializer(serializers.Serializer[Any]):
    replayed = serializers.IntegerField(help_text="Messages that are being sent anew.")


class AttemptSerializer(serializers.ModelSerializer[DeliveryEvent]):
    class Meta:
        model = DeliveryEvent
        fields = ["at", "kind", "detail"]


class DeliverySerializer(serializers.ModelSerializer[WebhookDelivery]):
    url = serializers.SerializerMethodField()
    message_id = serializers.CharField(help_text="What the receiver sees as `webhook-id`, in every attempt.")
    body = serializers.SerializerMethodField(help_text="What is sent.")
    error = ErrorOfRowField()
    answer = serializers.CharField(source="error_detail", help_text="How the receiver's last refusal began.")
    next_attempt_at = serializers.DateTimeField(source="due_at", allow_null=True)
    log = AttemptSerializer(many=True, help_text="Every attempt, oldest first.")

    class Meta:
        model = WebhookDelivery
        fields = [
            "id",
            "url",
            "message_id",
            "event",
            "state",
            "body",
            "attempts",
            "response_status",
            "answer",
            "error",
            "next_attempt_at",
            "delivered_at",
            "created_at",
            "log",
        ]
        read_only_fields = fields

    @extend_schema_field(OpenApiTypes.URI)
    def get_url(self, delivery: WebhookDelivery) -> str:
        return reverse("api_delivery", args=[delivery.endpoint_id, delivery.pk], request=self.context["request"])

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_body(self, delivery: WebhookDelivery) -> Any:
        return json.loads(delivery.body)
