"""What the views of both foreign dialects share: a key and never a cookie, no place in our own schema, and the caller's voices."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request
from rest_framework.views import APIView

from voices.api import WhateverIsAccepted
from voices.errors import InvalidInput, NoSuchVoice
from voices.models import Owner, VoiceClone, VoiceQuerySet


class DialectView(APIView):
    schema = None
    content_negotiation_class = WhateverIsAccepted

    def get_authenticators(self) -> list[BaseAuthentication]:
        return [each for each in super().get_authenticators() if not isinstance(each, SessionAuthentication)]


class SpeechAddress(DialectView):
    """What comes to Django of the addresses that the relay answers: all but POST."""

    allowed_methods = ["POST"]


def shown_voices(user: Owner) -> VoiceQuerySet:
    """To these clients a voice is gone once its deletion has been asked for."""
    voices = VoiceClone.objects.visible_to(user).exclude(state=VoiceClone.State.DELETING)
    return voices.select_related("account").prefetch_related("samples")


def find_voice(user: Owner, pk: str) -> VoiceClone:
    """Raises NoSuchVoice for what does not exist, for what is somebody else's, and for what is no id."""
    return _found(shown_voices(user), pk)


def find_own_voice(user: Owner, pk: str) -> VoiceClone:
    """To change it. Raises NoSuchVoice, also for the voices that everybody may speak with."""
    return _found(shown_voices(user).owned_by(user), pk)


def _found(voices: VoiceQuerySet, pk: str) -> VoiceClone:
    try:
        found = voices.filter(pk=uuid.UUID(pk)).first()
    except ValueError:
        found = None
    if found is None:
        raise NoSuchVoice
    return found


def fields_of(request: Request) -> Mapping[str, Any]:
    """The body by its names, form or JSON. Raises InvalidInput for JSON that has none."""
    if not isinstance(request.data, Mapping):
        raise InvalidInput(fields={"body": [_("Send a JSON object: each field by its name.")]})
    return request.data


def sent_text(request: Request, name: str) -> str:
    """Empty when it was not sent. Raises InvalidInput for what is no text."""
    given = fields_of(request).get(name)
    if given is None:
        return ""
    if not isinstance(given, str):
        raise InvalidInput(fields={name: [_("Give text.")]})
    return given


def number(request: Request, name: str, *, default: int, least: int = 0, most: int) -> int:
    """A whole number of the query, brought within its bounds. Raises InvalidInput for what is none."""
    given = request.query_params.get(name, "")
    if not given:
        return default
    try:
        return min(max(int(given), least), most)
    except ValueError:
        raise InvalidInput(fields={name: [_("Give a whole number.")]}) from None
