"""/api/v1/me: whose token this is, and what it may do."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from voiceclone_site.accounts.models import ApiToken, User
from voiceclone_site.accounts.scopes import ANY
from voiceclone_site.accounts.token_api import TokenSerializer, told


class MeSerializer(serializers.ModelSerializer[User]):
    token = serializers.SerializerMethodField(help_text="null for somebody who is logged in with a browser.")

    class Meta:
        model = User
        fields = ["email", "display_name", "language", "token"]

    @extend_schema_field(TokenSerializer(allow_null=True))
    def get_token(self, _user: User) -> Any:
        token = self.context["request"].auth
        return told(token) if isinstance(token, ApiToken) else None


class MeView(APIView):
    required_scopes = ANY

    @extend_schema(
        operation_id="me", summary=_("Who am I"), description=_("Any valid token may ask."), responses=MeSerializer
    )
    def get(self, request: Request) -> Response:
        assert isinstance(request.user, User)
        return Response(MeSerializer(request.user, context={"request": request}).data)
