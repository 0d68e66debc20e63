"""What `demo_url` leads to: a sentence in the cloned voice, as a WAV, without any key. A link dies with its training."""

from __future__ import annotations

import io
import wave
from functools import partial

import numpy as np
from aiohttp import web
from numpy.typing import NDArray

from ..speech import speaking
from ..speech.speaking import Manner
from ..speech.voiceprint import VoicePrint
from ..state import STATE
from .clones import Clone

_TEXTS = {
    "zh": "你好，这是我的声音。今天天气不错，我们出去走走吧。",
    "en": "Hello, this is my voice. The weather is fine today, so let us go for a walk.",
}


def url(request: web.Request, clone: Clone) -> str:
    """Empty until a training has succeeded; of the training before, while another one is under way."""
    if not clone.demo_sha256:
        return ""
    return f"http://{request.host}/qiniu-demo/{clone.id}/{clone.demo_sha256}.wav"


async def get(request: web.Request) -> web.Response:
    """GET what `url` gave."""
    state = request.app[STATE]
    clone_id, sha256 = request.match_info["id"], request.match_info["sha256"]
    row = state.connection.execute(
        "SELECT language FROM qiniu_voices WHERE id = ? AND demo_sha256 = ?", (clone_id, sha256)
    ).fetchone()
    voice = state.studio.print_of(sha256) if row else None
    status = 404 if voice is None else 200
    state.ledger.write(
        provider="qiniu", account="", operation="demo", headers=request.headers, status=status, voice_id=clone_id
    )
    if voice is None:
        return web.Response(status=404, text="Not Found\n")
    language = row["language"] if row["language"] in _TEXTS else "en"
    return web.Response(body=await state.studio.work(partial(_spoken, voice, language)), content_type="audio/wav")


def _spoken(voice: VoicePrint, language: str) -> bytes:
    spoken = speaking.speak(_TEXTS[language], voice=voice, manner=Manner(language=language))
    return _wav(spoken.samples, rate=speaking.RATE)


def _wav(samples: NDArray[np.float32], *, rate: int) -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.round(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return target.getvalue()
