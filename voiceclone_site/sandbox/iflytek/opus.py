"""Bare Opus packets of 20 ms, without a container. How the vendor frames them is not documented: one a message here."""

from __future__ import annotations

import av
import numpy as np
from numpy.typing import NDArray

_BIT_RATE = 24_000


class Packets:
    def __init__(self, *, source_rate: int, rate: int) -> None:
        codec = av.CodecContext.create("libopus", "w")
        assert isinstance(codec, av.AudioCodecContext)
        codec.sample_rate = rate
        codec.layout = "mono"
        codec.format = "s16"
        codec.bit_rate = _BIT_RATE
        codec.open()
        self._codec = codec
        self._source_rate = source_rate
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=rate, frame_size=codec.frame_size)

    def add(self, samples: NDArray[np.float32]) -> list[bytes]:
        if not len(samples):
            return []
        pcm = np.round(np.clip(samples, -1.0, 1.0) * 32767).astype("<i2")
        frame = av.AudioFrame.from_ndarray(pcm[np.newaxis, :], format="s16", layout="mono")
        frame.sample_rate = self._source_rate
        return self._encoded(self._resampler.resample(frame))

    def finish(self) -> list[bytes]:
        return self._encoded(self._resampler.resample(None)) + [bytes(packet) for packet in self._codec.encode(None)]

    def _encoded(self, frames: list[av.AudioFrame]) -> list[bytes]:
        return [bytes(packet) for frame in frames for packet in self._codec.encode(frame)]
