"""What a person would hear in a piece of audio, as figures to assert on.

Pitch is found with YIN (de Cheveigné and Kawahara, 2002), on purpose not the method of the sandbox's own analysis: the
listener must not share the speaker's mistakes.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray

LOWEST_F0, HIGHEST_F0 = 60.0, 450.0
_YIN_THRESHOLD = 0.2
_HOP_SECONDS = 0.01


@dataclass(frozen=True)
class Heard:
    samples: NDArray[np.float32]
    """Mono, -1..1."""
    rate: int
    """Hz."""
    duration: float
    """Seconds of decoded audio; what the header claims is not believed."""
    loudness: float
    """RMS of the whole in dBFS; -120 for digital silence."""
    f0: float
    """Median F0 of the voiced frames in Hz; 0 when nothing is voiced."""
    voiced: float
    """Share of the 10 ms frames that are voiced, 0..1."""


def listen(audio: bytes, *, format: str = "", rate: int = 0) -> Heard:
    """Decode any container FFmpeg knows; for headerless 16-bit little-endian mono say format "pcm" and its `rate`."""
    if format == "pcm":
        samples, rate = np.frombuffer(audio[: len(audio) // 2 * 2], dtype="<i2").astype(np.float32) / 32768.0, rate
    else:
        samples, rate = _decode(audio)
    f0, voiced = median_f0(samples, rate=rate)
    return Heard(
        samples=samples, rate=rate, duration=len(samples) / rate, loudness=loudness(samples), f0=f0, voiced=voiced
    )


def loudness(samples: NDArray[np.float32]) -> float:
    """RMS in dBFS, never below -120."""
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    return 10.0 * float(np.log10(max(power, 1e-12)))


def median_f0(samples: NDArray[np.float32], *, rate: int) -> tuple[float, float]:
    """Median F0 in Hz over the voiced frames and the share of voiced frames; (0, 0) for silence."""
    step = max(1, rate // 11000)
    usable = len(samples) // step * step
    signal = samples[:usable].reshape(-1, step).mean(axis=1).astype(np.float64)
    rate_in = rate / step
    longest, shortest = int(rate_in / LOWEST_F0) + 2, int(rate_in / HIGHEST_F0)
    window, hop = 2 * longest, int(rate_in * _HOP_SECONDS)
    if len(signal) < window + longest:
        return 0.0, 0.0
    frames = np.lib.stride_tricks.sliding_window_view(signal, window + longest)[::hop]
    normalised = _normalised_difference(frames, window=window, longest=longest)
    power = np.mean(frames[:, :window] ** 2, axis=1)
    loud = power > max(float(power.max()) * 1e-3, 1e-9)
    periods = [_period(row, shortest=shortest) for row in normalised[loud]]
    pitches = [rate_in / period for period in periods if period]
    if not pitches:
        return 0.0, 0.0
    return float(np.median(pitches)), len(pitches) / len(frames)


def _normalised_difference(frames: NDArray[np.float64], *, window: int, longest: int) -> NDArray[np.float64]:
    size = 1 << (window + longest - 1).bit_length()
    spectrum = np.fft.rfft(frames, size)
    head = np.fft.rfft(frames[:, :window], size)
    correlation = np.fft.irfft(spectrum * np.conj(head), size)[:, : longest + 1]
    energy = np.cumsum(np.pad(frames**2, ((0, 0), (1, 0))), axis=1)
    shifted = energy[:, window : window + longest + 1] - energy[:, : longest + 1]
    difference = shifted[:, :1] + shifted - 2 * correlation
    running = np.cumsum(difference[:, 1:], axis=1) / np.arange(1, longest + 1)
    result = np.ones_like(difference)
    result[:, 1:] = difference[:, 1:] / np.maximum(running, 1e-12)
    return result


def _period(row: NDArray[np.float64], *, shortest: int) -> float:
    """Period in samples, 0 when the frame is not voiced."""
    below = np.flatnonzero(row[shortest:-1] < _YIN_THRESHOLD)
    if not len(below):
        return 0.0
    lag = int(below[0]) + shortest
    while lag + 2 < len(row) and row[lag + 1] < row[lag]:
        lag += 1
    before, here, after = row[lag - 1], row[lag], row[lag + 1]
    bend = before - 2 * here + after
    return float(lag + (0.5 * (before - after) / bend if bend > 0 else 0.0))


def _decode(audio: bytes) -> tuple[NDArray[np.float32], int]:
    parts: list[NDArray[np.float32]] = []
    with av.open(io.BytesIO(audio), "r") as container:
        stream = container.streams.audio[0]
        rate = stream.codec_context.sample_rate
        resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
        for frame in container.decode(stream):
            parts.extend(out.to_ndarray()[0] for out in resampler.resample(frame))
        parts.extend(out.to_ndarray()[0] for out in resampler.resample(None))
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32), rate
