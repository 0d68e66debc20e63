"""/v1/voices and /v2/voices: listed, searched, cloned, edited, deleted; their settings and recordings."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from django.db.models import Q
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import NotFound
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from synthesis.dialect_api import DialectView, fields_of, find_own_voice, find_voice, number, sent_text, shown_voices
from synthesis.elevenlabs_api import cursors, shapes
from voices import catalogue, services
from voices.api import refuse_too_large
from voices.callers import consent_from, token_of
from voices.consent import Consent
from voices.errors import InvalidInput
from voices.models import VoiceClone, VoiceConsent, VoiceQuerySet, VoiceSample
from voices.serving import serve

MOST = 1000
"""Voices in the list that has no pages; /v2/voices has them."""
PAGE, LARGEST_PAGE = 10, 100
SORTS = {"created_at_unix": "created_at", "name": "name"}
SLOWEST, FASTEST = 0.7, 1.2
TRUE = {"true", "yes", "1"}


class VoicesView(DialectView):
    required_scopes = {"GET": "voices:read"}

    def get(self, request: Request) -> Response:
        rows = shown_voices(request.user).order_by("-created_at", "-id")[:MOST]
        return Response({"voices": [shapes.voice(row, asker=request.user) for row in rows]})


class SearchView(DialectView):
    required_scopes = {"GET": "voices:read"}

    def get(self, request: Request) -> Response:
        asked = request.query_params
        rows = _searched(request)
        size = number(request, "page_size", default=PAGE, least=1, most=LARGEST_PAGE)
        column = SORTS.get(asked.get("sort", ""), "created_at")
        newest_first = asked.get("sort_direction", "desc" if column == "created_at" else "asc") == "desc"
        page = cursors.ordered(rows, column, newest_first=newest_first)
        if token := asked.get("next_page_token"):
            value, pk = cursors.from_token(token, column)
            page = cursors.beyond(page, column, value, pk, newest_first=newest_first)
        found = list(page[: size + 1])
        counted = asked.get("include_total_count", "true").lower() in TRUE
        return Response(
            {
                "voices": [shapes.voice(row, asker=request.user) for row in found[:size]],
                "has_more": len(found) > size,
                "total_count": rows.count() if counted else 0,
                "next_page_token": cursors.token_of(found[size - 1], column) if len(found) > size else None,
            }
        )


class NewVoiceView(DialectView):
    required_scopes = {"POST": "voices:write"}
    parser_classes = [MultiPartParser]

    def post(self, request: Request) -> Response:
        recording = _recording(request)
        if recording is None:
            raise InvalidInput(fields={"files": [_("Send a recording as a file of this name.")]})
        labels = _labels(request) or {}
        traits, model = catalogue.chosen(labels.get("provider", ""), labels.get("model", ""))
        voice = services.create_voice(
            request.user,
            name=sent_text(request, "name"),
            provider=traits.slug,
            model=model,
            language=labels.get("language") or catalogue.default_language(traits, model),
            recording=recording,
            filename=recording.name or "",
            consent=_consent(request, labels),
            token_id=token_of(request),
        )
        services.describe(voice, description=sent_text(request, "description"), labels=_owners(labels))
        return Response({"voice_id": str(voice.pk), "requires_verification": False})


class VoiceView(DialectView):
    required_scopes = {"GET": "voices:read", "DELETE": "voices:write"}

    def get(self, request: Request, pk: str) -> Response:
        """Asked again and again by whoever waits for a training."""
        row = find_voice(request.user, pk)
        services.look_at(row)
        return Response(shapes.voice(row, asker=request.user))

    def delete(self, request: Request, pk: str) -> Response:
        services.request_delete(find_own_voice(request.user, pk))
        return Response({"status": "ok"})


class EditView(DialectView):
    required_scopes = {"POST": "voices:write"}
    parser_classes = [MultiPartParser, FormParser]

    def post(self, request: Request, pk: str) -> Response:
        row = find_own_voice(request.user, pk)
        recording, labels = _recording(request), _labels(request)
        name, given = sent_text(request, "name"), fields_of(request)
        services.describe(
            row,
            description=sent_text(request, "description") if "description" in given else None,
            labels=None if labels is None else _owners(labels),
        )
        if name and name != row.name:
            services.rename(row, name=name)
        if recording is not None:
            consent = _consent(request, labels or {})
            told: dict[str, Any] = {"filename": recording.name or "", "token_id": token_of(request)}
            services.retrain(row, recording=recording, consent=consent, **told)
        return Response({"status": "ok"})


class DefaultSettingsView(DialectView):
    required_scopes = {"GET": "voices:read"}

    def get(self, request: Request) -> Response:
        return Response(shapes.settings(None))


class SettingsView(DialectView):
    required_scopes = {"GET": "voices:read"}

    def get(self, request: Request, pk: str) -> Response:
        return Response(shapes.settings(find_voice(request.user, pk)))


class EditSettingsView(DialectView):
    required_scopes = {"POST": "voices:write"}
    parser_classes = [JSONParser]

    def post(self, request: Request, pk: str) -> Response:
        row = find_own_voice(request.user, pk)
        speed = fields_of(request).get("speed")
        if speed is not None:
            if isinstance(speed, bool) or not isinstance(speed, int | float) or not SLOWEST <= speed <= FASTEST:
                raise InvalidInput(fields={"speed": [_("Give a number from 0.7 to 1.2.")]})
            services.describe(row, usual_speed=float(speed))
        return Response({"status": "ok"})


class SampleView(DialectView):
    required_scopes = {"DELETE": "voices:write"}

    def delete(self, request: Request, pk: str, sample: str) -> Response:
        services.erase_recording(_sample(request, pk, sample))
        return Response({"status": "ok"})


class SampleAudioView(DialectView):
    required_scopes = {"GET": "voices:read"}

    def get(self, request: Request, pk: str, sample: str) -> HttpResponseBase:
        row = _sample(request, pk, sample)
        return serve(request, row.original, row.content_type, filename=row.filename)


# --- what was sent -----------------------------------------------------------------------------------------------------


def _searched(request: Request) -> VoiceQuerySet:
    asked = request.query_params
    rows = shown_voices(request.user)
    if words := asked.get("search"):
        rows = rows.filter(Q(name__icontains=words) | Q(description__icontains=words))
    if asked.get("voice_type") in ("personal", "non-default", "workspace"):
        rows = rows.owned_by(request.user)
    if asked.get("voice_type") == "default" or asked.get("category") == shapes.PREMADE:
        rows = rows.filter(kind=VoiceClone.Kind.STOCK)
    elif category := asked.get("category"):
        rows = rows.exclude(kind=VoiceClone.Kind.STOCK) if category == shapes.CLONED else rows.none()
    if languages := asked.getlist("language"):
        rows = rows.filter(language__in=languages)
    if state := asked.get("fine_tuning_state"):
        rows = rows.filter(state__in=[ours for ours, theirs in shapes.FINE_TUNING.items() if theirs == state])
    if wanted := asked.getlist("voice_ids"):
        rows = rows.filter(pk__in=[pk for pk in wanted if _is_id(pk)])
    return rows


def _is_id(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _recording(request: Request) -> Any:
    """The file, or None. Raises InvalidInput for more than one: a voice here is made from one recording."""
    refuse_too_large(request)
    files = request.FILES.getlist("files") or request.FILES.getlist("files[]")
    if len(files) > 1:
        sentence = _("A voice is made from one recording here. Send one file, or join them first.")
        raise InvalidInput(fields={"files": [sentence]}, code="too_many_files")
    return files[0] if files else None


def _labels(request: Request) -> dict[str, str] | None:
    """None when nothing was said of them. Their SDK sends the word null then, and JSON in JSON for text. Raises InvalidInput."""
    given: Any = fields_of(request).get("labels")
    try:
        for _twice in range(2):
            if isinstance(given, str):
                given = json.loads(given) if given.strip() else None
    except (ValueError, RecursionError):
        given = False
    if given is None:
        return None
    if not isinstance(given, Mapping) or not all(isinstance(value, str | int | float) for value in given.values()):
        raise InvalidInput(fields={"labels": [_("Give a JSON object: names and their values.")]})
    return {str(name): str(value) for name, value in given.items()}


def _owners(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name not in (*shapes.OUR_LABELS, "consent", "model")}


def _consent(request: Request, labels: Mapping[str, str]) -> Consent:
    """Their form has no field for it, so it stands among the labels. Raises ConsentMissing."""
    ticked = labels.get("consent", "").lower() in TRUE
    return consent_from(request, ticked=ticked, channel=VoiceConsent.Channel.API)


def _sample(request: Request, pk: str, sample: str) -> VoiceSample:
    voice = find_own_voice(request.user, pk)
    for row in voice.samples.all():
        if str(row.pk) == sample and row.erased_at is None:
            return row
    raise NotFound
