"""One task on a socket, from task-started to task-finished."""

from __future__ import annotations

import asyncio
import collections
import json
import time
import uuid
from functools import partial
from typing import Any

from .. import wire
from ..speech import encoding, speaking
from ..speech.speaking import Manner, Spoken
from . import frames, refusals, sentences
from .conversation import Conversation, Gone
from .frames import Frame, Order, event
from .refusals import RefusalError
from .voices import Voice

_MOST_PER_TEXT = 20_000
_MOST_PER_TASK = 200_000
_LARGEST_MESSAGE = 8000
_DRIP_BYTES = 400
_STEP_SECONDS = 0.08
_LONGEST_MESSAGE_SECONDS = 0.4
_FOR_EVER_SECONDS = 86400.0


class Task:
    """The state of one task: text that waits, audio that is being sent, characters that are billed."""

    def __init__(self, conversation: Conversation, opening: Frame, *, order: Order, voice: Voice) -> None:
        self._conversation = conversation
        self._options = conversation.state.options
        self._order = order
        self._task_id = opening.task_id
        self._voice = voice
        self._fault = conversation.state.faults.strike(operation="synthesis", account=conversation.account)
        self._buffer = ""
        self._waiting: collections.deque[str] = collections.deque()
        self._texts = 0
        self._received = 0
        self._billed = 0
        self._index = 0
        self._finishing = False
        self._cancelled = False
        self._last_text_at: float | None = None
        self._audio_sent = False
        self._spoken_ms = 0
        self._encoder_finished = False
        self._half_due = self._is("half_json", at="after")
        # When the next audio may leave, and how far the client's playback has come.
        self._next_audio_at = 0.0

    def _is(self, how: str, *, at: str = "") -> bool:
        return self._fault is not None and self._fault.how == how and at in ("", self._fault.at)

    @property
    def _answer_id(self) -> str:
        """What our events call the task: its own id, unless the fault has set in."""
        strayed = self._is("wrong_task_id") and (self._audio_sent or not self._is("wrong_task_id", at="after"))
        return "0" * 32 if strayed else self._task_id

    async def run(self) -> bool:
        """Raises RefusalError when the task fails, Gone when the client has left."""
        encoder = encoding.encoder(
            self._order.format,
            source_rate=speaking.RATE,
            rate=self._order.sample_rate,
            opus_bit_rate=self._order.opus_bit_rate,
        )
        try:
            await self._start()
            while await self._listen():
                await self._speak(self._waiting.popleft(), encoder)
            return await self._finish(encoder)
        except Gone:
            self._conversation.write("disconnect", body={"code": "ClientDisconnect", "characters": self._billed})
            raise
        finally:
            self._rest_of(encoder)

    def _rest_of(self, encoder: encoding.Encoder) -> bytes:
        """What the encoder still holds, once."""
        if self._encoder_finished:
            return b""
        self._encoder_finished = True
        return encoder.finish()

    async def _start(self) -> None:
        fault = self._fault
        if fault is not None:
            if fault.how == "delay":
                await asyncio.sleep(fault.seconds)
            if fault.how == "no_task_started":
                await self._hang(_FOR_EVER_SECONDS)
        await self._break(at="start")
        await self._send(
            event("task-started", task_id=self._answer_id, payload={}), half=self._is("half_json", at="before")
        )
        await self._break(at="before")

    async def _break(self, *, at: str) -> None:
        """Let the fault strike that stands at this point, if it ends or stalls the task."""
        fault = self._fault
        if fault is None or fault.at != at:
            return
        if fault.how == "error":
            raise RefusalError(fault.code, fault.message)
        if fault.how == "close":
            await self._conversation.close()
            raise Gone
        if fault.how in ("drop", "reset"):
            (wire.drop if fault.how == "drop" else wire.reset)(self._conversation.request)
            raise Gone
        if fault.how == "stall":
            await self._hang(fault.seconds or _FOR_EVER_SECONDS)

    async def _hang(self, seconds: float) -> None:
        """Say nothing for a while. Raises Gone as soon as the client leaves."""
        try:
            await asyncio.wait_for(self._conversation.gone.wait(), seconds)
        except TimeoutError:
            return
        raise Gone

    async def _listen(self) -> bool:
        """Take in frames until there is a sentence to speak (True) or the task is to end (False)."""
        while True:
            self._take_what_came()
            if self._cancelled:
                return False
            if self._waiting:
                return True
            if self._finishing:
                return False
            text = await self._conversation.receive(self._options.idle_seconds)
            if text is None:
                raise self._idle()
            self._take(text)

    def _idle(self) -> RefusalError:
        return refusals.invalid(f"request timeout after {self._options.idle_seconds:g} seconds.")

    def _take_what_came(self) -> None:
        while not self._conversation.inbox.empty():
            self._take(self._conversation.inbox.get_nowait())

    def _take(self, text: str) -> None:
        frame = frames.parse(text)
        self._conversation.write(frame.action, body=json.loads(text))
        if frame.action == "run-task":
            raise refusals.invalid("A task is already running on this connection.")
        if frame.task_id != self._task_id:
            raise refusals.invalid("task_id does not match the running task.")
        if self._finishing:
            raise refusals.invalid(f"{frame.action} came after finish-task.")
        if frame.action == "finish-task":
            self._finishing = True
            self._cancelled = frame.input.get("directive") == "cancel"
            self._flush()
            return
        self._take_text(frame)

    def _take_text(self, frame: Frame) -> None:
        now = time.monotonic()
        if self._last_text_at is not None and now - self._last_text_at > self._options.idle_seconds:
            raise self._idle()
        self._last_text_at = now
        if frame.input.get("flush") is True and "text" not in frame.input:
            self._flush()
            return
        text = frame.input.get("text")
        if not isinstance(text, str):
            raise refusals.invalid("Parameter invalid: text is null")
        self._texts += 1
        if self._order.ssml and self._texts > 1:
            raise refusals.invalid("Text request limit violated, expected 1.")
        if self._order.ssml and text.lstrip().startswith("<speak"):
            try:
                text = sentences.plain_from_ssml(text)
            except ValueError as error:
                raise refusals.invalid(f"Invalid SSML: {error}.") from error
        counted = sentences.count(text)
        self._received += counted
        if counted > _MOST_PER_TEXT or self._received > _MOST_PER_TASK:
            raise refusals.invalid(
                f"Text is too long: at most {_MOST_PER_TEXT} characters at once and {_MOST_PER_TASK} in a task."
            )
        complete, self._buffer = sentences.split(self._buffer + text)
        self._waiting.extend(complete)
        if frame.input.get("flush") is True:
            self._flush()

    def _flush(self) -> None:
        """Speak the tail as it is; a tail with nothing to say joins the sentence before it."""
        if sentences.is_speakable(self._buffer):
            self._waiting.append(self._buffer)
            self._buffer = ""
        elif self._waiting:
            self._waiting.append(self._waiting.pop() + self._buffer)
            self._buffer = ""

    async def _speak(self, text: str, encoder: encoding.Encoder) -> None:
        """One sentence: begin, audio messages each announced by an event, end with what it has cost so far."""
        if self._is("missing_sentence") and self._index == 0:
            self._index += 1
            return
        index = self._index
        began = time.monotonic()
        state = self._conversation.state
        voice_print = state.studio.print_of(self._voice.sha256)
        if voice_print is None:
            raise RefusalError("InternalError", "The voice is not ready.")
        said = self._replaced(text)
        spoken = await state.studio.work(partial(speaking.speak, said, voice=voice_print, manner=self._manner()))
        begin = {"type": "sentence-begin", "original_text": text, "sentence": {"index": index, "words": []}}
        await self._result(begin)
        cost = sentences.count(text)
        await self._send_sentence(spoken, encoder, index=index, began=began, cost=cost)
        if self._cancelled:
            return
        if self._is("duplicate_sentence") and index == 0:
            await self._send_sentence(spoken, encoder, index=index, began=began, cost=0)
        words = self._words(spoken, said)
        end = {"type": "sentence-end", "original_text": text, "sentence": {"index": index, "words": words}}
        self._spoken_ms += round(spoken.seconds * 1000)
        await self._result(end, usage=self._billed)
        self._index += 1

    def _replaced(self, text: str) -> str:
        for old, new in self._order.replacements:
            text = text.replace(old, new)
        return text

    def _manner(self) -> Manner:
        order = self._order
        return Manner(
            rate=order.rate, pitch=order.pitch, gain=order.volume / 50, seed=order.seed, language=order.language
        )

    async def _send_sentence(
        self, spoken: Spoken, encoder: encoding.Encoder, *, index: int, began: float, cost: int
    ) -> None:
        """Encode in small steps and send as they fill up, at the pace that is set."""
        if not self._audio_sent:
            self._next_audio_at = began + self._options.first_audio_seconds
        step = int(_STEP_SECONDS * speaking.RATE)
        most = _DRIP_BYTES if self._is("drip") else _LARGEST_MESSAGE
        waiting, seconds = b"", 0.0
        for start in range(0, len(spoken.samples), step):
            piece = spoken.samples[start : start + step]
            waiting += await self._conversation.state.studio.work(partial(encoder.add, piece))
            seconds += len(piece) / speaking.RATE
            is_last = start + step >= len(spoken.samples)
            if is_last and self._is_at_the_end():
                waiting += self._rest_of(encoder)
            while len(waiting) >= most or (waiting and (is_last or seconds >= _LONGEST_MESSAGE_SECONDS)):
                share = min(1.0, most / len(waiting))
                await self._send_message(waiting[:most], index=index, seconds=seconds * share, cost=cost)
                waiting, seconds, cost = waiting[most:], seconds * (1 - share), 0
                if self._cancelled:
                    return

    def _is_at_the_end(self) -> bool:
        self._take_what_came()
        return self._finishing and not self._waiting

    async def _send_message(self, audio: bytes, *, index: int, seconds: float, cost: int) -> None:
        """An event, then its binary message; bills the sentence with its first one."""
        await self._pace(seconds)
        self._take_what_came()
        if self._cancelled:
            return
        self._billed += cost
        await self._result({"type": "sentence-synthesis", "sentence": {"index": index, "words": []}})
        await self._conversation.send_audio(audio, characters=cost, voice_id=self._voice.voice_id)
        if not self._audio_sent:
            self._audio_sent = True
            await self._break(at="after")

    async def _pace(self, seconds: float) -> None:
        now = time.monotonic()
        pause = self._next_audio_at - now
        if self._is("drip") and self._fault is not None:
            pause = max(pause, self._fault.seconds)
        if pause > 0:
            await self._hang(pause)
        if self._conversation.gone.is_set():
            raise Gone
        if self._options.speed:
            self._next_audio_at = max(self._next_audio_at, now) + seconds / self._options.speed

    def _words(self, spoken: Spoken, text: str) -> list[dict[str, Any]]:
        if not self._order.word_timestamps:
            return []
        return [
            {
                "text": text[word.start : word.end],
                "begin_index": word.start,
                "end_index": word.end,
                "begin_time": self._spoken_ms + word.begin_ms,
                "end_time": self._spoken_ms + word.end_ms,
            }
            for word in spoken.words
        ]

    async def _finish(self, encoder: encoding.Encoder) -> bool:
        tail_cost = 0
        if not self._cancelled:
            self._check_that_something_was_said()
            if tail := self._rest_of(encoder):
                await self._send_message(tail, index=self._index - 1, seconds=0.0, cost=0)
            tail_cost = sentences.count(self._buffer)
            self._billed += tail_cost
        payload: dict[str, Any] = {"output": {"sentence": {"words": []}}, "usage": {"characters": self._billed}}
        attributes = {"request_uuid": str(uuid.uuid4())}
        finished = event("task-finished", task_id=self._answer_id, payload=payload, attributes=attributes)
        await self._send(finished, characters=tail_cost)
        return True

    def _check_that_something_was_said(self) -> None:
        if self._texts and not self._audio_sent:
            raise refusals.invalid("Please ensure input text is valid.")

    async def _result(self, output: dict[str, Any], *, usage: int | None = None) -> None:
        payload: dict[str, Any] = {"output": output}
        if usage is not None:
            payload["usage"] = {"characters": usage}
        half, self._half_due = self._half_due and self._audio_sent, self._half_due and not self._audio_sent
        await self._send(event("result-generated", task_id=self._answer_id, payload=payload), half=half)

    async def _send(self, frame: dict[str, Any], *, half: bool = False, characters: int = 0) -> None:
        fault = self._fault.how if self._fault else ""
        await self._conversation.send_event(frame, fault=fault, half=half, characters=characters)
