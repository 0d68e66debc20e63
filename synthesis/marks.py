"""When what is spoken, as it is kept with a job, and as a line that lights up while the audio plays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from voices.providers.base import Mark, Phoneme


def as_json(mark: Mark) -> dict[str, Any]:
    """Times in milliseconds from the start of the audio. A pause has no text; sounds only where the provider tells them."""
    told: dict[str, Any] = {"text": mark.text, "begin_ms": mark.begin_ms, "end_ms": mark.end_ms}
    if mark.syllable:
        told["syllable"] = mark.syllable
    if mark.phonemes:
        told["phonemes"] = [
            {"name": sound.name, "tone": sound.tone, "begin_ms": sound.begin_ms, "end_ms": sound.end_ms}
            for sound in mark.phonemes
        ]
    return told


def from_json(told: Mapping[str, Any]) -> Mark:
    """What `as_json` has kept of it."""
    sounds = tuple(Phoneme(**sound) for sound in told.get("phonemes", ()))
    return Mark(told["text"], told["begin_ms"], told["end_ms"], told.get("syllable", ""), sounds)


@dataclass(frozen=True, slots=True)
class Timed:
    """A word or character with its time in seconds, and how it sounds where that is known."""

    text: str
    begin: float
    end: float
    syllable: str


def line(marks: Iterable[Mapping[str, Any]]) -> Iterator[Timed]:
    """What can be read along with the audio; pauses are nothing to read."""
    for mark in marks:
        if mark["text"]:
            yield Timed(
                text=mark["text"],
                begin=mark["begin_ms"] / 1000,
                end=mark["end_ms"] / 1000,
                syllable=mark.get("syllable", ""),
            )
