"""/api/v1/tokens: whose programs may do what, and spend. A program can make others, but none that may do more than itself."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from voiceclone_site.accounts import services
from voiceclone_site.accounts.models import ApiToken, User
from voiceclone_site.accounts.scopes import Scope, StaffScope
from voices import standing
from voices.once import IDEMPOTENCY_KEY, once, only_asker
from voices.quota_serializers import LIMIT_HELP, MeterSerializer
from voices.serializers import StrictSerializer, checked

CHARACTERS_HELP = "As the provider counts them; null: as many as you may use."
EVERY_SCOPE = [*Scope.choices, *StaffScope.choices]
"""Who may have which, the service knows."""


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    """A token without the token itself. `told` knows what the context has to have."""

    prefix = serializers.CharField(source="shown_prefix", help_text="How it begins.")
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=EVERY_SCOPE))
    addresses = serializers.ListField(child=serializers.CharField(), help_text="Networks; empty: from everywhere.")
    requests_per_minute = serializers.IntegerField(allow_null=True, help_text="null: as many as this site allows.")
    characters_per_month = serializers.IntegerField(allow_null=True, help_text=CHARACTERS_HELP)
    spend_per_month = serializers.DecimalField(
        max_digits=12, decimal_places=2, allow_null=True, help_text=f"CNY; {LIMIT_HELP}"
    )
    meters = serializers.SerializerMethodField(help_text="Of this month: characters and cost.")
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
            "characters_per_month",
            "spend_per_month",
            "meters",
            "usable",
            "created_at",
            "expires_at",
            "last_used_at",
            "revoked_at",
        ]
        read_only_fields = fields

    @extend_schema_field(MeterSerializer(many=True))
    def get_meters(self, token: ApiToken) -> Any:
        return MeterSerializer(self.context["meters"][token.pk], many=True).data


def told(token: ApiToken) -> dict[str, Any]:
    shown: dict[str, Any] = all_told([token])[0]
    return shown


def all_told(tokens: Sequence[ApiToken]) -> Any:
    """Whatever their number, with one query for all their meters."""
    context = {"meters": standing.of_tokens(tokens)}
    return TokenSerializer(tokens, many=True, context=context).data


class BudgetSerializer(StrictSerializer):
    characters_per_month = serializers.IntegerField(
        allow_null=True, min_value=0, max_value=2**62, required=False, help_text=CHARACTERS_HELP
    )
    spend_per_month = serializers.DecimalField(
        max_digits=12, decimal_places=2, min_value=0, allow_null=True, required=False, help_text=f"CNY; {LIMIT_HELP}"
    )


class NewTokenSerializer(BudgetSerializer):
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
        return self.get_paginated_response(all_told(page or []))

    @extend_schema(
        operation_id="tokens_create",
        summary=_("Make a token"),
        description=_(
            "`token` is shown in this answer only. Asked by a token, the new one may do no more than it: no scope that it "
            "lacks, no later end, no other addresses; a token with a request limit or a budget of its own makes none. The new "
            "one lives on when that one is revoked. With an `Idempotency-Key` the same asker is shown the same token again for "
            "24 hours, in which it is kept encrypted."
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
            body = {**told(row), "token": token.text}
            return Response(body, status=201, headers={"Cache-Control": "no-store"})

        return once(request, act, in_one=True, beside=only_asker(request))


class TokenView(APIView):
    required_scopes = {"GET": "tokens:read", "PATCH": "tokens:write", "DELETE": "tokens:write"}

    @extend_schema(operation_id="tokens_read", summary=_("Read a token"), responses=TokenSerializer)
    def get(self, request: Request, number: int) -> Response:
        return Response(told(find_token(request, number)))

    @extend_schema(
        operation_id="tokens_budget",
        summary=_("Change what a token may spend in a month"),
        description=_(
            "What is left out stays; null takes the limit away. In force at once; what the token has used this month counts. "
            "Asked by a token, only for tokens that it could have made: one with a request limit or a budget of its own changes "
            "none, not even its own."
        ),
        request=BudgetSerializer,
        responses=TokenSerializer,
    )
    def patch(self, request: Request, number: int) -> Response:
        row = find_token(request, number)
        changed = checked(BudgetSerializer, request.data)
        if isinstance(request.auth, ApiToken):
            row = services.change_budget_by_token(request.auth, row, **changed)
        else:
            row = services.change_budget(row, by=me(request), **changed)
        return Response(told(row))

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
