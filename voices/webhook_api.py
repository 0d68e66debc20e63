"""/api/v1/webhooks. Each view: find what this user may touch, check, call one service, respond."""

from __future__ import annotations

import uuid

from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from voices import webhook_services as services
from voices.models import WebhookDelivery, WebhookEndpoint
from voices.once import IDEMPOTENCY_KEY, once, only_asker
from voices.serializers import checked
from voices.webhook_serializers import (
    ChangedEndpointSerializer,
    DeliveryFilterSerializer,
    DeliverySerializer,
    EndpointSerializer,
    EndpointWithSecretSerializer,
    NewEndpointSerializer,
    ReplayedSerializer,
    ReplaySerializer,
    SecretSerializer,
)

AN_ENDPOINT = OpenApiExample(
    "When something is done",
    value={
        "url": "https://example.com/hooks/voices",
        "events": ["voice.ready", "voice.failed", "job.done", "job.failed", "quota.warning"],
    },
    request_only=True,
)


def find_endpoint(request: Request, pk: uuid.UUID) -> WebhookEndpoint:
    """Raises Http404 for what does not exist and for what is somebody else's."""
    return get_object_or_404(WebhookEndpoint.objects.of(request.user), pk=pk)


def find_delivery(request: Request, endpoint: uuid.UUID, pk: uuid.UUID) -> WebhookDelivery:
    """Raises Http404 for what does not exist and for what is somebody else's."""
    mine = WebhookDelivery.objects.of(request.user).select_related("endpoint").prefetch_related("log")
    return get_object_or_404(mine, pk=pk, endpoint=endpoint)


class EndpointsView(GenericAPIView[WebhookEndpoint]):
    required_scopes = {"GET": "webhooks:read", "POST": "webhooks:write"}
    serializer_class = EndpointSerializer

    @extend_schema(
        operation_id="webhooks_list",
        summary=_("List your webhooks"),
        description=_("Newest first. Follow `next` until it is null."),
        responses=EndpointSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(WebhookEndpoint.objects.of(request.user))
        return self.get_paginated_response(EndpointSerializer(page, many=True).data)

    @extend_schema(
        operation_id="webhooks_create",
        summary=_("Be told of what happens"),
        description=_(
            "Messages are POSTs in Standard Webhooks form. Keep `secret`: it is shown in this answer only. The address begins with "
            "https:// and leads to the public internet; redirects are not followed."
        ),
        request=NewEndpointSerializer,
        examples=[AN_ENDPOINT],
        parameters=[IDEMPOTENCY_KEY],
        responses={201: EndpointWithSecretSerializer},
    )
    def post(self, request: Request) -> HttpResponseBase:
        def act(_pk: uuid.UUID) -> Response:
            order = checked(NewEndpointSerializer, request.data)
            endpoint = services.add_endpoint(request.user, url=order["url"], events=order["events"])
            shown = EndpointWithSecretSerializer(endpoint).data
            return Response(shown, status=201, headers={"Cache-Control": "no-store"})

        return once(request, act, in_one=True, beside=only_asker(request))


class EndpointView(APIView):
    required_scopes = {"GET": "webhooks:read", "PATCH": "webhooks:write", "DELETE": "webhooks:write"}

    @extend_schema(operation_id="webhooks_read", summary=_("Read a webhook"), responses=EndpointSerializer)
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        return Response(EndpointSerializer(find_endpoint(request, pk)).data)

    @extend_schema(
        operation_id="webhooks_change",
        summary=_("Change a webhook, stop it, or open it again"),
        request=ChangedEndpointSerializer,
        responses=EndpointSerializer,
        examples=[OpenApiExample("Open again", value={"enabled": True}, request_only=True)],
    )
    def patch(self, request: Request, pk: uuid.UUID) -> Response:
        endpoint = find_endpoint(request, pk)
        services.change_endpoint(endpoint, **checked(ChangedEndpointSerializer, request.data))
        return Response(EndpointSerializer(endpoint).data)

    @extend_schema(
        operation_id="webhooks_delete",
        summary=_("Delete a webhook and its messages"),
        responses={204: None},
    )
    def delete(self, request: Request, pk: uuid.UUID) -> Response:
        find_endpoint(request, pk).delete()
        return Response(status=204)


class EndpointSecretView(APIView):
    required_scopes = {"POST": "webhooks:write"}

    @extend_schema(
        operation_id="webhooks_secret",
        summary=_("Make a new secret"),
        description=_("The old one is worthless at once: every message is signed with the new one from now on."),
        request=None,
        parameters=[IDEMPOTENCY_KEY],
        responses=SecretSerializer,
    )
    def post(self, request: Request, pk: uuid.UUID) -> HttpResponseBase:
        def act(_pk: uuid.UUID) -> Response:
            secret = services.renew_secret(find_endpoint(request, pk))
            return Response({"secret": secret}, headers={"Cache-Control": "no-store"})

        return once(request, act, in_one=True, beside=only_asker(request))


class EndpointReplayView(APIView):
    required_scopes = {"POST": "webhooks:write"}

    @extend_schema(
        operation_id="webhooks_replay",
        summary=_("Send anew what was missed"),
        description=_(
            "Everything since a moment that was not accepted, oldest first, at most 500 at once; each with its old id."
        ),
        request=ReplaySerializer,
        parameters=[IDEMPOTENCY_KEY],
        responses={202: ReplayedSerializer},
        examples=[OpenApiExample("Since noon", value={"since": "2026-11-25T12:00:00+08:00"}, request_only=True)],
    )
    def post(self, request: Request, pk: uuid.UUID) -> HttpResponseBase:
        def act(_pk: uuid.UUID) -> Response:
            endpoint = find_endpoint(request, pk)
            since = checked(ReplaySerializer, request.data)["since"]
            return Response({"replayed": services.replay_since(endpoint, since=since)}, status=202)

        return once(request, act, in_one=True)


class DeliveriesView(GenericAPIView[WebhookDelivery]):
    required_scopes = {"GET": "webhooks:read"}
    serializer_class = DeliverySerializer

    @extend_schema(
        operation_id="webhooks_deliveries",
        summary=_("List the messages of a webhook"),
        description=_("Newest first, with every attempt. Kept for 30 days after their last one."),
        parameters=[DeliveryFilterSerializer],
        responses=DeliverySerializer(many=True),
    )
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        wanted = checked(DeliveryFilterSerializer, request.query_params)
        rows = find_endpoint(request, pk).deliveries.filter(**wanted).prefetch_related("log")
        if wanted.get("state") == WebhookDelivery.State.WAITING:
            rows = rows.filter(due_at__isnull=False)  # as all that waits is, and by that an index finds them
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(DeliverySerializer(page, many=True, context={"request": request}).data)


class DeliveryView(APIView):
    required_scopes = {"GET": "webhooks:read"}

    @extend_schema(operation_id="webhooks_delivery", summary=_("Read a message"), responses=DeliverySerializer)
    def get(self, request: Request, pk: uuid.UUID, delivery: uuid.UUID) -> Response:
        found = find_delivery(request, pk, delivery)
        return Response(DeliverySerializer(found, context={"request": request}).data)


class DeliveryReplayView(APIView):
    required_scopes = {"POST": "webhooks:write"}

    @extend_schema(
        operation_id="webhooks_delivery_replay",
        summary=_("Send a message anew"),
        description=_("The same bytes with the same `webhook-id`, whether or not it was accepted before."),
        request=None,
        parameters=[IDEMPOTENCY_KEY],
        responses={202: DeliverySerializer},
    )
    def post(self, request: Request, pk: uuid.UUID, delivery: uuid.UUID) -> HttpResponseBase:
        def act(_pk: uuid.UUID) -> Response:
            services.replay(find_delivery(request, pk, delivery))
            found = find_delivery(request, pk, delivery)
            return Response(DeliverySerializer(found, context={"request": request}).data, status=202)

        return once(request, act, in_one=True)
