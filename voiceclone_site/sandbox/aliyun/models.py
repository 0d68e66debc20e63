"""What each model can do (protocol notes, section 6; vendor documentation up to October 2026)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Model:
    ssml: bool = True
    timestamps: bool = True
    opus: bool = True
    seed: bool = True
    instruction: bool = False
    hot_fix: bool = True


MODELS = {
    "cosyvoice-v1": Model(ssml=False, timestamps=False, opus=False, seed=False, hot_fix=False),
    "cosyvoice-v2": Model(hot_fix=False),
    "cosyvoice-v3-flash": Model(instruction=True),
    "cosyvoice-v3-plus": Model(),
    "cosyvoice-v3.5-flash": Model(instruction=True),
    "cosyvoice-v3.5-plus": Model(instruction=True),
    "qwen-audio-3.0-tts-flash": Model(),
    "qwen-audio-3.0-tts-plus": Model(),
}
