"""How the voice is coloured: long-term spectrum in mel bands, and formants by linear prediction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .decoding import resampled

BANDS = 24
_LOWEST_HZ, _HIGHEST_HZ = 100.0, 7600.0
_FRAME = 512
_ACTIVE_DB = 30.0
# Enough frames for a stable median; more only costs time.
_MOST_FORMANT_FRAMES = 600


def band_edges() -> NDArray[np.float64]:
    """Edges of the bands in Hz, equally wide in mel."""
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (_LOWEST_HZ, _HIGHEST_HZ))
    return np.asarray(700 * (10 ** (np.linspace(low, high, BANDS + 1) / 2595) - 1))


def spectrum(samples: NDArray[np.float32], *, rate: int) -> NDArray[np.float64]:
    """Mean level of the active frames per band in dB; nan for bands that the sample rate does not reach."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, _FRAME)[:: _FRAME // 2]
    power = np.mean(frames**2, axis=1)
    level = 10 * np.log10(np.maximum(power, 1e-12))
    active = frames[level > np.percentile(level, 95) - _ACTIVE_DB]
    mean = np.mean(np.abs(np.fft.rfft(active * np.hanning(_FRAME), axis=1)) ** 2, axis=0)
    bins = np.fft.rfftfreq(_FRAME, 1 / rate)
    edges = band_edges()
    levels = np.full(BANDS, np.nan)
    for band in range(BANDS):
        if edges[band + 1] > 0.9 * rate / 2:
            break
        inside = (bins >= edges[band]) & (bins < edges[band + 1])
        nearest = np.argmin(np.abs(bins - (edges[band] + edges[band + 1]) / 2))
        power_here = mean[inside].mean() if inside.any() else mean[nearest]
        levels[band] = 10 * np.log10(max(float(power_here), 1e-12))
    return levels


def formants(samples: NDArray[np.float32], *, rate: int) -> NDArray[np.float64]:
    """Medians of F1, F2, F3 in Hz over the active frames."""
    rate_in, order = (10000, 12) if rate >= 10000 else (8000, 10)
    signal = resampled(samples, source_rate=rate, rate=rate_in)
    signal = np.append(signal[:1], signal[1:] - 0.97 * signal[:-1])
    length = int(0.03 * rate_in)
    frames = np.lib.stride_tricks.sliding_window_view(signal, length)[:: length // 3]
    power = np.mean(frames**2, axis=1)
    active = frames[power > np.percentile(power, 95) * 0.01]
    active = active[:: max(1, len(active) // _MOST_FORMANT_FRAMES)] * np.hamming(length)
    found = _resonances(_predictors(active, order=order), rate=rate_in)
    return np.asarray(np.nanmedian(found, axis=0))


def _predictors(frames: NDArray[np.float64], *, order: int) -> NDArray[np.float64]:
    """Linear prediction coefficients of each frame (autocorrelation method)."""
    size = 1 << (2 * frames.shape[1] - 1).bit_length()
    correlation = np.fft.irfft(np.abs(np.fft.rfft(frames, size)) ** 2, size)[:, : order + 1]
    lags = np.abs(np.arange(order)[:, None] - np.arange(order)[None, :])
    matrices = correlation[:, lags]
    matrices[:, np.arange(order), np.arange(order)] *= 1 + 1e-6
    return np.asarray(np.linalg.solve(matrices, correlation[:, 1:, None])[:, :, 0])


def _resonances(predictors: NDArray[np.float64], *, rate: int) -> NDArray[np.float64]:
    """The three lowest sharp resonances of each frame in Hz, nan where there are fewer."""
    count, order = predictors.shape
    companions = np.zeros((count, order, order))
    companions[:, 0, :] = predictors
    companions[:, np.arange(1, order), np.arange(order - 1)] = 1.0
    roots = np.linalg.eigvals(companions)
    hertz = np.angle(roots) * rate / (2 * np.pi)
    width = -np.log(np.maximum(np.abs(roots), 1e-9)) * rate / np.pi
    kept = (hertz > 150) & (hertz < rate / 2 - 150) & (width < 500)
    return np.asarray(np.sort(np.where(kept, hertz, np.nan), axis=1)[:, :3])
