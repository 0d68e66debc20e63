"""A ticket that an operator can paste into the provider's support form as it stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import translation

from voices import book, failures
from voices.durable import DurableRow
from voices.models import VoiceClone
from voices.providers.redaction import redacted

CALLS_OF_EVENTS: Mapping[str, str] = {"delete_failed": "delete a voice", "rename_failed": "rename a voice"}


def ticket(row: DurableRow) -> str:
    """Who was asked for what, when, what was answered, and our own id for it; no secret, no text, no recording.

    `row` is a voice or what one was to say. In English, with times in UTC: it reads alike at every provider.
    """
    with translation.override("en"):
        return "\n".join(f"{name}: {value}" for name, value in _told(row).items() if value)


def _told(row: DurableRow) -> dict[str, str]:
    whole: Any = row  # a voice, or a row that has one; each with events of its own
    voice: VoiceClone = getattr(whole, "voice", whole)
    entry = book.entry_of(row)
    last = whole.events.order_by("-at", "-id").first()
    return {
        "Provider": row.provider,
        "Service": entry.service if entry else "",
        "Call": CALLS_OF_EVENTS.get(last.kind if last else "", "make a voice") if row is voice else "speak",
        "Model": voice.model,
        "Voice at the provider": voice.remote_id,
        "Code": row.error_provider_code,
        "Message": redacted(row.error_detail, secrets=tuple(voice.account.credentials.values())),
        "Request id / sid": row.provider_request_id,
        "Time": f"{last.at if last else row.updated_at:%Y-%m-%d %H:%M:%S} UTC",
        "What it means, as we read it": str(entry.cause) if entry else failures.shown(row.error_sentence),
        "Our id": f"{row._meta.model_name} {row.pk}",
    }
