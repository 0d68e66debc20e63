"""What can be said of a recording before anybody learns from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import pitch
from .decoding import Recording

_FRAME_SECONDS = 0.02
_CLIPPED_ABOVE = 0.985
_SILENT_DB = -120.0


@dataclass(frozen=True)
class Quality:
    seconds: float
    active_seconds: float
    """Time above the noise floor by 6 dB and within 35 dB of the loudest speech."""
    level: float
    """Mean power of the active frames in dBFS, of all frames when none stands out; -120 at the lowest."""
    signal_to_noise: float
    """dB over the 10th percentile of the frames."""
    clipped: float
    """Share of samples at full scale, 0..1."""
    voiced: float
    """Voiced share of the frames that are not silent, 0..1."""
    spread: float
    """Standard deviation of F0 in semitones."""

    @property
    def is_speech(self) -> bool:
        return self.voiced >= 0.2 and self.spread >= 0.3


def assess(recording: Recording) -> Quality:
    """Figures of a whole recording; 0.1 s of work for 20 s of audio."""
    length = max(1, int(_FRAME_SECONDS * recording.rate))
    frames = recording.samples[: len(recording.samples) // length * length].reshape(-1, length)
    if not len(frames):
        return Quality(recording.seconds, 0.0, _SILENT_DB, 0.0, 0.0, 0.0, 0.0)
    power = np.mean(frames.astype(np.float64) ** 2, axis=1)
    decibels = 10 * np.log10(np.maximum(power, 1e-12))
    floor, loudest = float(np.percentile(decibels, 10)), float(np.percentile(decibels, 95))
    active = decibels > max(floor + 6, loudest - 35)
    level = 10 * float(np.log10(max(power[active].mean() if active.any() else power.mean(), 1e-12)))
    heard = pitch.measure(recording.samples, rate=recording.rate)
    return Quality(
        seconds=recording.seconds,
        active_seconds=float(active.sum()) * _FRAME_SECONDS,
        level=level,
        signal_to_noise=level - floor,
        clipped=float(np.mean(np.abs(recording.samples) > _CLIPPED_ABOVE)),
        voiced=heard.voiced,
        spread=heard.spread,
    )
