"""The text between the client and the voice: sentences, in-text markup, letters and digits as asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..speech import reading

_SENTENCE = re.compile(r"[^。！？!?；;\n]*[。！？!?；;\n]+[”’」』）)\s]*|.*?[.]+(?=\s)\s*", re.DOTALL)
_PAUSE = re.compile(r"\[p(\d{1,6})\]")
_PRONUNCIATION = re.compile(r"\[=[^\[\]]*\]")
_LATIN = re.compile(r"[A-Za-z]+")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True)
class Part:
    text: str
    """Empty for a pause."""
    silence: float = 0.0
    """Seconds."""


def split(text: str) -> tuple[list[str], str]:
    """Whole sentences with what follows them up to the next, and the unfinished tail. Joined they are the text."""
    found: list[str] = []
    at = 0
    while (match := _SENTENCE.match(text, at)) and match.end() > at:
        found.append(match[0])
        at = match.end()
    return found, text[at:]


def parts(sentence: str, *, letters: bool, digits: int) -> list[Part]:
    """What is said, and the [p500] silences between. [=zhuo2] is taken out: the engine keeps its own pronunciation."""
    found: list[Part] = []
    for index, piece in enumerate(_PAUSE.split(_PRONUNCIATION.sub("", sentence))):
        if index % 2:
            found.append(Part("", int(piece) / 1000))
        elif piece.strip():
            found.append(Part(_worded(piece, letters=letters, digits=digits)))
    return found


def _worded(text: str, *, letters: bool, digits: int) -> str:
    if letters:
        text = _LATIN.sub(lambda match: " ".join(match[0].upper()) + " ", text)
    if digits == 1:
        text = _NUMBER.sub(lambda match: reading.amount(match[0]), text)
    elif digits:
        text = _NUMBER.sub(lambda match: reading.digits(match[0].replace(",", "")), text)
    return text
