"""What is put into the audio beside the voice: background, an audible mark, a hidden one."""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from ..speech import speaking

MARK_SECONDS = 0.2
_MARK_HERTZ, _HUM_HERTZ = 1000.0, 110.0
_MARK_LEVEL, _BACKGROUND_LEVEL = 0.1, 0.006


def audible() -> NDArray[np.float32]:
    """watermask: a short tone of 1 kHz at -20 dBFS."""
    times = np.arange(int(MARK_SECONDS * speaking.RATE)) / speaking.RATE
    return np.asarray(_MARK_LEVEL * np.sqrt(2) * np.sin(2 * np.pi * _MARK_HERTZ * times), dtype=np.float32)


def background(kind: int, *, start: int, count: int) -> NDArray[np.float32]:
    """bgs: 1 a hum, 2 a hiss, both far below the voice; `start` is the sample it goes on from."""
    if kind == 1:
        times = (start + np.arange(count)) / speaking.RATE
        return np.asarray(_BACKGROUND_LEVEL * np.sin(2 * np.pi * _HUM_HERTZ * times), dtype=np.float32)
    return np.random.default_rng(start).normal(0.0, _BACKGROUND_LEVEL, count).astype(np.float32)


def id3(sid: str) -> bytes:
    """implicit_watermark: an ID3v2.3 tag whose TXXX field AIGC says who made the audio, in the session `sid`."""
    said = json.dumps({"AIGC": {"Label": "1", "ContentProducer": "iflytek-sandbox", "ProduceID": sid}})
    content = b"\x00AIGC\x00" + said.encode("latin-1")
    frame = b"TXXX" + len(content).to_bytes(4) + b"\x00\x00" + content
    size = len(frame)
    return b"ID3\x03\x00\x00" + bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0)) + frame
