"""/v1/models and /v1/audio/models: the engines that voices here speak with, and OpenAI's own names for “the voice's own”."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework.permissions import SAFE_METHODS, AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from synthesis.dialect_api import DialectView
from voices.catalogue import speaking_models
from voices.errors import NoSuchModel

ALIASES = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts", "gpt-4o-mini-tts-2025-12-15")
ANY_TOKEN = "any"  # noqa: S105 — a scope, not a secret


class PublicListView(DialectView):
    """A list that some clients ask for without any key; where the operator lets them, they see what is everybody's."""

    def get_permissions(self) -> list[Any]:
        asked_openly = "Authorization" not in self.request.headers and "xi-api-key" not in self.request.headers
        if settings.PUBLIC_VOICE_LIST and asked_openly and self.request.method in SAFE_METHODS:
            return [AllowAny()]
        return list(super().get_permissions())


class ModelsView(DialectView):
    required_scopes = ANY_TOKEN

    def get(self, request: Request) -> Response:
        return Response({"object": "list", "data": _models()})


class ModelView(DialectView):
    required_scopes = ANY_TOKEN

    def get(self, request: Request, name: str) -> Response:
        for model in _models():
            if model["id"] == name:
                return Response(model)
        raise NoSuchModel


class AudioModelsView(PublicListView):
    required_scopes = ANY_TOKEN

    def get(self, request: Request) -> Response:
        models = [{**model, "name": model["id"]} for model in _models()]
        return Response({"object": "list", "models": models, "data": models})


def _models() -> list[dict[str, Any]]:
    engines = speaking_models()
    since = min((model.since for model in engines), default=0)
    aliases = [_model(name, since=since, owner="openai") for name in ALIASES]
    return [*aliases, *(_model(each.slug, since=each.since, owner=each.provider) for each in engines)]


def _model(name: str, *, since: int, owner: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": since, "owned_by": owner}
