"""Whom the portal will speak through next: those it has spoken through lately. Their connections are opened before anybody asks."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Max
from django.utils import timezone

from voices import circuit
from voices.errors import Busy
from voices.models import VoiceClone
from voices.providers.base import Speech, SpeechConnection, SpeechRequest
from voices.providers.errors import ConfigurationError

logger = logging.getLogger(__name__)

LATELY = timedelta(days=1)
MOST_ACCOUNTS = 16


def spoken_through_lately() -> list[tuple[Speech, SpeechConnection]]:
    """The accounts in whose voices something was said lately, the last one first; those that rest now are left out."""
    spoken = VoiceClone.objects.filter(spoken_at__gte=timezone.now() - LATELY).order_by()
    accounts = spoken.values("account").annotate(last=Max("spoken_at")).order_by("-last")[:MOST_ACCOUNTS]
    voices = [spoken.filter(account=row["account"]).select_related("account").latest("spoken_at") for row in accounts]
    return list(_connections(voices))


def _connections(voices: list[VoiceClone]) -> Iterator[tuple[Speech, SpeechConnection]]:
    for voice in voices:
        try:
            circuit.refuse_if_shut(voice.account)
            speech = voice.account.client().speech
        except (Busy, ConfigurationError) as resting:
            logger.info("no connection is opened ahead to account %s: %s", voice.account_id, resting)
            continue
        if speech is not None:
            yield speech, speech.connection(_first_words(voice))


def _first_words(voice: VoiceClone) -> SpeechRequest:
    """What would be asked for in this voice; nothing of it is sent."""
    return SpeechRequest(
        remote_id=voice.remote_id,
        model=voice.model,
        text="",
        audio_format=voice.traits.default_format,
        sample_rate=voice.traits.default_sample_rate,
    )
