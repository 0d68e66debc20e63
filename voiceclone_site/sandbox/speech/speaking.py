"""One sentence in a cloned voice: two passes of espeak-ng to land on the wanted pitch, equaliser, level."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import espeak, pitch
from .reading import Reading, read
from .voiceprint import VoicePrint, equalised

RATE = espeak.RATE
"""Sample rate of spoken sentences in Hz."""

_WORDS_PER_MINUTE = 200
"""Mandarin at about 0.24 s a character."""
_SPEECH_LEVEL_DB = -20.0
_CEILING = 0.97
_FEWEST_VOICED_FRAMES = 15
_NOTHING_SAID_SECONDS = 0.05
_FRAME = 512
# espeak-ng's names for the languages that providers know.
_LANGUAGES = {
    "zh": "cmn",
    "en": "en-us",
    "fr": "fr",
    "de": "de",
    "ja": "ja",
    "ko": "ko",
    "ru": "ru",
    "pt": "pt",
    "th": "th",
    "id": "id",
    "vi": "vi",
    "ar": "ar",
    "es": "es",
    "yue": "yue",
}
_HAN_ONLY = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]+")
_TRAILING = re.compile(r"\W+\Z")
_SCRIPTS = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("zh", re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")),
    ("ko", re.compile(r"[\uac00-\ud7af]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
    ("th", re.compile(r"[\u0e00-\u0e7f]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")),
)


@dataclass(frozen=True)
class Manner:
    """How to speak, in the terms the providers share."""

    rate: float = 1.0
    """Speed, 0.5..2."""
    pitch: float = 1.0
    """Factor on the voice's F0, 0.5..2."""
    gain: float = 1.0
    """Linear; 1 is -20 dBFS of speech RMS."""
    seed: int = 0
    """Equal seeds give equal samples; another seed is heard as slightly different pitch and tempo."""
    language: str = ""
    """A hint like "en"; text in an unmistakable script overrides it."""


@dataclass(frozen=True)
class TimedWord:
    start: int
    """First character in the text as given."""
    end: int
    """One past the last character."""
    begin_ms: int
    end_ms: int


@dataclass(frozen=True)
class Spoken:
    samples: NDArray[np.float32]
    """Mono at RATE."""
    words: tuple[TimedWord, ...]
    said: str = ""
    """The text as it was read aloud, numbers in words."""
    language: str = "zh"
    said_words: tuple[espeak.Word, ...] = ()
    """Positions in `said`."""
    phonemes: tuple[espeak.Phoneme, ...] = ()

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE


# espeak-ng keeps some state from one voice to the next: seeds and flutter pinned, one phoneme still comes out in one of
# two ways (measured 2026-11-23; neither priming nor espeak_Initialize resets it). Equal requests must sound equal.
@functools.lru_cache(maxsize=128)
def speak(text: str, *, voice: VoicePrint, manner: Manner) -> Spoken:
    """Say one sentence. Text that holds nothing to say gives no samples."""
    language = _language(text, hint=manner.language)
    reading = read(text) if language == "zh" else Reading.verbatim(text)
    drift_pitch, drift_rate = _drift(manner.seed)
    words_per_minute = round(float(np.clip(_WORDS_PER_MINUTE * manner.rate * drift_rate, 80, 450)))

    def once(scale: float) -> espeak.Speech:
        return espeak.speak(
            reading.text,
            voice=_LANGUAGES[language],
            variant=voice.variant(scale),
            words_per_minute=words_per_minute,
            seed=manner.seed,
        )

    wanted = manner.pitch * drift_pitch
    speech = once(wanted)
    if len(speech.samples) < _NOTHING_SAID_SECONDS * RATE:
        return Spoken(np.zeros(0, dtype=np.float32), ())
    found = pitch.measure(speech.samples, rate=RATE)
    if found.frames >= _FEWEST_VOICED_FRAMES:
        # A sentence falls in pitch towards its end: without the second pass it comes out 5 to 10 % too low (measured).
        correction = float(np.clip(voice.f0 * wanted / found.median, 0.8, 1.25))
        speech = once(wanted * correction)
    samples = _levelled(equalised(speech.samples, voice.gains), gain=manner.gain)
    return Spoken(
        samples,
        _timed(speech.words, reading, text, milliseconds=round(len(samples) / RATE * 1000)),
        said=reading.text,
        language=language,
        said_words=speech.words,
        phonemes=speech.phonemes,
    )


def _language(text: str, *, hint: str) -> str:
    for language, script in _SCRIPTS:
        if script.search(text):
            return "yue" if (language, hint) == ("zh", "yue") else language
    return hint if hint in _LANGUAGES and hint not in {name for name, _ in _SCRIPTS} else "en"


def _drift(seed: int) -> tuple[float, float]:
    """Factors on pitch (1.5 % at most) and tempo (1 % at most) that make a seed audible; none for seed 0."""
    if not seed:
        return 1.0, 1.0
    mixed = seed * 2654435761 & 0xFFFFFFFF
    return 1 + ((mixed & 0xFFFF) / 0xFFFF - 0.5) * 0.03, 1 + ((mixed >> 16) / 0xFFFF - 0.5) * 0.02


def _levelled(samples: NDArray[np.float32], *, gain: float) -> NDArray[np.float32]:
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    power = np.mean(frames**2, axis=1)
    if not len(power) or power.max() <= 0:
        return samples
    speech = power[power > power.max() * 10 ** (-3.5)].mean(dtype=np.float64)
    # Rounded, because sums differ in their last digit with the alignment of memory, and equal requests must sound equal.
    decibels = round(_SPEECH_LEVEL_DB - 10 * float(np.log10(speech)), 2)
    scaled = samples * np.float32(gain * 10 ** (decibels / 20))
    return np.asarray(_CEILING * np.tanh(scaled / _CEILING), dtype=np.float32)


def _timed(words: tuple[espeak.Word, ...], reading: Reading, text: str, *, milliseconds: int) -> tuple[TimedWord, ...]:
    """espeak-ng's word starts, carried back to the text as given; what was read as one thing stays one word."""
    heard = [word for word in words if 0 <= word.start < len(reading.origins)]
    timed: list[TimedWord] = []
    for word, following in itertools.zip_longest(heard, heard[1:]):
        # Of a phrase in its dictionary (一起) espeak-ng reports the first character only: take in what follows.
        phrase = reading.text[word.start : following.start if following else None]
        last = word.start + max(len(_TRAILING.sub("", phrase)), 1) - 1
        start, end = reading.origins[word.start][0], reading.origins[last][1]
        if timed and start < timed[-1].end:
            continue
        if timed:
            timed[-1] = dataclasses.replace(timed[-1], end_ms=word.begin_ms)
        timed.append(TimedWord(start, end, word.begin_ms, milliseconds))
    return tuple(piece for word in timed for piece in _characters(word, text))


def _characters(word: TimedWord, text: str) -> list[TimedWord]:
    """The characters of a Chinese phrase, each with an equal share of its time; any other word as it is."""
    count = word.end - word.start
    if count < 2 or not _HAN_ONLY.fullmatch(text, word.start, word.end):
        return [word]
    times = [word.begin_ms + (word.end_ms - word.begin_ms) * i // count for i in range(count + 1)]
    return [TimedWord(word.start + i, word.start + i + 1, times[i], times[i + 1]) for i in range(count)]
