"""PCM in, any format out, while it is being spoken: the only module of this app that imports PyAV, and loaded by name only by
what needs it (delivery.py).

What is fed comes out at once, as far as the encoder lets go of it; nothing is kept beyond its frame. Use it off the event loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import av
import numpy as np

from synthesis.audio import streaming_wav_header

_UNPACED = 1.0


@dataclass(frozen=True, slots=True)
class Codec:
    """FFmpeg's names. `bit_rate` in bit/s is what an encoder uses when nobody asks for one; 0: it has none."""

    container: str
    encoder: str
    sample_format: str
    bit_rate: int = 0
    options: tuple[tuple[str, str], ...] = ()


CODECS = {
    # No Xing frame: it would have to be written last, into the first frame.
    "mp3": Codec("mp3", "libmp3lame", "s16p", 96_000, (("write_xing", "0"), ("id3v2_version", "0"))),
    # A page for every 60 ms; its muxer would otherwise wait for a second of sound.
    "opus": Codec("ogg", "libopus", "s16", 48_000, (("page_duration", "60000"),)),
    "aac": Codec("adts", "aac", "fltp", 64_000),
    "flac": Codec("flac", "flac", "s16"),
    "pcm": Codec("s16le", "pcm_s16le", "s16"),
    "wav": Codec("s16le", "pcm_s16le", "s16"),
    "mulaw": Codec("mulaw", "pcm_mulaw", "s16"),
    "alaw": Codec("alaw", "pcm_alaw", "s16"),
}


class Encoder:
    """16-bit little-endian mono PCM at `source_rate` becomes a stream of `audio_format` at `sample_rate` (both Hz).

    `tempo` is how many times faster it is to be spoken, its pitch kept. `bit_rate` in bit/s, 0 for the format's usual one.
    """

    def __init__(
        self, *, source_rate: int, audio_format: str, sample_rate: int, bit_rate: int = 0, tempo: float = _UNPACED
    ) -> None:
        codec = CODECS[audio_format]
        self._sink = _Sink()
        if audio_format == "wav":
            self._sink.write(streaming_wav_header(sample_rate))
        self._container = av.open(
            self._sink, "w", format=codec.container, options={**dict(codec.options), "flush_packets": "1"}
        )
        stream: Any = self._container.add_stream(codec.encoder, rate=sample_rate)
        context = stream.codec_context
        context.layout, context.format = "mono", codec.sample_format
        if rate := codec.bit_rate and (bit_rate or codec.bit_rate):
            context.bit_rate = rate
        context.open()
        self._stream = stream
        self._source_rate = source_rate
        self._resampler = av.AudioResampler(
            format=codec.sample_format, layout="mono", rate=sample_rate, frame_size=context.frame_size or 0
        )
        self._pace = _Pace(source_rate, tempo) if tempo != _UNPACED else None
        self._half = b""

    def feed(self, pcm: bytes) -> bytes:
        """What has become ready of the sound; often less than what was fed, sometimes nothing."""
        pcm, self._half = self._whole(self._half + pcm)
        if pcm:
            frame: Any = av.AudioFrame.from_ndarray(np.frombuffer(pcm, dtype="<i2")[np.newaxis, :], "s16", "mono")
            frame.sample_rate = self._source_rate
            for paced in self._pace.feed(frame) if self._pace else [frame]:
                self._encode(self._resampler.resample(paced))
        return self._sink.taken()

    def finish(self) -> bytes:
        """The rest. Nothing can be fed afterwards."""
        for paced in self._pace.finish() if self._pace else []:
            self._encode(self._resampler.resample(paced))
        self._encode(self._resampler.resample(None))
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._sink.taken()

    def _encode(self, frames: list[av.AudioFrame]) -> None:
        for frame in frames:
            frame.pts = None
            self._container.mux(self._stream.encode(frame))

    @staticmethod
    def _whole(pcm: bytes) -> tuple[bytes, bytes]:
        end = len(pcm) // 2 * 2
        return pcm[:end], pcm[end:]


class _Pace:
    """FFmpeg's atempo, which goes from half to a hundredfold in one step."""

    def __init__(self, rate: int, tempo: float) -> None:
        self._graph: Any = av.filter.Graph()
        nodes = [self._graph.add_abuffer(sample_rate=rate, format="s16", layout="mono")]
        while tempo < 0.5:
            nodes.append(self._graph.add("atempo", "0.5"))
            tempo /= 0.5
        nodes += [
            self._graph.add("atempo", f"{tempo:.4f}"),
            self._graph.add("aformat", "sample_fmts=s16:channel_layouts=mono"),
            self._graph.add("abuffersink"),
        ]
        for before, after in pairwise(nodes):
            before.link_to(after)
        self._graph.configure()

    def feed(self, frame: Any) -> list[Any]:
        self._graph.push(frame)
        return self._pulled()

    def finish(self) -> list[Any]:
        self._graph.push(None)
        return self._pulled()

    def _pulled(self) -> list[Any]:
        found: list[Any] = []
        while True:
            try:
                frame = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return found
            frame.pts = None
            found.append(frame)


class _Sink:
    """Where a muxer writes to: forward only, as a stream is."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken
