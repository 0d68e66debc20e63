"""espeak-ng's Mandarin mnemonics to pinyin: what is annotated is what was spoken, not what a dictionary says."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

_INITIALS = {
    "ph": "p", "p": "b", "m": "m", "f": "f", "th": "t", "t": "d", "n": "n", "l": "l", "kh": "k", "k": "g", "X": "h",
    "tS;h": "q", "tS;": "j", "S;": "x", "ts.h": "ch", "ts.": "zh", "s.": "sh", "z.": "r", "tsh": "c", "ts": "z", "s": "s",
}  # fmt: skip
_FINALS = {
    "A": "a", "a": "a", "o": "o", "o-": "e", "@": "e", "i": "i", "i.": "i", "i[": "i", "u": "u", "y": "v", "ai": "ai",
    "ei": "ei", "uei": "ui", "wei": "ui", "Au": "ao", "ou": "ou", "iou": "iu", "iE": "ie", "yE": "ve", "@r": "er",
    "an": "an", "An": "an", "@n": "en", "in": "in", "u@n": "un", "wu@n": "un", "wo-n": "un", "y@n": "vn", "yin": "vn",
    "AN": "ang", "@N": "eng", "iN": "ing", "u@N": "ong", "ong": "ong", "iA": "ia", "iEn": "ian", "iAN": "iang",
    "jAu": "iao", "iong": "iong", "jong": "iong", "wA": "ua", "uai": "uai", "wai": "uai", "uan": "uan", "wan": "uan",
    "wAn": "uan", "wAN": "uang", "uo": "uo", "wo": "uo", "y&n": "van",
}  # fmt: skip
_ALONE = {
    "i": "yi", "u": "wu", "v": "yu", "ui": "wei", "iu": "you", "ie": "ye", "ve": "yue", "in": "yin", "un": "wen",
    "vn": "yun", "ing": "ying", "ia": "ya", "ian": "yan", "iang": "yang", "iao": "yao", "iong": "yong", "ua": "wa",
    "uai": "wai", "uan": "wan", "uang": "wang", "uo": "wo", "ong": "weng", "van": "yuan",
}  # fmt: skip
# Pitch contours as espeak-ng writes them; a neutral tone has one short level.
_TONES = {"55": "1", "35": "2", "214": "3", "21": "3", "51": "4"}
_NEUTRAL = "5"
_GLIDE = re.compile(r"^(?:j(?=[iy])|w(?=u))")
_LONGEST_INITIAL = max(map(len, _INITIALS))


@dataclass(frozen=True)
class Syllable:
    mnemonics: str
    """As espeak-ng's phoneme events spell it, joined."""
    initial: str
    """Pinyin; empty for a syllable that begins with its vowel."""
    final: str
    tone: str
    """1 to 5."""

    @property
    def spelling(self) -> str:
        """Pinyin with its tone digit, ü as v after n and l and as u elsewhere: lv4, xue2, yuan2."""
        if not self.initial:
            return _ALONE.get(self.final, self.final) + self.tone
        final = self.final if self.initial in "nl" else self.final.replace("v", "u")
        return self.initial + final + self.tone


def syllables(transcription: str, *, alone: list[str]) -> list[Syllable] | None:
    """The syllables of a word, or None when espeak-ng read something in it as a foreign word.

    `alone` is how each of its characters is pronounced by itself: it settles whether an n between two vowels ends a
    syllable or begins the next one, as in 天安 and 大娘.
    """
    if "(" in transcription:
        return None
    pieces = re.split(r"(\d+)", re.sub(r"[_|' ,%=]", "", transcription))
    letters, tones = pieces[0::2], pieces[1::2]
    if len(tones) != len(alone):
        return None
    singles = [re.sub(r"[\d_|' ,%=]", "", one) for one in alone]
    best: list[Syllable] | None = None
    best_score = -1
    for codas in itertools.product(*(_codas(between) for between in letters[1:])):
        onsets = [letters[0], *(between[len(coda) :] for between, coda in zip(letters[1:], codas, strict=True))]
        if onsets[-1]:
            continue
        found = [_syllable(onset + coda, tone) for onset, coda, tone in zip(onsets, codas, tones, strict=False)]
        whole = [syllable for syllable in found if syllable is not None]
        score = sum(syllable.mnemonics == single for syllable, single in zip(whole, singles, strict=False))
        if len(whole) == len(found) and score > best_score:
            best, best_score = whole, score
    return best


def _codas(between: str) -> tuple[str, ...]:
    """What a syllable may end in, given the letters up to the next vowel."""
    if between.startswith("N"):
        return ("N",)
    return ("n", "") if between.startswith("n") else ("",)


def _syllable(mnemonics: str, tone: str) -> Syllable | None:
    for length in range(min(_LONGEST_INITIAL, len(mnemonics)), -1, -1):
        onset, rest = mnemonics[:length], mnemonics[length:]
        if length and onset not in _INITIALS:
            continue
        final = _FINALS.get(rest if length else _GLIDE.sub("", rest))
        if final is not None:
            return Syllable(
                mnemonics=mnemonics, initial=_INITIALS.get(onset, ""), final=final, tone=_TONES.get(tone, _NEUTRAL)
            )
    return None
