"""Where two pieces of speech meet: a ramp of 5 ms, long enough that no click is heard, too short to be heard itself."""

from __future__ import annotations

from array import array

FADE_MS = 5


def samples_of(rate: int) -> int:
    return rate * FADE_MS // 1000


def ramped(chunk: bytes, *, rate: int, up: bool = False, down: bool = False) -> bytes:
    """16-bit PCM that comes out of silence at its beginning (`up`), or goes into it at its end (`down`)."""
    samples = array("h", chunk)
    length = samples_of(rate)
    for place in range(min(length, len(samples))):
        if up:
            samples[place] = samples[place] * place // length
        if down:
            samples[-1 - place] = samples[-1 - place] * place // length
    return samples.tobytes()
