"""What a door of the speech route has to say, as functions over frozen values; no request and no response of any framework.

    Asked ─► credential ─► wish ─► (check, hold, job, first audio) ─► headers, framing ─► audio, framed ─► end
                                   any error, as a Problem ─► refusal

To add a door: a module with these functions, a `Dialect` of them, and a `Route` for each of its addresses in routes.py.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from voiceclone_site.errors import Problem
from voices.providers.base import Mark


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came. Names of headers are lower case; of a query name that is repeated the last counts.

    `captured` are the named groups of the route's pattern, percent-decoded.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    captured: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Token:
    """Who asks, by an API token as it was sent; empty when none was."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class VoiceRef:
    """Which voice of the caller's: by its id, and where the dialect allows it by its exact name too."""

    text: str
    may_be_name: bool = False


@dataclass(frozen=True, slots=True)
class SpeechWish:
    """What a caller wishes, in our words and not yet held against what the voice can do.

    `audio_format`: mp3, wav, pcm, opus (in Ogg), flac, aac (ADTS), mulaw, alaw; empty: the provider's default. What the provider
    does not speak is transcoded. `sample_rate` in Hz, `bit_rate` in bit/s; None: as it comes. `parameters` are the model's own, by
    name, and are refused when the model does not take them; `hints` are passed over then (synthesis/delivery.py). `speed` is 1.0
    for the voice's own pace, in every dialect's scale. `model` is one of ours that has to be the voice's, empty for any.
    `marks`: the framing wants to know when each word is spoken. `framing` is the dialect's own word for how the audio is wrapped.
    `at_usual_speed`: without a `speed`, the one that is kept with the voice counts.
    """

    voice: VoiceRef
    text: str
    audio_format: str = ""
    sample_rate: int | None = None
    bit_rate: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    hints: Mapping[str, Any] = field(default_factory=dict)
    speed: float | None = None
    model: str = ""
    marks: bool = False
    framing: str = ""
    at_usual_speed: bool = False


@dataclass(frozen=True, slots=True)
class Speaking:
    """What is known of a job when its first audio is there: for response headers and framings.

    `audio_format` and `sample_rate` are those that leave; `characters` those that the provider is expected to count,
    none for a repeat.
    """

    job_id: uuid.UUID
    voice_id: uuid.UUID
    provider: str
    model: str
    text: str
    audio_format: str
    sample_rate: int
    characters: int
    request_id: str


@dataclass(frozen=True, slots=True)
class Spoken:
    """What is known when a job has been spoken to its end; `milliseconds` of audio, None where it was not measured."""

    characters: int
    milliseconds: int | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, such as a refusal."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Framing(Protocol):
    """How the audio of one answer is wrapped. Made anew for each answer, so it may remember. Each method returns bytes to send,
    or none.
    """

    def opening(self) -> bytes:
        """Sent with the first audio."""
        ...

    def audio(self, data: bytes, marks: Sequence[Mark]) -> bytes:
        """The next audio, and the word times that became known with it."""
        ...

    def ending(self, spoken: Spoken) -> bytes:
        """All has been said."""
        ...

    def failure(self, problem: Problem) -> bytes:
        """It broke after the first audio. After these bytes the transfer is broken, whatever they are."""
        ...


class Untouched:
    """Raw audio: nothing around it, and a failure is told by the broken transfer alone."""

    def opening(self) -> bytes:
        return b""

    def audio(self, data: bytes, marks: Sequence[Mark]) -> bytes:
        return data

    def ending(self, spoken: Spoken) -> bytes:
        return b""

    def failure(self, problem: Problem) -> bytes:
        return b""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One door's words.

    `credential` says who asks. `wish` raises what the one table knows (errors.py): InvalidInput naming the caller's own fields, or
    what REST framework would raise for a body that cannot be read. `naming` says what the caller calls a field of ours (voice,
    text, format, sample_rate, speed, or the name of a parameter) that turned out wrong later. `headers` are those of the 200
    answer, Content-Type among them; the relay adds the request id and the rest that every answer has. `refusal` is given every
    error as the table knows it, our own faults too.
    """

    name: str
    credential: Callable[[Asked], Token]
    wish: Callable[[Asked], SpeechWish]
    naming: Callable[[str], str]
    headers: Callable[[SpeechWish, Speaking], Mapping[str, str]]
    framing: Callable[[SpeechWish, Speaking], Framing]
    refusal: Callable[[Problem], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """One address. `pattern` is matched against the whole path; its named groups become `Asked.captured`.

    Only POST comes here, only where `header` (lower case, if any) was sent and `but_not` was not; all else there is Django's.
    """

    pattern: re.Pattern[str]
    dialect: Dialect
    header: str = ""
    but_not: str = ""
