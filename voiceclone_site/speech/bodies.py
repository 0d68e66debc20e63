"""What doors that take JSON and give JSON share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError

from voiceclone_site.speech.dialect import Answer, Asked


def json_object(asked: Asked) -> dict[str, Any]:
    """The body's fields; JSON is UTF-8 whatever the request claims (RFC 8259). Raises ParseError."""
    try:
        given = json.loads(asked.body.decode())
    except ValueError:
        raise ParseError(_("This is not JSON in UTF-8. Please check what you send as the request's body.")) from None
    except RecursionError:
        raise ParseError(_("This JSON is nested too deeply. Please send it flatter.")) from None
    if not isinstance(given, dict):
        raise ParseError(_("Send a JSON object: each field by its name."))
    return given


def api_key(asked: Asked) -> str:
    """The token of `xi-api-key` or of `Authorization: Bearer …`, whatever the dialect; empty without one."""
    return asked.headers.get("xi-api-key", "").strip() or bearer(asked)


def bearer(asked: Asked) -> str:
    """The token of `Authorization: Bearer …`; empty without one."""
    word, _space, text = asked.headers.get("authorization", "").partition(" ")
    return text.strip() if word.lower() == "bearer" else ""


def answer_in_json(status: int, body: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    return Answer(status=status, headers={"Content-Type": "application/json", **headers}, body=content)
