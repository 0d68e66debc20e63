"""/v1/audio/voices: the caller's voices, and new ones from a recording and the spoken consent to it."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from synthesis.dialect_api import DialectView, find_own_voice, find_voice, sent_text, shown_voices
from synthesis.openai_api.consents import find_consent, sent_file
from synthesis.openai_api.models import PublicListView
from voices import catalogue, services
from voices.callers import consent_from, token_of
from voices.errors import ConsentMissing, InvalidInput
from voices.models import VoiceClone, VoiceConsent

State = VoiceClone.State

MOST = 1000
"""Voices in one list; these clients do not page."""
STATUS = {
    State.INIT: "queued",
    State.TRAINING: "training",
    State.UNKNOWN: "training",
    State.SUCCESS: "ready",
    State.FAILED: "failed",
    State.EXPIRED: "failed",
}


class VoicesView(PublicListView):
    required_scopes = {"GET": "voices:read", "POST": "voices:write"}
    parser_classes = [MultiPartParser, JSONParser]

    def get(self, request: Request) -> Response:
        """Their SDK has no such call; others ask it, and read `voices` or `data`."""
        voices = shown_voices(request.user) if request.auth else VoiceClone.objects.offered()
        listed = [_listed(voice) for voice in voices.order_by("-created_at", "-id")[:MOST]]
        return Response({"object": "list", "voices": listed, "data": listed})

    def post(self, request: Request) -> Response:
        if sent_text(request, "type") not in ("", "audio_sample"):
            sentence = _("No provider here makes a voice from a description. Send a recording as audio_sample.")
            raise InvalidInput(fields={"type": [sentence]}, code="unsupported_voice_type")
        recording = sent_file(request, "audio_sample")
        if not sent_text(request, "consent"):
            raise ConsentMissing
        consent = find_consent(request, sent_text(request, "consent"), field="consent")
        traits, model = catalogue.chosen(sent_text(request, "provider"), sent_text(request, "model"))
        voice = services.create_voice(
            request.user,
            name=sent_text(request, "name"),
            provider=traits.slug,
            model=model,
            language=consent.language.partition("-")[0].lower(),
            recording=recording,
            filename=recording.name or "",
            consent=consent_from(request, ticked=True, channel=VoiceConsent.Channel.API, recording=consent),
            token_id=token_of(request),
        )
        return Response(_made(voice))


class VoiceView(DialectView):
    required_scopes = {"GET": "voices:read", "DELETE": "voices:write"}

    def get(self, request: Request, pk: str) -> Response:
        voice = find_voice(request.user, pk)
        services.look_at(voice)
        return Response(_made(voice))

    def delete(self, request: Request, pk: str) -> Response:
        voice = find_own_voice(request.user, pk)
        services.request_delete(voice)
        return Response({"id": str(voice.pk), "deleted": True, "object": "audio.voice.deleted"})


def _made(voice: VoiceClone) -> dict[str, Any]:
    return {
        "id": str(voice.pk),
        "object": "audio.voice",
        "created_at": int(voice.created_at.timestamp()),
        "name": voice.name,
        "type": "audio_sample",
        "status": STATUS.get(State(voice.state), "failed"),
        "error": voice.error_sentence or None,
    }


def _listed(voice: VoiceClone) -> dict[str, Any]:
    return {
        **_made(voice),
        "language": voice.language,
        "model": voice.model,
        "vendor": voice.provider,
        "preview_url": None,
    }
