"""/v1/audio/voice_consents: recordings of somebody agreeing, named when a voice is made."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import NotFound
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from synthesis.dialect_api import DialectView, number, sent_text
from voices import consent_recordings
from voices.api import refuse_too_large
from voices.errors import InvalidInput
from voices.models import ConsentRecording

PAGE, LARGEST_PAGE = 20, 100


class ConsentsView(DialectView):
    required_scopes = {"GET": "voices:read", "POST": "voices:write"}
    parser_classes = [MultiPartParser]

    def get(self, request: Request) -> Response:
        limit = number(request, "limit", default=PAGE, least=1, most=LARGEST_PAGE)
        rows = _after(request, ConsentRecording.objects.of(request.user).order_by("-created_at", "-id"))
        found = list(rows[: limit + 1])
        return Response(
            {
                "object": "list",
                "data": [_shown(consent) for consent in found[:limit]],
                "first_id": str(found[0].pk) if found else None,
                "last_id": str(found[:limit][-1].pk) if found else None,
                "has_more": len(found) > limit,
            }
        )

    def post(self, request: Request) -> Response:
        recording = sent_file(request, "recording")
        consent = consent_recordings.keep(
            request.user,
            name=sent_text(request, "name"),
            language=sent_text(request, "language"),
            recording=recording,
            filename=recording.name or "",
        )
        return Response(_shown(consent))


class ConsentView(DialectView):
    required_scopes = {"GET": "voices:read", "POST": "voices:write", "DELETE": "voices:write"}
    parser_classes = [JSONParser, FormParser, MultiPartParser]

    def get(self, request: Request, pk: str) -> Response:
        return Response(_shown(find_consent(request, pk)))

    def post(self, request: Request, pk: str) -> Response:
        consent = find_consent(request, pk)
        consent_recordings.rename(consent, name=sent_text(request, "name"))
        return Response(_shown(consent))

    def delete(self, request: Request, pk: str) -> Response:
        consent = find_consent(request, pk)
        consent_recordings.forget(consent)
        return Response({"id": str(consent.pk), "deleted": True, "object": "audio.voice_consent"})


def sent_file(request: Request, name: str) -> UploadedFile[bytes]:
    """Raises InvalidInput when there is none, SampleRefused when it was too large to be kept."""
    refuse_too_large(request)
    file: UploadedFile[bytes] | None = request.FILES.get(name)
    if file is None:
        raise InvalidInput(fields={name: [_("Send a recording as a file of this name.")]})
    return file


def find_consent(request: Request, pk: str, *, field: str = "") -> ConsentRecording:
    """Raises NotFound (404), or InvalidInput where its id is the value of a `field`."""
    try:
        found = ConsentRecording.objects.of(request.user).filter(pk=uuid.UUID(pk)).first()
    except ValueError:
        found = None
    if found is None and field:
        sentence = _("There is no such consent recording of yours. Send one to /v1/audio/voice_consents first.")
        raise InvalidInput(fields={field: [sentence]}, code="consent_not_found")
    if found is None:
        raise NotFound
    return found


def _after(request: Request, rows: QuerySet[ConsentRecording]) -> QuerySet[ConsentRecording]:
    given = request.query_params.get("after", "")
    if not given:
        return rows
    last = find_consent(request, given, field="after")
    return rows.filter(Q(created_at__lt=last.created_at) | Q(created_at=last.created_at, pk__lt=last.pk))


def _shown(consent: ConsentRecording) -> dict[str, Any]:
    return {
        "id": str(consent.pk),
        "object": "audio.voice_consent",
        "created_at": int(consent.created_at.timestamp()),
        "language": consent.language,
        "name": consent.name,
    }
