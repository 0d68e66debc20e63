"""Samples to the pieces of audio that go into frames, one piece a frame."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..speech import encoding, speaking
from . import opus, refusals

_DOC_BYTES = 8192
# Measured by a third party on the live service for mp3.
_LIVE_BYTES = {"lame": 1200, "raw": 8192}


class Pieces(Protocol):
    def add(self, samples: NDArray[np.float32]) -> list[bytes]:
        """Take samples at speaking.RATE; give the pieces that are full."""

    def finish(self) -> list[bytes]:
        """Give the rest; the stream is used up."""


def pieces(codec: str, *, rate: int, frames: Literal["live", "doc"]) -> Pieces:
    """Raises SynthesisRefusal 10043 for Speex, which nothing here can encode."""
    if codec.startswith("speex"):
        raise refusals.engine(10043, "Syscall AudioCodingDecode error")
    if codec.startswith("opus"):
        return opus.Packets(source_rate=speaking.RATE, rate=rate)
    made = encoding.encoder("mp3" if codec == "lame" else "pcm", source_rate=speaking.RATE, rate=rate)
    return _Slices(made, size=_LIVE_BYTES[codec] if frames == "live" else _DOC_BYTES)


class _Slices:
    def __init__(self, encoder: encoding.Encoder, *, size: int) -> None:
        self._encoder = encoder
        self._size = size
        self._waiting = b""

    def add(self, samples: NDArray[np.float32]) -> list[bytes]:
        self._waiting += self._encoder.add(samples)
        whole = len(self._waiting) // self._size * self._size
        full, self._waiting = self._waiting[:whole], self._waiting[whole:]
        return [full[at : at + self._size] for at in range(0, len(full), self._size)]

    def finish(self) -> list[bytes]:
        rest = self._waiting + self._encoder.finish()
        return [rest[at : at + self._size] for at in range(0, len(rest), self._size)]
