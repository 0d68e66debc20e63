"""/api/v1/tokens: whose programs may do what. A program can make others, but none that may do more than itself."""

from __future__ import annotations

import uuid

from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from voiceclone_site.accounts import services
from voiceclone_site.accounts.models import ApiToken, User
from voiceclone_site.accounts.scopes import Scope, StaffScope
from voices.callers import token_of
from voices.once import IDEMPOTENCY_KEY, once
from voices.serializers import StrictSerializer, checked

EVERY_SCOPE = [*Scope.choices, *StaffScope.choices]
"""Who may have which, the service knows."""


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    """A token without the token itself."""

    prefix = serializers.CharField(source="shown_prefix", help_text="How it begins.")
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=EVERY_SCOPE))
    addresses = serializers.ListField(child=serializers.CharField(), help_text="Networks; empty: from everywhere.")
    requests_per_minute = serializers.IntegerField(allow_null=True, help_text="null: as many as this site allows.")
    usable = serializers.BooleanField(source="is_usable")

    class Meta:
        model = ApiToken
        fields = [
            "id",
            "name",
            "prefix",
            "scopes",
            "addresses",
            "requests_per_minute",
            "usable",
            "created_at",
            "expires_at",
            "last_used_at",
            "revoked_at",
        ]
        read_only_fields = fields


class NewTokenSerializer(StrictSerializer):
    name = serializers.CharField(max_length=60, help_text="What will use it.")
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=EVERY_SCOPE), allow_empty=False)
    expires_at = serializers.DateTimeField(default=None, allow_null=True, help_text="null: never.")
    addresses = serializers.ListField(
        child=serializers.CharField(max_length=50),
        default=list,
        max_length=services.MOST_NETWORKS,
        help_text="Addresses or networks that it may be used from, such as 192.0.2.0/24. Empty: from everywhere.",
    )
    requests_per_minute = serializers.IntegerField(
        default=None, allow_null=True, min_value=1, max_value=services.MOST_PER_MINUTE
    )


class IssuedTokenSerializer(TokenSerializer):
    token = serializers.CharField(help_text="`vcp_…`: shown this once.")

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "token"]
        read_only_fields = fields


class TokensView(GenericAPIView[ApiToken]):
    required_scopes = {"GET": "tokens:read", "POST": "tokens:write"}
    serializer_class = TokenSerializer

    @extend_schema(
        operation_id="tokens_list",
        summary=_("List your tokens"),
        description=_(
            "Newest first, revoked and expired ones too; never the tokens themselves. Follow `next` until it is null."
        ),
        responses=TokenSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(ApiToken.objects.of(me(request)))
        return self.get_paginated_response(TokenSerializer(page, many=True).data)

    @extend_schema(
        operation_id="tokens_create",
        summary=_("Make a token"),
        description=_(
            "`token` is shown in this answer only. Asked by a token, the new one may do no more than it: no scope that it "
            "lacks, no later end, no other addresses; a token with a request limit of its own makes none. The new one lives "
            "on when that one is revoked. With an `Idempotency-Key` the same asker is shown the same token again for 24 hours, in "
            "which it is kept encrypted."
        ),
        request=NewTokenSerializer,
        parameters=[IDEMPOTENCY_KEY],
        examples=[
            OpenApiExample(
                "For a reader of voices",
                value={"name": "catalogue", "scopes": ["voices:read"], "addresses": ["192.0.2.0/24"]},
                request_only=True,
            )
        ],
        responses={201: IssuedTokenSerializer},
    )
    def post(self, request: Request) -> HttpResponseBase:
        def act(_pk: uuid.UUID) -> Response:
            wanted = checked(NewTokenSerializer, request.data)
            if isinstance(request.auth, ApiToken):
                row, token = services.issue_by_token(request.auth, **wanted)
            else:
                row, token = services.issue_token(me(request), **wanted)
            body = {**TokenSerializer(row).data, "token": token.text}
            return Response(body, status=201, headers={"Cache-Control": "no-store"})

        # Another token of the same person may be a weaker one, and must not be shown what this one has made.
        return once(request, act, in_one=True, beside=f"asked by {token_of(request)}")


class TokenView(APIView):
    required_scopes = {"GET": "tokens:read", "DELETE": "tokens:write"}

    @extend_schema(operation_id="tokens_read", summary=_("Read a token"), responses=TokenSerializer)
    def get(self, request: Request, number: int) -> Response:
        return Response(TokenSerializer(find_token(request, number)).data)

    @extend_schema(
        operation_id="tokens_revoke",
        summary=_("Revoke a token"),
        description=_("It opens nothing from now on; its row stays, as `revoked_at` says. A token may revoke itself."),
        responses={204: None},
    )
    def delete(self, request: Request, number: int) -> Response:
        services.revoke_token(find_token(request, number))
        return Response(status=204)


def find_token(request: Request, number: int) -> ApiToken:
    """Raises Http404 for what does not exist and for what is somebody else's."""
    return get_object_or_404(ApiToken.objects.of(me(request)), pk=number)


def me(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user
