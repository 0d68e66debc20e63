"""When each character of a text is heard, from the word times that a provider tells.

A word's stretch is shared out evenly among its characters, which is all that is known of them; what lies between two words
(punctuation, spaces) lasts from the end of one to the start of the next. Nothing is made up where the provider tells no times.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from voices.providers.base import Mark


@dataclass(frozen=True, slots=True)
class Alignment:
    """One entry per character of the text as it was sent, in its order; seconds from the start of the audio."""

    characters: list[str] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)

    def add(self, text: str, *, begin: float, end: float) -> None:
        step = (end - begin) / max(1, len(text))
        for place, character in enumerate(text):
            self.characters.append(character)
            self.starts.append(round(begin + place * step, 3))
            self.ends.append(round(begin + (place + 1) * step, 3))


class Aligner:
    """Follows a text while its marks arrive. `take` and `rest` give the next characters, each character once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._seconds = 0.0
        self.is_told = False
        """Whether any mark could be found in the text so far."""

    def take(self, marks: Iterable[Mark]) -> Alignment:
        """The characters up to the last of these marks. A mark that the text does not hold (a digit read as a word) waits for the
        next one that it does: what lies between is shared out over their time."""
        taken = Alignment()
        for mark in marks:
            spoken = mark.text.strip()
            at = self._text.find(spoken, self._at) if spoken else -1
            if at == -1:
                continue
            begin, end = mark.begin_ms / 1000, mark.end_ms / 1000
            begin = max(begin, self._seconds)
            taken.add(self._text[self._at : at], begin=self._seconds, end=begin)
            taken.add(spoken, begin=begin, end=max(begin, end))
            self._at, self._seconds = at + len(spoken), max(begin, end)
            self.is_told = True
        return taken

    def rest(self, *, seconds: float | None = None) -> Alignment:
        """What follows the last mark, up to the end of the audio where that is known."""
        left = Alignment()
        left.add(self._text[self._at :], begin=self._seconds, end=max(self._seconds, seconds or 0.0))
        self._at = len(self._text)
        return left
