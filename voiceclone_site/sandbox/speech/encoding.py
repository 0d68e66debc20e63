"""Samples to a file that grows: what each step gives is sent at once, and all steps joined are one valid file."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Protocol

import av
import numpy as np
from numpy.typing import NDArray

FORMATS = ("pcm", "wav", "mp3", "opus")
# The length is not known when a stream's header is sent; readers take such a length as "until the end".
_UNKNOWN_LENGTH = 0x7FFFFFFF - 36
_MP3_BIT_RATE = 64_000
# Opus knows only these; other rates are carried at the next higher one.
_OPUS_RATES = (8000, 12000, 16000, 24000, 48000)


class Encoder(Protocol):
    def add(self, samples: NDArray[np.float32]) -> bytes:
        """Take mono samples at the source rate; give the bytes that are ready, perhaps none."""

    def finish(self) -> bytes:
        """Give what is left; the encoder is used up."""


def encoder(format: str, *, source_rate: int, rate: int, opus_bit_rate: int = 32_000) -> Encoder:
    """An encoder for one of FORMATS at `rate` Hz, mono: 16-bit PCM with or without header, MP3, Opus in Ogg."""
    if format == "pcm":
        return _Pcm(source_rate=source_rate, rate=rate, header=b"")
    if format == "wav":
        return _Pcm(source_rate=source_rate, rate=rate, header=wav_header(rate))
    if format == "mp3":
        return _Packets(source_rate=source_rate, rate=rate)
    return _Ogg(source_rate=source_rate, rate=next(r for r in _OPUS_RATES if r >= rate), bit_rate=opus_bit_rate)


def wav_header(rate: int) -> bytes:
    """44 bytes of a 16-bit mono WAV whose length is not known yet."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16)
    return (
        struct.pack("<4sI4s", b"RIFF", _UNKNOWN_LENGTH + 36, b"WAVE")
        + form
        + struct.pack("<4sI", b"data", _UNKNOWN_LENGTH)
    )


def _frame(samples: NDArray[np.float32], *, rate: int) -> av.AudioFrame:
    pcm = np.round(np.clip(samples, -1.0, 1.0) * 32767).astype("<i2")
    frame = av.AudioFrame.from_ndarray(pcm[np.newaxis, :], format="s16", layout="mono")
    frame.sample_rate = rate
    return frame


class _Pcm:
    def __init__(self, *, source_rate: int, rate: int, header: bytes) -> None:
        self._source_rate = source_rate
        self._header = header
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)

    def add(self, samples: NDArray[np.float32]) -> bytes:
        header, self._header = self._header, b""
        return header + self._bytes(_frame(samples, rate=self._source_rate) if len(samples) else None, flush=False)

    def finish(self) -> bytes:
        header, self._header = self._header, b""
        return header + self._bytes(None, flush=True)

    def _bytes(self, frame: av.AudioFrame | None, *, flush: bool) -> bytes:
        if frame is None and not flush:
            return b""
        return b"".join(piece.to_ndarray().tobytes() for piece in self._resampler.resample(frame))


class _Packets:
    """MP3: its packets, joined, are the file."""

    def __init__(self, *, source_rate: int, rate: int) -> None:
        self._source_rate = source_rate
        codec = av.CodecContext.create("libmp3lame", "w")
        assert isinstance(codec, av.AudioCodecContext)
        codec.sample_rate = rate
        codec.layout = "mono"
        codec.format = "s16p"
        codec.bit_rate = _MP3_BIT_RATE
        codec.open()
        self._codec = codec
        self._resampler = av.AudioResampler(format="s16p", layout="mono", rate=rate, frame_size=codec.frame_size)

    def add(self, samples: NDArray[np.float32]) -> bytes:
        if not len(samples):
            return b""
        return b"".join(self._encode(self._resampler.resample(_frame(samples, rate=self._source_rate))))

    def finish(self) -> bytes:
        return b"".join((*self._encode(self._resampler.resample(None)), *map(bytes, self._codec.encode(None))))

    def _encode(self, frames: list[av.AudioFrame]) -> Iterator[bytes]:
        for frame in frames:
            yield from map(bytes, self._codec.encode(frame))


class _Ogg:
    """Opus in Ogg, with short pages so that every step gives something."""

    def __init__(self, *, source_rate: int, rate: int, bit_rate: int) -> None:
        self._source_rate = source_rate
        self._target = _Growing()
        self._container = av.open(self._target, "w", format="ogg", options={"page_duration": "100000"})
        stream = self._container.add_stream("libopus", rate=rate)
        assert isinstance(stream, av.AudioStream)
        stream.codec_context.layout = "mono"
        stream.codec_context.bit_rate = bit_rate
        stream.codec_context.open()
        self._stream = stream
        self._resampler = av.AudioResampler(
            format=stream.codec_context.format, layout="mono", rate=rate, frame_size=stream.codec_context.frame_size
        )

    def add(self, samples: NDArray[np.float32]) -> bytes:
        if len(samples):
            for piece in self._resampler.resample(_frame(samples, rate=self._source_rate)):
                self._container.mux(self._stream.encode(piece))
        return self._target.take()

    def finish(self) -> bytes:
        for piece in self._resampler.resample(None):
            self._container.mux(self._stream.encode(piece))
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._target.take()


class _Growing(io.RawIOBase):
    """A file that can only be written to and emptied."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        piece = bytes(memoryview(data))  # type: ignore[arg-type]  # typeshed's Buffer is not importable before 3.12
        self._waiting += piece
        return len(piece)

    def take(self) -> bytes:
        data = bytes(self._waiting)
        self._waiting.clear()
        return data
