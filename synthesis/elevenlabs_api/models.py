"""/v1/models, as the bare list that their clients expect."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from synthesis.cutting import longest_text
from synthesis.dialect_api import DialectView
from voices.catalogue import SpeakingModel, speaking_models
from voices.providers import registry

ANY_TOKEN = "any"  # noqa: S105 — a scope, not a secret


class ModelsView(DialectView):
    required_scopes = ANY_TOKEN

    def get(self, request: Request) -> Response:
        return Response([_model(each) for each in speaking_models()])


def _model(engine: SpeakingModel) -> dict[str, Any]:
    return {
        "model_id": engine.slug,
        "name": str(engine.label),
        "description": None,
        "can_do_text_to_speech": True,
        "can_do_voice_conversion": False,
        "can_use_style": False,
        "can_use_speaker_boost": False,
        "can_be_finetuned": engine.can_be_trained,
        "serves_pro_voices": False,
        "token_cost_factor": 1.0,
        "maximum_text_length_per_request": longest_text(registry.traits(engine.provider), engine.slug),
        "languages": [{"language_id": choice.value, "name": str(choice.label)} for choice in engine.languages],
        "model_rates": {"character_cost_multiplier": 1.0},
        "concurrency_group": engine.provider,
    }
