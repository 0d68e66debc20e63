"""The phoneme track: what was spoken, in the vendor's notation, in frames of 5 ms that add up to the audio."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from ..speech import espeak
from ..speech.espeak import Phoneme
from ..speech.speaking import Spoken
from . import pinyin

FRAMES_PER_SECOND = 200
_AUDIBLE_FRAMES = 10
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_PUNCTUATION = re.compile(r"[，。！？；：、,.!?;:…—]")
_UNUSABLE = re.compile(r"[;\[\]@:\s{}*]")
# Letters for espeak-ng's signs: the notation has room for letters only.
_LETTERS = {
    "@": "ax", "3": "er", "0": "o", "&": "ae", "V": "ah", "E": "eh", "I": "ih", "U": "uh", "O": "ao", "A": "aa",
    "N": "ng", "T": "th", "D": "dh", "S": "sh", "Z": "zh", "?": "q", "X": "h", "R": "r", "L": "l", "H": "hh",
}  # fmt: skip


@dataclass
class Clock:
    """Where the track stands, so that rounding never adds up to more than half a frame."""

    seconds: float = 0.0
    frames: int = 0

    def until(self, seconds: float) -> int:
        """Frames from where it stood to `seconds`, which is where it stands now."""
        frames = round(seconds * FRAMES_PER_SECOND)
        passed, self.frames, self.seconds = frames - self.frames, frames, seconds
        return passed


@dataclass(frozen=True)
class _Sound:
    """A stretch of audio with what is heard in it."""

    unit: str
    end: float
    """Seconds from the start of the sentence."""


def silence(clock: Clock, *, seconds: float) -> str:
    """A segment of silence at the start or end of the utterance."""
    return f"sil:{clock.until(clock.seconds + seconds)};"


def annotate(spoken: Spoken, clock: Clock, *, punctuation: bool) -> str:
    """One sentence, from where the clock stands to its end."""
    begin = clock.seconds
    tone, track = "", ""
    for sound in _sounds(spoken, punctuation=punctuation):
        unit = sound.unit
        if unit == "sp":
            unit += tone
        elif unit[-1].isdigit():
            tone = unit[-1]
        elif "-" in unit:
            tone = ""
        track += f"{unit}:{clock.until(begin + sound.end)};"
    if rest := clock.until(begin + spoken.seconds):
        track += f"sp{tone}:{rest};"
    return track


def _sounds(spoken: Spoken, *, punctuation: bool) -> list[_Sound]:
    words = spoken.said_words
    by_word = {index: list(group) for index, group in itertools.groupby(spoken.phonemes, key=lambda one: one.word)}
    ends = [following.begin / espeak.RATE for following in spoken.phonemes[1:]] + [spoken.seconds]
    end_of = {id(one): end for one, end in zip(spoken.phonemes, ends, strict=False)}
    sounds: list[_Sound] = []
    for index, word in enumerate(words):
        next_start = words[index + 1].start if index + 1 < len(words) else len(spoken.said)
        text = spoken.said[max(0, word.start) : next_start]
        phonemes = [one for one in by_word.get(index, []) if not one.name.startswith("(")]
        voiced = [one for one in phonemes if not one.name.startswith("_") and one.name]
        pauses = phonemes[phonemes.index(voiced[-1]) + 1 :] if voiced else phonemes
        if voiced:
            sounds += _word(text, voiced, end_of, spoken.language, stressed=bool(_long(pauses, end_of)))
        marks = _PUNCTUATION.findall(text) if punctuation else []
        if pauses and sounds and not _long(pauses, end_of):
            sounds[-1] = _Sound(sounds[-1].unit, end_of[id(pauses[-1])])
        sounds += [_Sound(mark, sounds[-1].end if sounds else 0.0) for mark in marks if not _UNUSABLE.match(mark)]
        if _long(pauses, end_of):
            sounds.append(_Sound("sp", end_of[id(pauses[-1])]))
    return sounds


def _long(pauses: list[Phoneme], end_of: dict[int, float]) -> bool:
    """Whether a pause is one that is heard: espeak-ng puts a short one behind almost every word."""
    return (
        bool(pauses) and end_of[id(pauses[-1])] - pauses[0].begin / espeak.RATE >= _AUDIBLE_FRAMES / FRAMES_PER_SECOND
    )


def _word(
    text: str, phonemes: list[Phoneme], end_of: dict[int, float], language: str, *, stressed: bool
) -> list[_Sound]:
    characters = _HAN.findall(text)
    if language != "zh" or not characters:
        return _foreign(_head(text), phonemes, end_of, boundary=stressed)
    transcribed = espeak.transcribe(["".join(characters), *characters], voice="cmn")
    known = pinyin.syllables(transcribed[0], alone=transcribed[1:])
    boundary = stressed or len(characters) > 1
    if known and (sounds := _mandarin(characters, known, phonemes, end_of, boundary=boundary)):
        return sounds
    return _foreign(_head(text), phonemes, end_of, boundary=boundary)


def _mandarin(
    characters: list[str],
    known: list[pinyin.Syllable],
    phonemes: list[Phoneme],
    end_of: dict[int, float],
    *,
    boundary: bool,
) -> list[_Sound]:
    """Each character's initial and final. Empty when the sounds do not add up to the syllables."""
    sounds: list[_Sound] = []
    left = list(phonemes)
    for number, (character, syllable) in enumerate(zip(characters, known, strict=True), start=1):
        taken, joined = [], ""
        while left and joined != syllable.mnemonics:
            taken.append(left.pop(0))
            joined += re.sub(r"[',%=|]", "", taken[-1].name)
        if joined != syllable.mnemonics:
            return []
        head = f"{character}[={syllable.spelling}]" + ("*" if boundary and number == len(characters) else "")
        last = end_of[id(taken[-1])]
        if syllable.initial and len(taken) > 1:
            sounds.append(_Sound(f"{head}-{syllable.initial}{syllable.tone}", end_of[id(taken[0])]))
            sounds.append(_Sound(f"@-{syllable.final}{syllable.tone}", last))
        else:
            sounds.append(_Sound(f"{head}-{syllable.final}{syllable.tone}", last))
    return sounds if not left else []


def _foreign(head: str, phonemes: list[Phoneme], end_of: dict[int, float], *, boundary: bool) -> list[_Sound]:
    letters = [_letters(one.name) for one in phonemes]
    heads = itertools.chain([f"{head}[={''.join(letters)}]" + ("*" if boundary else "")], itertools.repeat("@"))
    return [
        _Sound(f"{start}-{name}", end_of[id(one)]) for start, name, one in zip(heads, letters, phonemes, strict=False)
    ]


def _head(text: str) -> str:
    return _UNUSABLE.sub("", _PUNCTUATION.sub("", text)) or "_"


def _letters(name: str) -> str:
    spelt = "".join(_LETTERS.get(sign, sign.lower() if sign.isascii() and sign.isalpha() else "") for sign in name)
    return spelt or "ax"
