"""What is sent to webhooks, as the schema's `webhooks` and for the guide. The examples are in `api_examples.json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from voiceclone_site.examples import JSON, kept
from voices.models import WebhookEvent

ERROR: dict[str, Any] = {
    "type": ["object", "null"],
    "description": "What went wrong; null while nothing has.",
    "required": ["code", "message", "action", "provider_code", "provider_request_id"],
    "properties": {
        "code": {"type": "string"},
        "message": {"type": "string", "description": "In your language."},
        "action": {"type": "string", "description": "Who has to do something: user, operator or provider."},
        "provider_code": {"type": "string"},
        "provider_request_id": {"type": "string"},
    },
}
OF_VOICE: dict[str, Any] = {
    "id": {"type": "string", "format": "uuid"},
    "name": {"type": "string"},
    "state": {"type": "string"},
    "provider": {"type": "string"},
    "model": {"type": "string"},
    "error": ERROR,
}
OF_JOB: dict[str, Any] = {
    "id": {"type": "string", "format": "uuid"},
    "voice": {"type": "string", "format": "uuid"},
    "state": {"type": "string"},
    "format": {"type": "string"},
    "characters": {"type": "integer", "description": "As the provider counted them."},
    "seconds": {"type": ["number", "null"]},
    "error": ERROR,
}
OF_QUOTA: dict[str, Any] = {
    "measure": {"type": "string", "enum": ["characters", "trainings", "voices", "storage", "cost"]},
    "token": {
        "type": ["object", "null"],
        "description": "Whose budget it is; null: a limit of your own.",
        "required": ["id", "name"],
        "properties": {"id": {"type": "integer"}, "name": {"type": "string"}},
    },
    "percent": {"type": "integer", "enum": [80, 100], "description": "Which line was passed."},
    "used": {
        "type": "number",
        "description": "What is held for work under way included; storage in bytes, cost in CNY.",
    },
    "limit": {"type": "number"},
    "left": {"type": "number"},
    "resets_at": {
        "type": ["string", "null"],
        "format": "date-time",
        "description": "null: what only deleting gives back.",
    },
}
DATA: Mapping[WebhookEvent, dict[str, Any]] = {
    WebhookEvent.VOICE_READY: OF_VOICE,
    WebhookEvent.VOICE_FAILED: OF_VOICE,
    WebhookEvent.JOB_DONE: OF_JOB,
    WebhookEvent.JOB_FAILED: OF_JOB,
    WebhookEvent.QUOTA_WARNING: OF_QUOTA,
}
HEADERS = {
    "webhook-id": "The same in every attempt.",
    "webhook-timestamp": "Of this attempt, in seconds since 1970.",
    "webhook-signature": "`v1,` and the HMAC-SHA-256 of `id.timestamp.body` in base64, by Standard Webhooks.",
}


def messages_everywhere(result: dict[str, Any], **_spectacular: Any) -> dict[str, Any]:
    """For SPECTACULAR_SETTINGS["POSTPROCESSING_HOOKS"]."""
    result["webhooks"] = {event.value: {"post": _message(event)} for event in WebhookEvent}
    return result


def example_of(event: WebhookEvent) -> dict[str, Any]:
    found: dict[str, Any] = kept()["messages"][event.value]
    return found


def _message(event: WebhookEvent) -> dict[str, Any]:
    data = DATA[event]
    schema = {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"type": "string", "const": event.value},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": {"type": "object", "required": list(data), "properties": data},
        },
    }
    return {
        "operationId": f"webhook_{event.value.replace('.', '_')}",
        "summary": str(event.label),
        "tags": ["webhooks"],
        "parameters": [
            {"in": "header", "name": name, "required": True, "schema": {"type": "string"}, "description": sentence}
            for name, sentence in HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {JSON: {"schema": schema, "examples": {"example": {"value": example_of(event)}}}},
        },
        "responses": {"2XX": {"description": "Accepted. Anything else is tried again, but 410, which ends it."}},
    }
