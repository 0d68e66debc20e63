"""POST /v1/audio/speech, as OpenAI's clients ask it (docs/openai.md). Unknown fields are passed over, as theirs does."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from synthesis import audio
from voiceclone_site import openai_errors
from voiceclone_site.dialects import FROM_ANYWHERE
from voiceclone_site.errors import Problem
from voiceclone_site.speech.bodies import answer_in_json, api_key, json_object
from voiceclone_site.speech.dialect import (
    Answer,
    Asked,
    Dialect,
    Framing,
    Speaking,
    SpeechWish,
    Spoken,
    Token,
    Untouched,
    VoiceRef,
)
from voices.catalogue import is_model
from voices.errors import InvalidInput, NoSuchModel
from voices.providers.base import Mark

FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
DEFAULT_FORMAT = "mp3"
PCM_RATE = 24_000
SLOWEST, FASTEST = 0.25, 4.0
STREAMS = ("audio", "sse")
ALIASES = ("tts-1", "gpt-4o-mini-tts")
"""Theirs, with whatever follows them (-hd, a date): the voice's own model."""

NAMES = {"text": "input", "format": "response_format", "instruction": "instructions"}
KNOWN = {"model", "input", "voice", "instructions", "response_format", "speed", "stream_format"}


def credential(asked: Asked) -> Token:
    return Token(api_key(asked))


def wish(asked: Asked) -> SpeechWish:
    given = json_object(asked)
    wrong: dict[str, Sequence[Any]] = {}
    text, voice, model = given.get("input"), given.get("voice"), given.get("model")
    if not isinstance(text, str):
        wrong["input"] = [_("Give the text to speak.")]
    if isinstance(voice, Mapping):
        voice = voice.get("id")
    if not isinstance(voice, str) or not voice:
        wrong["voice"] = [_("Give the id or the exact name of one of your voices.")]
    if not isinstance(model, str) or not model:
        wrong["model"] = [_("Give a model, such as tts-1: it means the voice's own.")]
    audio_format = given.get("response_format") or DEFAULT_FORMAT
    if audio_format not in FORMATS:
        wrong["response_format"] = [_one_of(FORMATS)]
    speed = given.get("speed")
    if speed is not None and not (
        isinstance(speed, int | float) and not isinstance(speed, bool) and SLOWEST <= speed <= FASTEST
    ):
        wrong["speed"] = [format_lazy(_("Give a number from {low} to {high}."), low=SLOWEST, high=FASTEST)]
    instructions = given.get("instructions")
    if instructions is not None and not isinstance(instructions, str):
        wrong["instructions"] = [_("Give text.")]
    if (given.get("stream_format") or "audio") not in STREAMS:
        wrong["stream_format"] = [_one_of(STREAMS)]
    if wrong:
        raise InvalidInput(fields=wrong)
    assert isinstance(text, str)
    assert isinstance(voice, str)
    assert isinstance(model, str)
    return SpeechWish(
        voice=VoiceRef(voice, may_be_name=True),
        text=text,
        audio_format=audio_format,
        sample_rate=PCM_RATE if audio_format == "pcm" else None,
        hints=_hints(given),
        speed=speed,
        model=_model(model),
        framing=given.get("stream_format") or "audio",
    )


def naming(field: str) -> str:
    return NAMES.get(field, field)


def headers(wish: SpeechWish, speaking: Speaking) -> Mapping[str, str]:
    sse = wish.framing == "sse"
    return {
        **FROM_ANYWHERE,
        "Content-Type": "text/event-stream" if sse else audio.content_type(speaking.audio_format),
        "X-Generation-Id": str(speaking.job_id),
        "X-Voice-Id": str(speaking.voice_id),
        "X-Characters": str(speaking.characters),
        "X-Vendor": speaking.provider,
    }


def framing(wish: SpeechWish, speaking: Speaking) -> Framing:
    return Events() if wish.framing == "sse" else Untouched()


def refusal(problem: Problem) -> Answer:
    if problem.code == "not_found":
        problem = replace(problem, code="voice_not_found")
    refused = openai_errors.refusal(problem)
    return answer_in_json(refused.status, refused.body, {**FROM_ANYWHERE, **refused.headers})


class Events:
    """Server-sent events: the file in pieces of base64, then what it took. Their SDK has no types for these."""

    def opening(self) -> bytes:
        return b""

    def audio(self, data: bytes, marks: Sequence[Mark]) -> bytes:
        return _event({"type": "speech.audio.delta", "audio": base64.b64encode(data).decode()}) if data else b""

    def ending(self, spoken: Spoken) -> bytes:
        """Their tokens are our characters in, and milliseconds of audio out."""
        taken, given = spoken.characters, spoken.milliseconds or 0
        usage = {"input_tokens": taken, "output_tokens": given, "total_tokens": taken + given}
        return _event({"type": "speech.audio.done", "usage": usage})

    def failure(self, problem: Problem) -> bytes:
        return _event(openai_errors.refusal(problem).body)


def _event(said: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(said, ensure_ascii=False)}\n\n".encode(errors="replace")


def _hints(given: Mapping[str, Any]) -> dict[str, Any]:
    """Whatever else is named as a parameter of the model is one: `extra_body={"volume": 80}`."""
    hints = {
        name: value
        for name, value in given.items()
        if name not in KNOWN and isinstance(value, str | int | float | bool)
    }
    if given.get("instructions"):
        hints["instruction"] = given["instructions"]
    return hints


def _model(name: str) -> str:
    """Raises NoSuchModel."""
    if name.startswith(ALIASES):
        return ""
    if not is_model(name):
        raise NoSuchModel
    return name


def _one_of(offered: Sequence[str]) -> Any:
    return format_lazy(_("Choose one of: {offered}."), offered=", ".join(offered))


OPENAI = Dialect(
    name="openai",
    credential=credential,
    wish=wish,
    naming=naming,
    headers=headers,
    framing=framing,
    refusal=refusal,
)
