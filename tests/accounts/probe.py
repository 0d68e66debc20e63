"""An API and two pages of no meaning, behind the real doors: what authentication, scopes and errors do shows in them."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from voiceclone_site.urls import handler400, handler403, handler404, handler500, urlpatterns

__all__ = ["handler400", "handler403", "handler404", "handler500"]

raising: list[Callable[[], Exception]] = []
"""What `/api/v1/probe/error` raises next; a test puts it there."""


class Voices(APIView):
    required_scopes = {"GET": "voices:read", "POST": "voices:write"}

    def get(self, request: Request) -> Response:
        return Response({"who": getattr(request.user, "email", ""), "word": _("Saved.")})

    def post(self, request: Request) -> Response:
        return Response({"who": getattr(request.user, "email", "")}, status=201)


class Anything(APIView):
    required_scopes = "any"

    def get(self, request: Request) -> Response:
        return Response({"who": getattr(request.user, "email", "")})


class Undeclared(APIView):
    def get(self, request: Request) -> Response:
        return Response({})


class HalfDeclared(APIView):
    required_scopes = {"GET": "voices:read"}

    def post(self, request: Request) -> Response:
        return Response({})


class Order(serializers.Serializer[dict[str, object]]):
    class Options(serializers.Serializer[dict[str, object]]):
        speed = serializers.FloatField()

    text = serializers.CharField()
    options = Options()


class Errors(APIView):
    required_scopes = "any"

    def get(self, request: Request) -> Response:
        raise raising.pop()()

    def post(self, request: Request) -> Response:
        Order(data=request.data).is_valid(raise_exception=True)
        return Response({})


def page_that_fails(request: HttpRequest) -> HttpResponse:
    raise raising.pop()()


urlpatterns = [
    *urlpatterns,
    path("api/v1/probe/voices", Voices.as_view()),
    path("api/v1/probe/anything", Anything.as_view()),
    path("api/v1/probe/undeclared", Undeclared.as_view()),
    path("api/v1/probe/half", HalfDeclared.as_view()),
    path("api/v1/probe/error", Errors.as_view()),
    path("probe/page", page_that_fails),
]
