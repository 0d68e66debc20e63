"""Word times into a timed track, and the track into SRT or WebVTT.

A cue ends with its sentence, at a long pause, or when it is full: two lines as they are read on a screen, 16 Chinese characters or
42 Latin ones each. No line begins with a closing sign or breaks a Latin word.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from typing import Any

LINES = 2
WIDTH_HAN = 32
"""Columns of a line that holds wide characters, each of which takes two."""
WIDTH_LATIN = 42
PAUSE_MS = 800
LONGEST_MS = 7_000
SHORTEST_MS = 700
_ENDS = "。！？!?…；;\n"
_BREAKS = "，、：,:—" + _ENDS
_CLOSING = "，。！？；：、…—,.!?;:”’」』）)】》〉%"
_SIGNS = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


@dataclass(frozen=True, slots=True)
class Stretch:
    """What of the text is heard when: characters `begin` to `end` (excluded), with the signs that follow the word."""

    text: str
    begin: int
    end: int
    begin_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Cue:
    begin_ms: int
    end_ms: int
    lines: tuple[str, ...]


def stretches(text: str, marks: Iterable[Mapping[str, Any]]) -> list[Stretch]:
    """Each mark with its place in the text; what lies between two belongs to the first.

    One that the text does not hold (a number that is read as words) is passed over, and its time belongs to the next that it does.
    """
    found: list[tuple[int, int, int, int]] = []
    at, begun = 0, None
    for mark in marks:
        word = str(mark["text"]).strip()
        place = text.find(word, at) if word else -1
        if place == -1:
            begun = mark["begin_ms"] if begun is None and word else begun
            continue
        found.append((place, place + len(word), mark["begin_ms"] if begun is None else begun, mark["end_ms"]))
        at, begun = place + len(word), None
    starts = [0, *(place for place, *_rest in found[1:]), len(text)]
    return [
        Stretch(text[first:last], first, last, begin_ms, end_ms)
        for (first, last), (_place, _end, begin_ms, end_ms) in zip(pairwise(starts), found, strict=bool(found))
    ]


def track(text: str, marks: Iterable[Mapping[str, Any]]) -> list[Cue]:
    """Cues in order, none of which overlaps the next."""
    groups = list(_groups(stretches(text, marks)))
    cues = []
    for group, following in zip_longest(groups, groups[1:]):
        limit = following[0].begin_ms if following else group[-1].end_ms + SHORTEST_MS
        end = max(group[-1].end_ms, min(group[0].begin_ms + SHORTEST_MS, limit))
        said = "".join(each.text for each in group).strip()
        cues.append(Cue(group[0].begin_ms, end, lines_of(said)))
    return [cue for cue in cues if cue.lines]


def srt(cues: Sequence[Cue]) -> str:
    return "\n".join(
        f"{number}\n{_time(cue.begin_ms, ',')} --> {_time(cue.end_ms, ',')}\n" + "\n".join(cue.lines) + "\n"
        for number, cue in enumerate(cues, 1)
    )


def vtt(cues: Sequence[Cue]) -> str:
    said = (
        f"{_time(cue.begin_ms, '.')} --> {_time(cue.end_ms, '.')}\n"
        + "\n".join("".join(_SIGNS.get(sign, sign) for sign in line) for line in cue.lines)
        + "\n"
        for cue in cues
    )
    return "WEBVTT\n\n" + "\n".join(said)


def width(text: str) -> int:
    """Columns on a screen: wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def lines_of(text: str) -> tuple[str, ...]:
    """The text in lines, as even as they can be; more than two only where the text has nowhere else to go."""
    text = " ".join(text.split())
    limit = _limit(text)
    if not text:
        return ()
    if width(text) <= limit:
        return (text,)
    best = min(_places(text), key=lambda place: _badness(text, place, limit), default=len(text))
    first, rest = text[:best].strip(), text[best:].strip()
    return (first, *lines_of(rest)) if rest else (first,)


def _groups(parts: Sequence[Stretch]) -> Iterator[list[Stretch]]:
    group: list[Stretch] = []
    for part in parts:
        if group and _is_full(group, part):
            yield group
            group = []
        group.append(part)
        if any(sign in _ENDS for sign in part.text) or part.text.rstrip('”’」』）)" ').endswith("."):
            yield group
            group = []
    if group:
        yield group


def _is_full(group: Sequence[Stretch], part: Stretch) -> bool:
    said = "".join(each.text for each in (*group, part)).strip()
    return (
        part.begin_ms - group[-1].end_ms > PAUSE_MS
        or part.end_ms - group[0].begin_ms > LONGEST_MS
        or len(lines_of(said)) > LINES
    )


def _limit(text: str) -> int:
    return WIDTH_HAN if any(unicodedata.east_asian_width(sign) == "W" for sign in text) else WIDTH_LATIN


def _places(text: str) -> Iterator[int]:
    for place in range(1, len(text)):
        before, after = text[place - 1], text[place]
        inside_a_word = before.isascii() and after.isascii() and before.isalnum() and after.isalnum()
        if not (inside_a_word or after in _CLOSING or after == " " or before in "“‘「『（(《〈"):
            yield place


def _badness(text: str, place: int, limit: int) -> tuple[int, float]:
    """First that the line fits, then that it breaks where one breathes and that both are of a length."""
    first, rest = width(text[:place].strip()), width(text[place:].strip())
    too_wide = max(0, first - limit)
    evenness = abs(first - min(rest, limit)) if rest <= limit else limit - first
    breath = 0 if text[place - 1] in _BREAKS else 10 if text[place - 1] == " " else 16
    return too_wide, evenness + breath


def _time(ms: int, point: str) -> str:
    seconds, ms = divmod(ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}{ms:03}"
