"""What a provider spoke, as a file: its type and ending, its length, and a WAV header that tells the truth.

All of it is arithmetic on containers: finishing runs behind the last byte of a stream in the web process, which decodes
nothing and imports neither PyAV nor numpy. Peaks are therefore known for PCM and WAV only.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from synthesis import mpeg, ogg
from synthesis.errors import UnreadableAudio

_TYPES = {
    "wav": ("audio/wav", "wav"),
    "mp3": ("audio/mpeg", "mp3"),
    "opus": ("audio/ogg", "ogg"),
    "pcm": ("audio/pcm", "pcm"),  # not audio/L16: that is big-endian (RFC 2586)
    "flac": ("audio/flac", "flac"),
    "aac": ("audio/aac", "aac"),
    "mulaw": ("audio/basic", "ulaw"),
    "alaw": ("audio/x-alaw-basic", "alaw"),
}
_OTHER_TYPES = {
    "audio/mp3": "mp3",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/opus": "opus",
    "audio/x-flac": "flac",
}
_UNKNOWN_LENGTH = 0xFFFFFFFF
WAV_HEADER = 44
"""Bytes before the samples of a WAV that is streamed."""
_READ = 1 << 18


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """`seconds` of sound by counting frames, whatever a header claims."""

    seconds: float
    sample_rate: int
    bytes: int


@dataclass(frozen=True, slots=True)
class WavLayout:
    """Where the samples of a WAV file lie, and what they are; offsets and lengths in bytes."""

    channels: int
    sample_rate: int
    frame_bytes: int
    is_pcm16: bool
    data_offset: int
    data_bytes: int


def content_type(audio_format: str) -> str:
    """For an HTTP answer. Raises KeyError for a format that neither a provider speaks nor we make."""
    return _TYPES[audio_format][0]


def accepted_format(accept: str) -> str:
    """The first format that an Accept header names, as in `audio/flac`; empty when it names none of ours."""
    wanted = [each.partition(";")[0].strip().lower() for each in accept.split(",")]
    by_type = {kind: name for name, (kind, _extension) in _TYPES.items()} | _OTHER_TYPES
    return next((by_type[kind] for kind in wanted if kind in by_type), "")


def extension(audio_format: str) -> str:
    return _TYPES[audio_format][1]


def finish(path: Path, audio_format: str, *, sample_rate: int) -> AudioFacts:
    """Put a received file right, and measure it. `sample_rate` is what was asked for; only headerless PCM needs it.

    The header of a streamed WAV was written before its length was known; its lengths are corrected in place.
    Raises UnreadableAudio when the bytes are not that format, or hold no sound.
    """
    with path.open("r+b") as file:
        return finish_opened(file, audio_format, sample_rate=sample_rate)


def finish_opened(file: BinaryIO, audio_format: str, *, sample_rate: int) -> AudioFacts:
    """The same of a file that can be read and written, on a disk or in memory."""
    match audio_format:
        case "wav":
            layout = _fix_wav(file)
            seconds, sample_rate = layout.data_bytes / layout.frame_bytes / layout.sample_rate, layout.sample_rate
        case "pcm":
            seconds = file.seek(0, 2) // 2 / sample_rate
        case "mp3":
            file.seek(0)
            spoken = mpeg.duration(file.read())
            seconds, sample_rate = spoken.seconds, spoken.sample_rate
        case "opus":
            file.seek(0)
            seconds, sample_rate = ogg.opus_seconds(file.read()), ogg.OPUS_RATE
        case _:
            raise KeyError(audio_format)
    facts = AudioFacts(seconds=round(seconds, 3), sample_rate=sample_rate, bytes=file.seek(0, 2))
    if facts.seconds <= 0:
        raise UnreadableAudio(detail=f"{audio_format} without a single sample in {facts.bytes} bytes")
    return facts


def milliseconds(data: bytes, audio_format: str, *, sample_rate: int) -> int | None:
    """Of a whole clip as it was sent; None for what would have to be decoded, and for what cannot be read."""
    try:
        match audio_format:
            case "pcm" | "wav":
                header = WAV_HEADER if audio_format == "wav" else 0
                return (len(data) - header) * 1000 // (2 * sample_rate)
            case "mulaw" | "alaw":
                return len(data) * 1000 // sample_rate
            case "mp3":
                return round(mpeg.duration(data).seconds * 1000)
            case "opus":
                return round(ogg.opus_seconds(data) * 1000)
    except UnreadableAudio:
        return None
    return None


def streaming_wav_header(sample_rate: int) -> bytes:
    """A header for mono 16-bit PCM of a length that is not known yet; players read on until the end."""
    return _wav_header(sample_rate=sample_rate, data_bytes=None)


def waveform(path: Path, audio_format: str, *, sample_rate: int, points: int = 200) -> list[float]:
    """The loudest sample (0..1) of each of `points` equal stretches of a finished file; empty for formats that would have to
    be decoded (a browser can do that itself)."""
    if audio_format == "pcm":
        layout = _pcm_layout(path, sample_rate=sample_rate)
    elif audio_format == "wav":
        layout = fix_wav(path)
    else:
        return []
    if not layout.is_pcm16:
        return []
    samples = layout.data_bytes // 2
    stretch = max(1, math.ceil(samples / points))
    with path.open("rb") as file:
        file.seek(layout.data_offset)
        return [
            min(1.0, max(max(piece), -min(piece)) / 32767)
            for piece in _pcm16(file, layout.data_bytes, samples_at_once=stretch)
        ]


# --- WAV -------------------------------------------------------------------------------------------------------------


def fix_wav(path: Path) -> WavLayout:
    """Correct the RIFF and data lengths in place, and drop half a frame at the end. Raises UnreadableAudio."""
    with path.open("r+b") as file:
        return _fix_wav(file)


def _fix_wav(file: BinaryIO) -> WavLayout:
    layout = _read_layout(file)
    size = file.seek(0, 2)
    end = layout.data_offset + layout.data_bytes
    whole = layout.data_bytes // layout.frame_bytes * layout.frame_bytes
    if whole != layout.data_bytes:
        file.truncate(layout.data_offset + whole)
        end = size = layout.data_offset + whole
    _write_length(file, at=layout.data_offset - 4, length=whole)
    _write_length(file, at=4, length=max(end, size) - 8)
    return replace(layout, data_bytes=whole)


def _read_layout(file: BinaryIO) -> WavLayout:
    size = file.seek(0, 2)
    file.seek(0)
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        raise UnreadableAudio(detail=f"not a WAV file: it begins with {head[:4]!r}")
    form = b""
    for name, offset, declared in _chunks(file, size):
        if name == b"fmt ":
            form = file.read(min(declared, 40))
        elif name == b"data":
            return _layout(form, data_offset=offset, data_bytes=_true_length(file, offset, declared, size))
    raise UnreadableAudio(detail="a WAV file without a data chunk")


def _layout(form: bytes, *, data_offset: int, data_bytes: int) -> WavLayout:
    if len(form) < 16:
        raise UnreadableAudio(detail="a WAV file without a format before its data")
    tag, channels = int.from_bytes(form[0:2], "little"), int.from_bytes(form[2:4], "little")
    sample_rate, frame_bytes = int.from_bytes(form[4:8], "little"), int.from_bytes(form[12:14], "little")
    bits = int.from_bytes(form[14:16], "little")
    if tag == 0xFFFE and len(form) >= 26:
        tag = int.from_bytes(form[24:26], "little")
    if not channels or not sample_rate or not frame_bytes:
        raise UnreadableAudio(
            detail=f"a WAV file with {channels} channels, {sample_rate} Hz and frames of {frame_bytes} bytes"
        )
    return WavLayout(
        channels=channels,
        sample_rate=sample_rate,
        frame_bytes=frame_bytes,
        is_pcm16=tag == 1 and bits == 16,
        data_offset=data_offset,
        data_bytes=data_bytes,
    )


def _true_length(file: BinaryIO, offset: int, declared: int, size: int) -> int:
    """Of the data chunk: as declared when what follows it is chunks up to the very end, otherwise all there is."""
    end = offset + declared + declared % 2
    if declared and end <= size:
        file.seek(end)
        follows = end
        for _name, start, length in _chunks(file, size):
            follows = start + length + length % 2
        if follows in (size, size + 1):
            return declared
    return size - offset


def _chunks(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, offset of the content, declared length, from where the file stands; the file stands at the content."""
    at = file.tell()
    while at + 8 <= size:
        file.seek(at)
        head = file.read(8)
        length = int.from_bytes(head[4:], "little")
        yield head[:4], at + 8, length
        at += 8 + length + length % 2


def _write_length(file: BinaryIO, *, at: int, length: int) -> None:
    file.seek(at)
    file.write(min(length, _UNKNOWN_LENGTH).to_bytes(4, "little"))


def _wav_header(*, sample_rate: int, data_bytes: int | None) -> bytes:
    lengths = (_UNKNOWN_LENGTH, _UNKNOWN_LENGTH) if data_bytes is None else (36 + data_bytes, data_bytes)
    riff, data = (length.to_bytes(4, "little") for length in lengths)
    form = b"\x01\x00\x01\x00" + sample_rate.to_bytes(4, "little") + (sample_rate * 2).to_bytes(4, "little")
    return b"RIFF" + riff + b"WAVEfmt \x10\x00\x00\x00" + form + b"\x02\x00\x10\x00data" + data


# --- samples ---------------------------------------------------------------------------------------------------------


def _pcm_layout(path: Path, *, sample_rate: int) -> WavLayout:
    """16-bit little-endian mono, as all our providers send it."""
    return WavLayout(
        channels=1,
        sample_rate=sample_rate,
        frame_bytes=2,
        is_pcm16=True,
        data_offset=0,
        data_bytes=path.stat().st_size // 2 * 2,
    )


def _pcm16(file: BinaryIO, data_bytes: int, *, samples_at_once: int) -> Iterator[array[int]]:
    left = data_bytes
    while left > 1 and (raw := file.read(min(left, 2 * samples_at_once))):
        left -= len(raw)
        piece = array("h")
        piece.frombytes(raw[: len(raw) // 2 * 2])
        if sys.byteorder == "big":
            piece.byteswap()
        yield piece
