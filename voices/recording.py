"""A recording, decoded, measured, and prepared for a provider. Runs in the inspection process only (see `inspection.py`)."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray

from voices.inspection import Facts, Measurements, Order

Samples = NDArray[np.float32]

# FFmpeg goes by content, so without these a text file could be taken for a playlist and name other files and hosts to read.
# An empty protocol list refuses every such reference; only the bytes that were uploaded are ever read.
_DEMUXERS = "wav,mp3,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,ogg,flac,aac"
_DECODERS = frozenset(
    [
        "aac",
        "alac",
        "flac",
        "libopus",
        "mp3",
        "mp3float",
        "opus",
        "pcm_alaw",
        "pcm_f32le",
        "pcm_f64le",
        "pcm_mulaw",
        "pcm_s16be",
        "pcm_s16le",
        "pcm_s24be",
        "pcm_s24le",
        "pcm_s32le",
        "pcm_u8",
        "vorbis",
    ]
)
_OPTIONS = {"format_whitelist": _DEMUXERS, "protocol_whitelist": "", "codec_whitelist": ",".join(sorted(_DECODERS))}
_CONTAINERS = {"mov": "m4a", "matroska": "webm"}

MAX_CHANNELS = 8
MIN_RATE, MAX_RATE = 4000, 192000
KEPT_RATE = 48000
"""Hz; nothing of a voice that we measure lies above 24 kHz."""

FRAME_SECONDS = 0.03
FULL_SCALE = 0.985
FLOOR_PERCENTILE = 3
"""Of the frame levels: fluent reading pauses for less than a tenth of its time (the 10th percentile gave clean speech 20 dB)."""
END_SILENCE_SECONDS = 0.2
SPEECH_TARGET, PEAK_LIMIT, MOST_GAIN = -20.0, -1.0, 20.0
"""dBFS, dBFS, dB: a quiet voice is raised towards the target; a loud one is only lowered to keep the peak below the limit."""

F0_RANGE = (60.0, 450.0)
F0_THRESHOLD = 0.55
OCTAVE_COST = 0.02


def examine(descriptor: int, order: Order) -> tuple[Facts, bytes]:
    """The facts, and the prepared WAV (empty when there is nothing to prepare)."""
    try:
        decoded = decode(UploadReader(descriptor), order)
        if isinstance(decoded, Facts):
            return decoded, b""
        return describe(decoded, order)
    except MemoryError:
        return Facts(trouble="memory"), b""


class UploadReader(io.RawIOBase):
    """The upload with a position of its own: the descriptor is shared with the web process, whose position must stay."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = 0
        self._size = os.fstat(descriptor).st_size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        count = os.preadv(self._descriptor, [buffer], self._position)
        self._position += count
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError("seek before the start")
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        return self._position


# --- decoding --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Decoded:
    container: str
    codec: str
    sample_rate: int
    channels: int
    seconds: float
    declared_seconds: float
    damaged: bool
    clipped_share: float
    rate: int
    """Of `mono`, Hz."""
    mono: Samples | None
    """The loudest channel, -1..1; None for a recording that is longer than is measured."""


def decode(upload: UploadReader, order: Order) -> Decoded | Facts:
    """Every PyAV error means the same to the person who uploaded, and the tree of them is not all `av.FFmpegError`:
    UnicodeDecodeError, ValueError and EOFError were seen on mutated files (2026-11)."""
    try:
        container = av.open(upload, "r", options=_OPTIONS, metadata_errors="ignore")
    except MemoryError:
        raise
    except Exception:
        return Facts(trouble="unreadable")
    with container:
        return _decode_first_track(container, order)


def _decode_first_track(container: av.container.InputContainer, order: Order) -> Decoded | Facts:
    name = container.format.name.split(",")[0]
    name = _CONTAINERS.get(name, name)
    if not container.streams.audio:
        return Facts(trouble="no_audio", container=name)
    stream = container.streams.audio[0]
    context = stream.codec_context
    # PyAV issue 2344: a stream without a decoder has no context, and touching it killed the process (18.0).
    if context is None or context.name not in _DECODERS:
        return Facts(trouble="unreadable", container=name)
    rate, channels, codec = context.sample_rate, context.channels, context.name
    if channels > MAX_CHANNELS:
        return Facts(trouble="too_many_channels", container=name, codec=codec, channels=channels)
    if not MIN_RATE <= rate <= MAX_RATE:
        return Facts(trouble="sample_rate", container=name, codec=codec, channels=channels, sample_rate=rate)

    kept: list[Samples] = []
    frames, clipped, seen, damaged = 0, 0, 0, False
    kept_rate = min(rate, KEPT_RATE)
    try:
        # Packed, not planar: with exactly 8 channels PyAV 18.1 finds planes beyond the last one (seen 2026-11-23).
        resampler = av.AudioResampler(format="flt", rate=kept_rate)
        for frame in container.decode(stream):
            frames += frame.samples
            if frames > order.counted_seconds * rate:
                break
            if frames > order.measured_seconds * rate:
                kept.clear()
                continue
            for piece in resampler.resample(frame):
                samples = _by_channel(piece, channels)
                clipped += int(np.count_nonzero(np.abs(samples) > FULL_SCALE))
                seen += samples.size
                kept.append(samples)
        if frames <= order.measured_seconds * rate:
            kept.extend(_by_channel(piece, channels) for piece in resampler.resample(None))
    except MemoryError:
        raise
    except Exception:
        damaged = True
    if not frames:
        return Facts(trouble="unreadable", container=name, codec=codec)
    too_long = frames > order.measured_seconds * rate
    return Decoded(
        container=name,
        codec=codec,
        sample_rate=rate,
        channels=channels,
        seconds=frames / rate,
        declared_seconds=(container.duration or 0) / av.time_base,
        damaged=damaged,
        clipped_share=clipped / seen if seen else 0.0,
        rate=kept_rate,
        mono=None if too_long else _loudest_channel(kept),
    )


def _by_channel(frame: av.AudioFrame, channels: int) -> Samples:
    return frame.to_ndarray().astype(np.float32, copy=False).reshape(-1, channels)


def _loudest_channel(pieces: list[Samples]) -> Samples:
    """One channel rather than the mean of all: two microphones apart from each other comb-filter the voice when summed, two
    of opposite polarity cancel it, and an empty second channel halves it."""
    if not pieces:
        return np.zeros(0, dtype=np.float32)
    everything = np.nan_to_num(np.concatenate(pieces), copy=False, posinf=0.0, neginf=0.0)
    energies = np.einsum("nc,nc->c", everything, everything, dtype=np.float64)
    return np.asarray(np.clip(everything[:, int(np.argmax(energies))], -4.0, 4.0), dtype=np.float32)


# --- measuring -------------------------------------------------------------------------------------------------------


def describe(decoded: Decoded, order: Order) -> tuple[Facts, bytes]:
    measurements, prepared = None, b""
    if decoded.mono is not None and len(decoded.mono) >= FRAME_SECONDS * decoded.rate:
        levels = frame_levels(decoded.mono, rate=decoded.rate)
        active = active_frames(levels)
        piece, gain = prepare(decoded.mono, rate=decoded.rate, levels=levels, active=active, order=order)
        measurements = measure(
            decoded, levels=levels, active=active, gain=gain, prepared_seconds=len(piece) / order.prepared_sample_rate
        )
        prepared = wav(piece, rate=order.prepared_sample_rate)
    facts = Facts(
        container=decoded.container,
        codec=decoded.codec,
        seconds=round(decoded.seconds, 3),
        declared_seconds=round(decoded.declared_seconds, 3),
        sample_rate=decoded.sample_rate,
        channels=decoded.channels,
        damaged=decoded.damaged,
        measurements=measurements,
    )
    return facts, prepared


def measure(
    decoded: Decoded, *, levels: Samples, active: NDArray[np.bool_], gain: float, prepared_seconds: float
) -> Measurements:
    assert decoded.mono is not None
    between = levels[_span(active)]
    voiced_share, f0, spread = pitch(decoded.mono, rate=decoded.rate, active=active)
    speech, longest_pause = speech_and_pauses(active)
    return Measurements(
        peak=round(_db(float(np.max(np.square(decoded.mono)))), 1),
        speech_level=round(_db(float(np.mean(10.0 ** (levels[active if active.any() else slice(None)] / 10)))), 1),
        noise_floor=round(float(np.percentile(between, FLOOR_PERCENTILE)), 1),
        clipped_share=round(decoded.clipped_share, 5),
        speech_seconds=round(speech, 2),
        longest_pause=round(longest_pause, 2),
        voiced_share=round(voiced_share, 3),
        f0=round(f0, 1),
        f0_spread=round(spread, 2),
        bandwidth=round(bandwidth(decoded.mono, rate=decoded.rate, active=active)),
        prepared_seconds=round(prepared_seconds, 3),
        gain=round(gain, 1),
    )


def frame_levels(mono: Samples, *, rate: int) -> Samples:
    """dBFS of each 30 ms frame; digital silence is -120."""
    size = int(FRAME_SECONDS * rate)
    power = np.mean(np.square(mono[: len(mono) // size * size].reshape(-1, size)), axis=1)
    return np.asarray(10.0 * np.log10(np.maximum(power, 1e-12)), dtype=np.float32)


def active_frames(levels: Samples) -> NDArray[np.bool_]:
    """Twice: silence at the ends must not pass for a low noise floor."""
    active = _above_floor(levels, levels)
    return active & _above_floor(levels, levels[_span(active)])


def _above_floor(levels: Samples, between: Samples) -> NDArray[np.bool_]:
    floor, loud = np.percentile(between, [FLOOR_PERCENTILE, 95])
    return np.asarray(levels > max(floor + 6.0, loud - 35.0, -70.0))


def _span(active: NDArray[np.bool_]) -> slice:
    """From the first to the last active frame; everything when none is."""
    where = np.flatnonzero(active)
    return slice(int(where[0]), int(where[-1]) + 1) if len(where) else slice(None)


def speech_and_pauses(active: NDArray[np.bool_]) -> tuple[float, float]:
    """Seconds of speech and of the longest pause in it. Up to 0.3 s without sound belong to speech: closures, breaths."""
    where = np.flatnonzero(active)
    if not len(where):
        return 0.0, 0.0
    gaps = np.diff(where) - 1
    short = gaps[gaps * FRAME_SECONDS <= 0.3]
    return float((len(where) + short.sum()) * FRAME_SECONDS), float(gaps.max(initial=0) * FRAME_SECONDS)


def pitch(mono: Samples, *, rate: int, active: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Share of the active time that is voiced, median F0 in Hz, and its spread in semitones (10th to 90th percentile).

    Autocorrelation of 50 ms windows divided by that of the window itself (Boersma 1993), at about 8 kHz.
    """
    step = max(1, rate // 8000)
    signal = mono[: len(mono) // step * step].reshape(-1, step).mean(axis=1)
    slow = rate / step
    window_size, hop = int(0.05 * slow), FRAME_SECONDS * slow
    starts = (np.flatnonzero(active) * hop).astype(np.int64)
    starts = starts[starts + window_size <= len(signal)]
    if not len(starts):
        return 0.0, 0.0, 0.0
    window = np.hanning(window_size)
    size = 1 << (2 * window_size - 1).bit_length()
    shortest, longest = int(slow / F0_RANGE[1]), int(slow / F0_RANGE[0]) + 1
    own = _autocorrelation(window[np.newaxis, :], size)[:, : longest + 1]
    windows = signal[starts[:, np.newaxis] + np.arange(window_size)]
    correlation = (
        _autocorrelation((windows - windows.mean(axis=1, keepdims=True)) * window, size)[:, : longest + 1] / own
    )
    lags = np.arange(shortest, longest)
    here, before, after = correlation[:, lags], correlation[:, lags - 1], correlation[:, lags + 1]
    score = np.where((here > before) & (here >= after), here - OCTAVE_COST * np.log2(lags / shortest), -1.0)
    rows, best = np.arange(len(score)), np.argmax(score, axis=1)
    voiced = (score[rows, best] > -1.0) & (here[rows, best] > F0_THRESHOLD)
    if not voiced.any():
        return 0.0, 0.0, 0.0
    left, top, right = before[rows, best][voiced], here[rows, best][voiced], after[rows, best][voiced]
    bend = left - 2 * top + right
    shift = 0.5 * (left - right) / np.where(bend < 0, bend, -np.inf)
    f0 = slow / (lags[best[voiced]] + shift)
    low, median, high = np.percentile(f0, [10, 50, 90])
    return float(voiced.mean()), float(median), float(12 * np.log2(high / low))


def _autocorrelation(windows: NDArray[np.floating], size: int) -> NDArray[np.floating]:
    power = np.square(np.abs(np.fft.rfft(windows, size)))
    lagged = np.fft.irfft(power, size)
    return np.asarray(lagged / np.maximum(lagged[:, :1], 1e-12))


def bandwidth(mono: Samples, *, rate: int, active: NDArray[np.bool_]) -> float:
    """Upper edge of the highest 250 Hz band whose mean power over the active time is within 60 dB of the strongest band."""
    size, hop = 1024, int(FRAME_SECONDS * rate)
    starts = np.flatnonzero(active) * hop
    starts = starts[starts + size <= len(mono)]
    if not len(starts):
        return 0.0
    windows = mono[starts[:, np.newaxis] + np.arange(size)] * np.hanning(size).astype(np.float32)
    power = np.square(np.abs(np.fft.rfft(windows))).mean(axis=0)
    bands = (np.fft.rfftfreq(size, 1 / rate) // 250).astype(np.int64)
    means = np.bincount(bands, weights=power) / np.bincount(bands)
    return float(min((np.flatnonzero(means >= means.max() * 1e-6)[-1] + 1) * 250, rate / 2))


# --- preparing -------------------------------------------------------------------------------------------------------


def prepare(
    mono: Samples, *, rate: int, levels: Samples, active: NDArray[np.bool_], order: Order
) -> tuple[NDArray[np.int16], float]:
    """The speech with 0.2 s of silence around it, at the provider's rate and a usual level; and the gain in dB."""
    trimmed = mono[_trimmed(active, rate=rate, length=len(mono), shortest=int(order.shortest_seconds * rate))]
    piece = resample(trimmed, source=rate, target=order.prepared_sample_rate)
    speech = _db(float(np.mean(10.0 ** (levels[active if active.any() else slice(None)] / 10))))
    peak = _db(float(np.max(np.square(piece), initial=0.0)))
    gain = min(max(0.0, SPEECH_TARGET - speech), MOST_GAIN, PEAK_LIMIT - peak)
    return np.round(piece * (10.0 ** (gain / 20)) * 32767).astype("<i2"), gain


def _trimmed(active: NDArray[np.bool_], *, rate: int, length: int, shortest: int) -> slice:
    """Silence at the ends goes, but never so much of it that the recording becomes too short for the provider."""
    if not active.any():
        return slice(None)
    frame, margin, span = int(FRAME_SECONDS * rate), int(END_SILENCE_SECONDS * rate), _span(active)
    first, last = max(0, span.start * frame - margin), min(length, span.stop * frame + margin)
    if last - first < shortest:
        first = max(0, first - (shortest - (last - first)) // 2)
        last = min(length, first + shortest)
        first = max(0, last - shortest)
    return slice(first, last)


def resample(mono: Samples, *, source: int, target: int) -> Samples:
    if source == target:
        return mono
    resampler = av.AudioResampler(format="flt", layout="mono", rate=target)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(mono[np.newaxis, :]), format="flt", layout="mono")
    frame.sample_rate = source
    pieces = [piece.to_ndarray()[0] for piece in (*resampler.resample(frame), *resampler.resample(None))]
    return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.float32)


def wav(samples: NDArray[np.int16], *, rate: int) -> bytes:
    """Mono, 16 bits."""
    data = samples.tobytes()
    head = b"RIFF" + (36 + len(data)).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    form = b"\x01\x00\x01\x00" + rate.to_bytes(4, "little") + (rate * 2).to_bytes(4, "little") + b"\x02\x00\x10\x00"
    return head + form + b"data" + len(data).to_bytes(4, "little") + data


def _db(power: float) -> float:
    return 10.0 * float(np.log10(max(power, 1e-12)))
