"""Reading the client's JSON frames strictly, and writing the server's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ..options import Options
from ..speech.encoding import FORMATS
from . import refusals, voices
from .models import MODELS
from .refusals import RefusalError
from .sentences import count
from .voices import Voice

_RATES = (8000, 16000, 22050, 24000, 44100, 48000)
_DEFAULT_RATE = 22050
_PROTOCOL = {"task_group": "audio", "task": "tts", "function": "SpeechSynthesizer"}
_MOST_INSTRUCTION = 100


@dataclass(frozen=True)
class Frame:
    action: str
    task_id: str
    payload: dict[str, Any]

    @property
    def input(self) -> dict[str, Any]:
        found: dict[str, Any] = self.payload["input"]
        return found


@dataclass(frozen=True)
class Order:
    """What run-task asked for, with the defaults filled in."""

    model: str
    voice_id: str
    format: str
    sample_rate: int
    volume: int
    rate: float
    pitch: float
    seed: int
    opus_bit_rate: int
    ssml: bool
    word_timestamps: bool
    language: str
    replacements: tuple[tuple[str, str], ...]


def parse(text: str) -> Frame:
    """Raises RefusalError for anything that is not a well-formed client frame."""
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise refusals.invalid("The frame is not JSON.") from error
    header = raw.get("header") if isinstance(raw, dict) else None
    if not isinstance(header, dict):
        raise missing("header")
    action, task_id = header.get("action"), header.get("task_id")
    if not isinstance(action, str) or not action:
        raise missing("header.action")
    if not isinstance(task_id, str) or not task_id:
        raise missing("header.task_id")
    if action not in ("run-task", "continue-task", "finish-task"):
        raise refusals.invalid(f"Unknown action {action}.")
    if header.get("streaming") != "duplex":
        raise refusals.invalid("header.streaming must be duplex.")
    payload = raw.get("payload")
    if not isinstance(payload, dict):
        raise missing("payload")
    if not isinstance(payload.get("input"), dict):
        raise missing("payload.input")
    return Frame(action, task_id, payload)


def task_id_of(text: str) -> str:
    """The task id of a frame that may be broken, for the answer that says so."""
    try:
        found = json.loads(text)["header"]["task_id"]
    except (ValueError, KeyError, TypeError):
        return ""
    return found if isinstance(found, str) else ""


def missing(name: str) -> RefusalError:
    return refusals.invalid(f"Missing required parameter '{name}'! Please follow the protocol!")


def order(payload: dict[str, Any]) -> Order:
    """Check run-task's payload as far as it can be checked without the voice. Raises RefusalError."""
    model = payload.get("model")
    if not isinstance(model, str) or not model:
        raise missing("payload.model")
    for name, wanted in _PROTOCOL.items():
        if payload.get(name) != wanted:
            raise missing(f"payload.{name}") if name not in payload else refusals.invalid(f"{name} must be {wanted}.")
    asked = payload.get("parameters")
    if not isinstance(asked, dict):
        raise missing("payload.parameters")
    if model not in MODELS:
        raise RefusalError("ModelNotFound", f"Model not exist: {model}.")
    voice_id = asked.get("voice")
    if not isinstance(voice_id, str) or not voice_id:
        raise refusals.invalid("Request voice is invalid!")
    if asked.get("text_type") != "PlainText":
        raise refusals.invalid("text_type must be PlainText.")
    can = MODELS[model]
    audio_format = _audio_format(asked, opus=can.opus)
    hints = asked.get("language_hints") or [""]
    if not isinstance(hints, list) or not isinstance(hints[0], str):
        raise refusals.invalid("language_hints must be a list of languages.")
    _check_instruction(asked.get("instruction"), allowed=can.instruction)
    return Order(
        model=model,
        voice_id=voice_id,
        format=audio_format,
        sample_rate=_sample_rate(asked),
        volume=int(_number(asked, "volume", low=0, high=100, default=50, whole=True)),
        rate=_number(asked, "rate", low=0.5, high=2.0, default=1.0),
        pitch=_number(asked, "pitch", low=0.5, high=2.0, default=1.0),
        seed=int(_number(asked, "seed", low=0, high=65535, default=0, whole=True)) if can.seed else 0,
        opus_bit_rate=1000 * int(_number(asked, "bit_rate", low=6, high=510, default=32, whole=True)),
        ssml=bool(asked.get("enable_ssml", False)) and can.ssml,
        word_timestamps=bool(asked.get("word_timestamp_enabled", False)) and can.timestamps,
        language=hints[0],
        replacements=_replacements(asked.get("hot_fix")) if can.hot_fix else (),
    )


def check_voice(voice: Voice | None, order: Order, options: Options) -> Voice:
    """The voice must be this account's, ready, and of this very model. Raises RefusalError 418, or 411 for the model."""
    if voice is not None and voice.model != order.model and options.profile == "current":
        raise refusals.invalid("[cosyvoice:]Engine error [411]: TTS speak operation failed")
    if voice is None or voice.status != voices.OK or voice.model != order.model:
        raise refusals.invalid("[tts:]Engine return error code: 418")
    return voice


def _audio_format(asked: dict[str, Any], *, opus: bool) -> str:
    name = asked.get("format", "mp3")
    # Surprise, 2026-11: the official SDK sends "Default" when no format was chosen.
    name = "mp3" if name == "Default" else name
    if name not in FORMATS or (name == "opus" and not opus):
        raise refusals.invalid(f"format {name} is not supported.")
    return str(name)


def _sample_rate(asked: dict[str, Any]) -> int:
    rate = asked.get("sample_rate", 0) or _DEFAULT_RATE
    if rate not in _RATES:
        raise refusals.invalid(f"sample_rate {rate} is not supported.")
    return int(rate)


def _number(asked: dict[str, Any], name: str, *, low: float, high: float, default: float, whole: bool = False) -> float:
    value = asked.get(name, default)
    fits = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if not fits or not low <= value <= high:
        raise refusals.invalid(f"{name} must be {low:g} to {high:g}.")
    return float(value)


def _check_instruction(instruction: object, *, allowed: bool) -> None:
    if instruction in (None, ""):
        return
    if not allowed:
        raise refusals.invalid("[cosyvoice:]Engine return error code: 428")
    if not isinstance(instruction, str) or count(instruction) > _MOST_INSTRUCTION:
        raise refusals.invalid(f"instruction must be text of at most {_MOST_INSTRUCTION} characters.")


def _replacements(hot_fix: object) -> tuple[tuple[str, str], ...]:
    pairs = hot_fix.get("replace", []) if isinstance(hot_fix, dict) else []
    return tuple((str(old), str(new)) for pair in pairs if isinstance(pair, dict) for old, new in pair.items())


def event(
    name: str, *, task_id: str, payload: dict[str, Any], attributes: dict[str, str] | None = None
) -> dict[str, Any]:
    return {"header": {"task_id": task_id, "event": name, "attributes": attributes or {}}, "payload": payload}


def failed(refusal: RefusalError, *, task_id: str) -> dict[str, Any]:
    header = {
        "task_id": task_id,
        "event": "task-failed",
        "error_code": refusal.code,
        "error_message": refusal.message,
        "attributes": {},
    }
    return {"header": header, "payload": {}}
