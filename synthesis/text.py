"""Cut a long text into what a provider takes at once, never inside a sentence if it can be helped.

The pieces joined are the text, to the character, but for stretches of mere punctuation. Where a sentence alone is too long it is
cut between clauses, then between words; what has neither is cut anywhere, but not inside what a reader sees as one sign.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

Fits = Callable[[str], bool]

_CLOSING = "”’」』）)】》〉\"'"
# A full stop ends a sentence only before a space: not in 3.14, nor in example.com.
_SENTENCE = re.compile(rf".*?(?:(?:[。！？!?…；;]+|\.+(?=[\s{_CLOSING}]|$))[{_CLOSING}]*\s*|\n\s*|$)", re.DOTALL)
_CLAUSE = re.compile(r".*?(?:[，、：,:—]+\s*|$)", re.DOTALL)
_WORD = re.compile(r".*?(?:\s+|$)", re.DOTALL)
_JOINER = "\u200d"


def split(text: str, *, fits: Fits) -> list[str]:
    """Pieces that each fit, in order, as few as greed makes them. One without a word is left out: a provider would refuse it.

    `fits` is the provider's own way of counting. Raises ValueError when not even a single sign fits.
    """
    pieces: list[str] = []
    for stretch in _stretches(text, fits, (_SENTENCE, _CLAUSE, _WORD)):
        if pieces and fits(pieces[-1] + stretch):
            pieces[-1] += stretch
        else:
            pieces.append(stretch)
    return [piece for piece in pieces if any(sign.isalnum() for sign in piece)]


def is_markup(text: str) -> bool:
    """SSML: one document, which no cut leaves whole."""
    return text.lstrip().startswith("<speak")


def _stretches(text: str, fits: Fits, ways: tuple[re.Pattern[str], ...]) -> Iterator[str]:
    if fits(text):
        yield text
    elif not ways:
        yield from _signs(text, fits)
    else:
        for found in ways[0].finditer(text):
            if found[0]:
                yield from _stretches(found[0], fits, ways[1:])


def _signs(text: str, fits: Fits) -> Iterator[str]:
    """The longest stretches that fit."""
    while text:
        end = _longest(text, fits)
        while 0 < end < len(text) and _belongs_to_the_last(text, end):
            end -= 1
        if end == 0:
            raise ValueError("not even one sign fits")
        yield text[:end]
        text = text[end:]


def _longest(text: str, fits: Fits) -> int:
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if fits(text[:middle]):
            low = middle
        else:
            high = middle - 1
    return low


def _belongs_to_the_last(text: str, place: int) -> bool:
    return bool(unicodedata.combining(text[place])) or text[place] in (_JOINER, "\ufe0f") or text[place - 1] == _JOINER
