"""A long text while it is heard: its pieces spoken one after the other, as if the provider had taken it whole.

    piece 1 ─► slot ─► piece 2 ─► slot ─► …       one beginning, one end; times, share and characters of the whole

What is heard of a piece has been paid, so nothing is asked twice: where one breaks, all breaks.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from synthesis.counting import MOST_A_SECOND
from synthesis.errors import EmptySpeech
from synthesis.fading import ramped, samples_of
from voices.providers.base import Audio, Done, Mark, Progress, SpeechRequest, Usage
from voices.providers.driving import Said, Spoken
from voices.providers.errors import StreamBroken

Speak = Callable[[SpeechRequest], Said]


@dataclass(frozen=True, slots=True)
class Passage:
    """`characters` as the provider is expected to count them."""

    text: str
    characters: int


async def speak_in_turn(
    request: SpeechRequest,
    pieces: Sequence[Passage],
    *,
    speak: Speak,
    slot: Callable[[], Awaitable[None]],
    provider: str,
) -> AsyncGenerator[Sequence[Spoken], None]:
    """`request` for all of them, in PCM; `slot` waits until the next piece may be asked for.

    Raises what `speak` and `slot` raise, and EmptySpeech or StreamBroken when a piece is not spoken to its end.
    """
    joint = _Joint(request.sample_rate, characters=sum(piece.characters for piece in pieces))
    for number, piece in enumerate(pieces, 1):
        if number > 1:
            await slot()
        joint.begin(piece, is_last=number == len(pieces))
        async with aclosing(speak(replace(request, text=piece.text.strip()))) as said:
            async for events in said:
                yield joint.joined(events)
        joint.end(provider)


class _Joint:
    """Where the pieces so far have come to, and what the running one says in terms of the whole."""

    def __init__(self, rate: int, *, characters: int) -> None:
        self._rate = rate
        self._expected = characters
        self._bytes_before = self._bytes = self._expected_before = self._characters_before = 0
        self._held = b""

    def begin(self, piece: Passage, *, is_last: bool) -> None:
        self._piece, self._is_last, self._is_first = piece, is_last, not self._bytes
        self._bytes_before, self._bytes = self._bytes_before + self._bytes, 0
        self._characters: int | None = None
        self._done = False

    def end(self, provider: str) -> None:
        if not self._done:
            raise StreamBroken("the provider's frames ended before its last word", provider=provider)
        if not self._bytes:
            raise EmptySpeech
        self._expected_before += self._piece.characters
        self._characters_before += self._counted

    def joined(self, events: Sequence[Spoken]) -> list[Spoken]:
        return [told for event in events for told in self._told(event)]

    @property
    def _counted(self) -> int:
        """Of the running piece; by our own count where the provider names none."""
        return self._piece.characters if self._characters is None else self._characters

    def _told(self, event: Spoken) -> list[Spoken]:
        match event:
            case Audio(data):
                return self._audio(data)
            case Mark():
                ms = round(self._bytes_before / 2 / self._rate * 1000)
                return [_later(event, ms)]
            case Progress(share):
                return [Progress((self._expected_before + share * self._piece.characters) / (self._expected or 1))]
            case Usage(characters):
                self._characters = characters
                return [Usage(self._characters_before + characters)]
            case Done(characters, request_id):
                self._done = True
                self._characters = self._characters if characters is None else characters
                all_so_far = self._characters_before + self._counted
                if self._is_last:
                    return [*self._rest(), Done(all_so_far, request_id)]
                return [*self._rest(), Usage(all_so_far)]
        return [event]

    def _audio(self, data: bytes) -> list[Spoken]:
        """Fades in where another piece was before; the last 5 ms wait, since another may come behind them."""
        begins = not self._bytes and not self._is_first
        self._bytes += len(data)
        self._held += data
        if begins:
            self._held = ramped(_whole(self._held), rate=self._rate, up=True) + self._held[len(_whole(self._held)) :]
        keep = 0 if self._is_last else 2 * samples_of(self._rate)
        ready = max(0, len(self._held) - keep) // 2 * 2
        heard, self._held = self._held[:ready], self._held[ready:]
        return [Audio(heard), *self._counted_by_ear()] if heard else []

    def _counted_by_ear(self) -> list[Spoken]:
        """Of a piece of which the provider has named no number yet: what its sound has time for, which is never less."""
        if self._characters is not None:
            return []
        heard = math.ceil(self._bytes / 2 / self._rate * MOST_A_SECOND)
        return [Usage(self._characters_before + min(heard, self._piece.characters))]

    def _rest(self) -> list[Spoken]:
        rest, self._held = _whole(self._held), b""
        if not rest:
            return []
        return [Audio(rest if self._is_last else ramped(rest, rate=self._rate, down=True))]


def _whole(pcm: bytes) -> bytes:
    return pcm[: len(pcm) // 2 * 2]


def _later(mark: Mark, ms: int) -> Mark:
    return replace(
        mark,
        begin_ms=mark.begin_ms + ms,
        end_ms=mark.end_ms + ms,
        phonemes=tuple(replace(each, begin_ms=each.begin_ms + ms, end_ms=each.end_ms + ms) for each in mark.phonemes),
    )
