"""How many characters a speech has used, where it was cut before its provider named a number."""

from __future__ import annotations

import functools
import math
from pathlib import Path

from synthesis import audio
from synthesis.errors import UnreadableAudio

MOST_A_SECOND = 20
"""Counted characters: more than any voice says at its fastest, where a Chinese character counts two. So the estimate is never
less than what was heard."""
SLOWEST_CHARACTER, LONGEST_PAUSES = 2.0, 60.0
"""Seconds: more than any voice takes for a counted character at its slowest, and than all pauses that a text can ask for."""


@functools.lru_cache
def most_bytes(characters: int, *, sample_rate: int) -> int:
    """More than this is no speech of a text of so many counted characters, in whatever format: as 16-bit PCM it were longer than
    anybody speaks."""
    return round((LONGEST_PAUSES + SLOWEST_CHARACTER * characters) * sample_rate * 2)


def heard_of(expected: int, *, share: float, path: Path, audio_format: str, sample_rate: int) -> int:
    """Of `expected` characters: the `share` that the provider named (0 to 1), or at most what the sound at `path` has time for.

    All of them where the sound cannot be measured: they have been sent, and may be billed.
    """
    if share:
        return min(expected, math.ceil(expected * share))
    try:
        seconds = audio.finish(path, audio_format, sample_rate=sample_rate).seconds
    except (UnreadableAudio, OSError):
        return expected
    return min(expected, math.ceil(seconds * MOST_A_SECOND))
