"""The times of sounds (`pybuf`): what was spoken when, as text of a grammar of its own. One frame is 5 ms.

    pybuf    = *( *reserved segment ) *reserved
    segment  = unit ":" frames ";"
    unit     = "sil" / "sp" [tone] / head ["*"] "-" phoneme      ; "*": a prosodic break follows
    head     = "@" / text "[=" syllable "]"                      ; "@": the same text as the segment before
    phoneme  = letters [tone]
    tone     = "1" to "5"
    reserved = "{" anything "}"

A segment of another form is passed over but its frames are counted, for the form of punctuation (rhy 3) is not documented and
what comes after it still has to be in time. What cannot be passed over without telling wrong times raises PybufError.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from voices.providers.base import Mark, Phoneme

FRAME_MS = 5
MAX_SEGMENT = 1_000
"""Signs of a segment that has no end yet; a real one has about 20."""
MAX_FRAMES = 720_000
"""Of one segment: an hour."""

_SEGMENT = re.compile(
    r"(?:(?P<silence>sil|sp)(?P<silence_tone>[1-5])?"
    r"|(?:(?P<again>@)|(?P<text>[^;\[\]@]+)\[=(?P<syllable>[^\]]+)\])(?P<boundary>\*)?-(?P<phoneme>[A-Za-z]+)(?P<tone>[1-5])?)"
    r":(?P<frames>[0-9]+)"
)
_FRAMES = re.compile(r":([0-9]+)\Z")


class PybufError(ValueError):
    """The text stopped following its grammar; `at_ms` is how far its times can be trusted."""

    def __init__(self, detail: str, *, at_ms: int) -> None:
        super().__init__(f"{detail}, {at_ms} ms from the start")
        self.at_ms = at_ms


class PybufParser:
    """Takes the decoded text in pieces cut anywhere, and gives each unit once its last segment is known.

    A unit is one character or foreign word, or a pause, which has no text. After PybufError the parser is of no more use.
    """

    def __init__(self) -> None:
        self._text = ""
        self._at = 0
        self._now_ms = 0
        self._unit: Mark | None = None
        # Whether "@" would continue a segment that we have passed over.
        self._passing = False

    def feed(self, text: str) -> Iterator[Mark]:
        # Cut off once a piece, not once a segment: a piece may be a megabyte.
        self._text, self._at = self._text[self._at :] + text, 0
        while (segment := self._next_segment()) is not None:
            yield from self._take(segment)
        if len(self._text) - self._at > MAX_SEGMENT:
            raise PybufError("a segment without an end", at_ms=self._now_ms)

    def finish(self) -> Iterator[Mark]:
        """The last unit. Raises PybufError when the text ends inside a segment."""
        if self._text[self._at :].strip():
            raise PybufError("an end inside a segment", at_ms=self._now_ms)
        yield from self._ended()

    def _next_segment(self) -> str | None:
        """The text up to the next ";", reserved parts before it left out; None while it is not all there."""
        while self._text.startswith("{", self._at):
            end = self._text.find("}", self._at)
            if end < 0:
                return None
            self._at = end + 1
        start, end = self._at, self._text.find(";", self._at)
        if end < 0:
            return None
        if end - start > MAX_SEGMENT:
            raise PybufError("a segment that is too long", at_ms=self._now_ms)
        self._at = end + 1
        return self._text[start:end]

    def _take(self, segment: str) -> Iterator[Mark]:
        found = _SEGMENT.fullmatch(segment)
        if found is None:
            yield from self._ended()
            self._passing = True
            if frames := _FRAMES.search(segment):
                self._now_ms = self._after(frames[1])
            return
        begin, end = self._now_ms, self._after(found["frames"])
        if found["again"] and self._passing:
            self._now_ms = end
            return
        name, tone = found["silence"] or found["phoneme"], found["silence_tone"] or found["tone"] or 0
        phoneme = Phoneme(name=name, tone=int(tone), begin_ms=begin, end_ms=end)
        if found["again"]:
            if self._unit is None or not self._unit.text:
                raise PybufError("a sound that continues nothing", at_ms=begin)
            self._unit = _longer(self._unit, phoneme, boundary=bool(found["boundary"]))
        else:
            yield from self._ended()
            self._passing = False
            self._unit = Mark(
                text=found["text"] or "",
                begin_ms=begin,
                end_ms=end,
                syllable=found["syllable"] or "",
                phonemes=(phoneme,),
                boundary=bool(found["boundary"]),
            )
        self._now_ms = end

    def _after(self, frames: str) -> int:
        if len(frames) > len(str(MAX_FRAMES)) or int(frames) > MAX_FRAMES:
            raise PybufError("a sound that takes too long", at_ms=self._now_ms)
        return self._now_ms + int(frames) * FRAME_MS

    def _ended(self) -> Iterator[Mark]:
        unit, self._unit = self._unit, None
        if unit is not None:
            yield unit


def parsed(text: str) -> tuple[Mark, ...]:
    """A whole pybuf. Raises PybufError."""
    parser = PybufParser()
    return (*parser.feed(text), *parser.finish())


def _longer(unit: Mark, phoneme: Phoneme, *, boundary: bool) -> Mark:
    return Mark(
        text=unit.text,
        begin_ms=unit.begin_ms,
        end_ms=phoneme.end_ms,
        syllable=unit.syllable,
        phonemes=(*unit.phonemes, phoneme),
        boundary=unit.boundary or boundary,
    )
