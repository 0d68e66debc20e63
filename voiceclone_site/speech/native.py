"""POST /api/v1/speech: our own words, so that little is left to translate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synthesis import audio
from synthesis.serializers import SpeechSerializer
from voiceclone_site.errors import Problem, body_of, headers_of
from voiceclone_site.speech.bodies import answer_in_json, bearer, json_object
from voiceclone_site.speech.dialect import (
    Answer,
    Asked,
    Dialect,
    Speaking,
    SpeechWish,
    Token,
    Untouched,
    VoiceRef,
)
from voices.serializers import checked

FIELDS: Mapping[str, type] = {"voice": str, "text": str, "format": str, "sample_rate": int, "parameters": dict}


def credential(asked: Asked) -> Token:
    return Token(bearer(asked))


def wish(asked: Asked) -> SpeechWish:
    given = json_object(asked)
    if not _is_plain(given):
        # It says what is wrong, and takes what is only odd, such as a number in quotes; it also takes 0.3 ms.
        given = checked(SpeechSerializer, given)
    return SpeechWish(
        voice=VoiceRef(given["voice"]),
        text=given["text"],
        audio_format=given.get("format") or audio.accepted_format(asked.headers.get("accept", "")),
        sample_rate=given.get("sample_rate"),
        parameters=given.get("parameters") or {},
    )


def naming(field: str) -> str:
    return field if field in FIELDS else f"parameters.{field}"


def headers(wish: SpeechWish, speaking: Speaking) -> Mapping[str, str]:
    return {"Content-Type": audio.content_type(speaking.audio_format), "X-Job-Id": str(speaking.job_id)}


def framing(wish: SpeechWish, speaking: Speaking) -> Untouched:
    return Untouched()


def refusal(problem: Problem) -> Answer:
    return answer_in_json(problem.status, body_of(problem), headers_of(problem))


def _is_plain(given: Mapping[str, Any]) -> bool:
    return (
        "voice" in given
        and "text" in given
        and all(type(value) is FIELDS.get(name) for name, value in given.items())
        and given.get("sample_rate", 1) > 0
    )


NATIVE = Dialect(
    name="native",
    credential=credential,
    wish=wish,
    naming=naming,
    headers=headers,
    framing=framing,
    refusal=refusal,
)
