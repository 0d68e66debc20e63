"""From a sample to a voice: where espeak-ng must put its pitch and formants, and the equaliser that follows."""

from __future__ import annotations

import dataclasses
import functools
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import espeak, pitch, timbre

VERSION = 1
"""Rises when a print made earlier would sound different."""

_ROUNDS = 3
_NARROWEST, _WIDEST = 0.08, 0.35
_FORMANT_LOWEST, _FORMANT_HIGHEST = 0.86, 1.24
_MOST_GAIN_DB = 12.0
_TAPS = 512
# About ten seconds with every tone and most finals of Mandarin.
_CALIBRATION = (
    "今天天气很好，我们一起去公园散步吧。路上的花都开了，红的、黄的、紫的，非常漂亮。"
    "孩子们在草地上跑来跑去，老人坐在树下聊天。"
)


@dataclass(frozen=True)
class VoicePrint:
    """All that synthesis needs; the sample itself is not needed again."""

    f0: float
    """Median F0 of the sample in Hz: what the voice aims at."""
    low: float
    high: float
    """espeak-ng's pitch range in Hz that gives that median on the calibration text."""
    formant: float
    """Scale of all formants, 0.86 (large head) to 1.24."""
    gains: tuple[float, ...]
    """Equaliser, dB per band of timbre.band_edges()."""
    version: int = VERSION

    def variant(self, scale: float = 1.0) -> str:
        """An espeak-ng voice variant file, its pitch scaled."""
        lines = [
            "language variant",
            "name sandbox",
            f"pitch {self.low * scale:.0f} {self.high * scale:.0f}",
            "flutter 0",
            *(f"formant {n} {self.formant * 100:.0f} 100 100" for n in range(9)),
        ]
        return "\n".join(lines) + "\n"

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @staticmethod
    def from_json(text: str) -> VoicePrint:
        fields = json.loads(text)
        return VoicePrint(**{**fields, "gains": tuple(fields["gains"])})


def take(samples: NDArray[np.float32], *, rate: int) -> VoicePrint:
    """Build the print of whoever speaks in `samples` (5 to 60 s). About one second of work on one core."""
    heard = pitch.measure(samples, rate=rate)
    formant = _formant_scale(samples, rate=rate)
    half = float(np.clip((heard.high - heard.low) / 2, _NARROWEST * heard.median, _WIDEST * heard.median))
    print_ = VoicePrint(heard.median, heard.median - half, heard.median + half, formant, (0.0,) * timbre.BANDS)
    mid, width = heard.median, half
    for _ in range(_ROUNDS):
        spoken = espeak.speak(_CALIBRATION, voice="cmn", variant=print_.variant()).samples
        found = pitch.measure(spoken, rate=espeak.RATE)
        mid *= heard.median / found.median
        width *= float(np.clip(2 * half / max(found.high - found.low, 1.0), 0.5, 2.0))
        width = float(np.clip(width, _NARROWEST * mid, _WIDEST * mid))
        print_ = dataclasses.replace(print_, low=mid - width, high=mid + width)
    spoken = espeak.speak(_CALIBRATION, voice="cmn", variant=print_.variant()).samples
    wanted = timbre.spectrum(samples, rate=rate)
    return dataclasses.replace(print_, gains=_gains(wanted - timbre.spectrum(spoken, rate=espeak.RATE)))


def _formant_scale(samples: NDArray[np.float32], *, rate: int) -> float:
    measured = timbre.formants(samples, rate=rate)
    # The reference must be measured at the sample's own rate and order, or narrow-band samples end at the clamp.
    reference = _reference_formants(10000 if rate >= 10000 else 8000)
    ratio = float(np.exp(np.nanmean(np.log(measured[1:] / np.asarray(reference)[1:]))))
    return float(np.clip(ratio if np.isfinite(ratio) else 1.0, _FORMANT_LOWEST, _FORMANT_HIGHEST))


@functools.cache
def _reference_formants(rate: int) -> tuple[float, ...]:
    variant = "language variant\nname reference\npitch 82 118\nflutter 0\n"
    spoken = espeak.speak(_CALIBRATION, voice="cmn", variant=variant).samples
    return tuple(timbre.formants(spoken, rate=espeak.RATE if rate >= 10000 else 8000))


def _gains(difference: NDArray[np.float64]) -> tuple[float, ...]:
    """Level difference per band to equaliser gains: bands beyond the sample's are held, then smoothed and clamped."""
    known = np.flatnonzero(np.isfinite(difference))
    held = np.interp(np.arange(timbre.BANDS), known, difference[known])
    centred = held - held[known].mean()
    smooth = np.convolve(np.pad(centred, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    return tuple(round(float(gain), 2) for gain in np.clip(smooth, -_MOST_GAIN_DB, _MOST_GAIN_DB))


@functools.lru_cache(maxsize=64)
def _filter(gains: tuple[float, ...]) -> NDArray[np.float64]:
    edges = timbre.band_edges()
    centres = (edges[:-1] + edges[1:]) / 2
    bins = np.fft.rfftfreq(_TAPS, 1 / espeak.RATE)
    response = 10 ** (np.interp(bins, centres, gains) / 20)
    taps = np.roll(np.fft.irfft(response, _TAPS), _TAPS // 2)
    return np.asarray(np.append(taps, taps[0]) * np.hanning(_TAPS + 1))


def equalised(samples: NDArray[np.float32], gains: tuple[float, ...]) -> NDArray[np.float32]:
    """Samples at espeak.RATE through the linear-phase equaliser, its delay taken out."""
    taps = _filter(gains)
    size = 1 << (len(samples) + len(taps) - 1).bit_length()
    whole = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(taps, size), size)
    start = _TAPS // 2
    return whole[start : start + len(samples)].astype(np.float32)
