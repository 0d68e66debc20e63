"""Uploaded bytes to samples, by content and within limits. FFmpeg probes content, so playlists are refused by name."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray

_MOST_CHANNELS = 8
# Without this, a text upload may be taken for a playlist, and FFmpeg would go and look for its entries.
_SIGNATURE = re.compile(rb"RIFF....WAVE|ID3|\xff[\xe0-\xff]|....ftyp", re.DOTALL)
_DEMUXERS = "wav,mp3,flac,ogg,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,aac,amr,aiff,caf"


class UndecodableError(ValueError):
    """The bytes hold no audio that can be read; the message carries FFmpeg's own words."""


class UnknownContainerError(UndecodableError):
    """The bytes are not a known audio file at all."""


@dataclass(frozen=True)
class Recording:
    samples: NDArray[np.float32]
    """The first channel, -1..1."""
    rate: int
    container: str
    """FFmpeg's name: "wav", "mp3", "mov,mp4,m4a,3gp,3g2,mj2", ..."""
    codec: str

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


def decode(audio: bytes, *, most_seconds: float) -> Recording:
    """Decode at most `most_seconds` of the first channel. Duration is counted in samples: headers of live files lie.

    Raises UnknownContainerError when no audio container is recognised, UndecodableError when it cannot be read.
    """
    parts: list[NDArray[np.float32]] = []
    try:
        container = av.open(io.BytesIO(audio), "r", options={"format_whitelist": _DEMUXERS, "protocol_whitelist": ""})
    except Exception as error:  # FFmpeg's errors come in a dozen classes, and bad tags raise UnicodeDecodeError
        kind = UndecodableError if _SIGNATURE.match(audio) else UnknownContainerError
        raise kind(f"cannot open: {error}") from error
    with container:
        if not container.streams.audio:
            raise UnknownContainerError("no audio stream in the file")
        stream = container.streams.audio[0]
        if stream.codec_context is None or stream.codec_context.channels > _MOST_CHANNELS:
            raise UndecodableError("no decoder for this audio stream")
        rate = stream.codec_context.sample_rate
        codec = stream.codec_context.name
        wanted, count = int(most_seconds * rate), 0
        try:
            for frame in container.decode(stream):
                channels = frame.to_ndarray()
                step = len(frame.layout.channels) if not frame.format.is_planar else 1
                part = _as_float(channels[0][::step])
                parts.append(part)
                count += len(part)
                if count >= wanted:
                    break
        except Exception as error:  # as above; a cut file keeps what was decoded before the cut
            if not parts:
                raise UndecodableError(f"cannot decode: {error}") from error
        name = container.format.name
    if not parts:
        raise UndecodableError("the file holds no samples")
    return Recording(samples=np.concatenate(parts), rate=rate, container=name, codec=codec)


def _as_float(part: NDArray[np.generic]) -> NDArray[np.float32]:
    if part.dtype.kind == "f":
        return np.nan_to_num(part.astype(np.float32))
    if part.dtype.kind == "u":
        return (part.astype(np.float32) - 128.0) / 128.0
    return part.astype(np.float32) / float(1 << (part.dtype.itemsize * 8 - 1))


def resampled(samples: NDArray[np.float32], *, source_rate: int, rate: int) -> NDArray[np.float32]:
    """The same sound at another sample rate."""
    if source_rate == rate or not len(samples):
        return samples
    resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[np.newaxis, :]), format="flt", layout="mono")
    frame.sample_rate = source_rate
    pieces = [piece.to_ndarray()[0] for piece in (*resampler.resample(frame), *resampler.resample(None))]
    return np.concatenate(pieces).astype(np.float32)
