"""POST /v1/text-to-speech/{voice} and its three siblings, as ElevenLabs' clients ask them (docs/elevenlabs.md).

Of their `voice_settings` only `speed` is something that our providers can turn. The rest is theirs alone; it is accepted, since
their clients always send it, and does nothing.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from synthesis import audio
from synthesis.alignment import Aligner, Alignment
from voiceclone_site import elevenlabs_errors
from voiceclone_site.dialects import FROM_ANYWHERE
from voiceclone_site.errors import Problem
from voiceclone_site.requests import current_request_id
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

DEFAULT_OUTPUT = "mp3_44100_128"
OUTPUT = re.compile(r"(?P<codec>mp3|pcm|wav|opus|ulaw|alaw)_(?P<rate>\d{4,5})(?:_(?P<kbps>\d{2,3}))?", re.ASCII)
RATES: Mapping[str, tuple[int, ...]] = {
    "mp3": (22_050, 24_000, 44_100),
    "pcm": (8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
    "wav": (8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
    "opus": (48_000,),
    "ulaw": (8_000,),
    "alaw": (8_000,),
}
KBPS: Mapping[str, tuple[int, ...]] = {"mp3": (32, 48, 64, 96, 128, 192), "opus": (32, 64, 96, 128, 192)}
OURS = {"ulaw": "mulaw"}
SLOWEST, FASTEST = 0.7, 1.2
NAMES = {
    "format": "output_format",
    "sample_rate": "output_format",
    "speed": "voice_settings.speed",
    "model": "model_id",
}
ANY_MODEL = "eleven_"
"""Whatever theirs is called, it means the voice's own."""


def credential(asked: Asked) -> Token:
    return Token(api_key(asked))


def wish(asked: Asked) -> SpeechWish:
    given = json_object(asked)
    text = given.get("text")
    if not isinstance(text, str):
        raise InvalidInput(fields={"text": [_("Give the text to speak.")]}, code=elevenlabs_errors.WRONG_TYPE)
    if not text.strip():
        raise InvalidInput(fields={"text": [_("Please enter some text to speak.")]}, code="empty_text")
    codec, rate, kbps = _output(asked.query.get("output_format") or DEFAULT_OUTPUT)
    return SpeechWish(
        voice=VoiceRef(asked.captured["voice"]),
        text=text,
        audio_format=OURS.get(codec, codec),
        sample_rate=rate,
        bit_rate=kbps * 1000 if kbps else None,
        hints=_hints(given),
        speed=_speed(given.get("voice_settings")),
        model=_model(given.get("model_id")),
        at_usual_speed=True,
    )


def wish_with_times(asked: Asked) -> SpeechWish:
    return replace(wish(asked), marks=True)


def naming(field: str) -> str:
    return NAMES.get(field, field)


def _described(speaking: Speaking, content_type: str) -> dict[str, str]:
    return {
        **FROM_ANYWHERE,
        "Content-Type": content_type,
        "History-Item-Id": str(speaking.job_id),
        "Request-Id": current_request_id(),
        "Character-Cost": str(speaking.characters),
    }


def sound(wish: SpeechWish, speaking: Speaking) -> Mapping[str, str]:
    return _described(speaking, audio.content_type(speaking.audio_format))


def json_text(wish: SpeechWish, speaking: Speaking) -> Mapping[str, str]:
    return _described(speaking, "application/json")


def refusal(problem: Problem) -> Answer:
    if problem.code == "not_found":
        problem = replace(problem, code="voice_not_found")
    refused = elevenlabs_errors.refusal(problem)
    headers = {**FROM_ANYWHERE, **refused.headers, "Request-Id": current_request_id()}
    return answer_in_json(refused.status, refused.body, headers)


class Lines:
    """One JSON object per line, each with the next audio and the characters whose times became known with it."""

    def __init__(self, text: str) -> None:
        self._aligner = Aligner(text)

    def opening(self) -> bytes:
        return b""

    def audio(self, data: bytes, marks: Sequence[Mark]) -> bytes:
        known = self._aligner.take(marks)
        return _line(data, known if known.characters else None) if data or known.characters else b""

    def ending(self, spoken: Spoken) -> bytes:
        """What follows the last word that has a time; nothing where the provider told of none."""
        if not self._aligner.is_told:
            return b""
        rest = self._aligner.rest(seconds=spoken.milliseconds / 1000 if spoken.milliseconds else None)
        return _line(b"", rest) if rest.characters else b""

    def failure(self, problem: Problem) -> bytes:
        return json.dumps(elevenlabs_errors.refusal(problem).body, ensure_ascii=False).encode(errors="replace") + b"\n"


class OneObject:
    """The whole audio and all times in a single JSON object, so nothing leaves before the end."""

    def __init__(self, text: str) -> None:
        self._aligner = Aligner(text)
        self._parts: list[bytes] = []
        self._known = Alignment()

    def opening(self) -> bytes:
        return b""

    def audio(self, data: bytes, marks: Sequence[Mark]) -> bytes:
        self._parts.append(data)
        _extend(self._known, self._aligner.take(marks))
        return b""

    def ending(self, spoken: Spoken) -> bytes:
        if self._aligner.is_told:
            _extend(self._known, self._aligner.rest(seconds=(spoken.milliseconds or 0) / 1000))
        return _line(b"".join(self._parts), self._known if self._aligner.is_told else None)

    def failure(self, problem: Problem) -> bytes:
        return b""


def _extend(known: Alignment, more: Alignment) -> None:
    known.characters.extend(more.characters)
    known.starts.extend(more.starts)
    known.ends.extend(more.ends)


def _line(data: bytes, known: Alignment | None) -> bytes:
    times = known and {
        "characters": known.characters,
        "character_start_times_seconds": known.starts,
        "character_end_times_seconds": known.ends,
    }
    said = {"audio_base64": base64.b64encode(data).decode(), "alignment": times, "normalized_alignment": times}
    return json.dumps(said, ensure_ascii=False).encode(errors="replace") + b"\n"


def _output(name: str) -> tuple[str, int, int]:
    """Codec, Hz and kbit/s (0: it has none). Raises InvalidInput."""
    found = OUTPUT.fullmatch(name)
    codec, rate, kbps = (found["codec"], int(found["rate"]), int(found["kbps"] or 0)) if found else ("", 0, 0)
    if rate not in RATES.get(codec, ()) or kbps not in KBPS.get(codec, (0,)):
        sentence = _(
            "There is no such output format. Give one such as mp3_44100_128, opus_48000_64, wav_24000 or pcm_16000."
        )
        raise InvalidInput(fields={"output_format": [sentence]})
    return codec, rate, kbps


def _speed(settings: Any) -> float | None:
    """Raises InvalidInput."""
    if settings is None:
        return None
    if not isinstance(settings, Mapping):
        raise InvalidInput(fields={"voice_settings": [_("Send a JSON object: each field by its name.")]})
    speed = settings.get("speed")
    if speed is None:
        return None
    if isinstance(speed, bool) or not isinstance(speed, int | float) or not SLOWEST <= speed <= FASTEST:
        sentence = format_lazy(_("Give a number from {low} to {high}."), low=SLOWEST, high=FASTEST)
        raise InvalidInput(fields={"voice_settings.speed": [sentence]})
    return float(speed)


def _hints(given: Mapping[str, Any]) -> dict[str, Any]:
    named = {"language": given.get("language_code"), "seed": given.get("seed")}
    return {name: value for name, value in named.items() if value is not None}


def _model(name: Any) -> str:
    """Raises NoSuchModel."""
    if name is None or (isinstance(name, str) and (not name or name.startswith(ANY_MODEL))):
        return ""
    if not isinstance(name, str) or not is_model(name):
        raise NoSuchModel
    return name


def _door(
    name: str,
    *,
    wish: Callable[[Asked], SpeechWish],
    headers: Callable[[SpeechWish, Speaking], Mapping[str, str]],
    framing: Callable[[SpeechWish, Speaking], Framing],
) -> Dialect:
    return Dialect(
        name=f"elevenlabs {name}",
        credential=credential,
        wish=wish,
        naming=naming,
        headers=headers,
        framing=framing,
        refusal=refusal,
    )


CONVERT = _door("convert", wish=wish, headers=sound, framing=lambda _wish, _speaking: Untouched())
STREAM = _door("stream", wish=wish, headers=sound, framing=lambda _wish, _speaking: Untouched())
CONVERT_WITH_TIMES = _door(
    "convert with times",
    wish=wish_with_times,
    headers=json_text,
    framing=lambda _wish, speaking: OneObject(speaking.text),
)
STREAM_WITH_TIMES = _door(
    "stream with times",
    wish=wish_with_times,
    headers=json_text,
    framing=lambda _wish, speaking: Lines(speaking.text),
)
