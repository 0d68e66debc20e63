"""What the schema says of every operation: how it is refused, and the id that leads to the log."""

from __future__ import annotations

from typing import Any

METHODS = {"get", "post", "put", "patch", "delete"}

MEASURES = ["characters", "trainings", "jobs", "voices", "storage", "cost"]
ERROR: dict[str, Any] = {
    "type": "object",
    "description": "The one shape of every refusal. `code` is for programs, `message` for people, in the language you asked for.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "action", "request_id", "retryable"],
            "properties": {
                "code": {"type": "string", "examples": ["invalid_input", "voice_not_ready", "rate_limited"]},
                "message": {"type": "string", "description": "What happened, and what to do next."},
                "action": {
                    "type": "string",
                    "enum": ["user", "operator", "provider"],
                    "description": "Who has to do something before the same request can work.",
                },
                "retryable": {
                    "type": "boolean",
                    "description": "The same request may work later by itself; `Retry-After` says when, if known.",
                },
                "request_id": {"type": "string", "description": "As in X-Request-Id."},
                "provider": {"type": ["string", "null"]},
                "provider_code": {"type": ["string", "null"], "description": "The provider's own code."},
                "provider_request_id": {
                    "type": ["string", "null"],
                    "description": "What the provider's support asks for.",
                },
                "help_url": {"type": ["string", "null"], "description": "Explains the provider's code."},
                "fields": {
                    "type": "object",
                    "description": "Which fields are wrong and why; nested ones by dotted name.",
                    "additionalProperties": {"type": "array", "items": {"type": "string"}},
                },
                "quota": {
                    "type": "object",
                    "description": (
                        "Where you or your token stand with the limit that was reached. Storage in bytes, cost in CNY; "
                        "`resets_at` null: only deleting helps."
                    ),
                    "properties": {
                        "measure": {"type": "string", "enum": MEASURES},
                        "used": {"type": "number", "description": "What is held for work under way included."},
                        "limit": {"type": "number"},
                        "left": {"type": "number"},
                        "asked": {"type": "number"},
                        "resets_at": {"type": ["string", "null"], "format": "date-time"},
                    },
                },
            },
        }
    },
}
REQUEST_ID = {"schema": {"type": "string"}, "description": "Names this request in the portal's log."}
REFUSALS = {
    "401": "No token, or one that is unknown, revoked or expired.",
    "403": "The token lacks the scope.",
    "404": "It does not exist, or it is not yours.",
    "default": (
        "Any other refusal: 400 and 422 for what was sent, 409 for the wrong moment, 429 for too much, "
        "502 and 503 for the provider."
    ),
}


def refusals_everywhere(result: dict[str, Any], **_spectacular: Any) -> dict[str, Any]:
    """For SPECTACULAR_SETTINGS["POSTPROCESSING_HOOKS"]."""
    result["components"]["schemas"]["Error"] = ERROR
    for name, described in result["components"]["schemas"].items():
        if name.startswith("Paginated"):
            # DRF says as OpenAPI 3.0 did that there may be no further page.
            for side in ("next", "previous"):
                described["properties"][side] = {"type": ["string", "null"], "format": "uri"}
    for path, operations in result["paths"].items():
        for method in METHODS & operations.keys():
            responses = operations[method]["responses"]
            for status, sentence in REFUSALS.items():
                if status != "404" or "{" in path:
                    responses.setdefault(status, _refusal(sentence))
            for response in responses.values():
                response.setdefault("headers", {})["X-Request-Id"] = REQUEST_ID
    return result


def _refusal(sentence: str) -> dict[str, Any]:
    return {
        "description": sentence,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
