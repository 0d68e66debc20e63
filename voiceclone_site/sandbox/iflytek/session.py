"""One synthesis on one connection: text comes in one message or many, audio goes out sentence by sentence."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from aiohttp import web
from numpy.typing import NDArray

from ..faults import At
from ..iflytek_options import IflytekAccount
from ..options import Options
from ..speech import speaking
from ..state import STATE, State
from . import marks, orders, pybuf, refusals, wording
from .breaking import break_line
from .emitter import Emitter
from .handshake import shake
from .line import Gone, Line, session_id
from .orders import Order
from .refusals import SynthesisRefusal
from .schema import Object, violations

_LARGEST_MESSAGE = 4 * 1024 * 1024
_CLOSE_SECONDS = 1.0
_STARTS_AT_CHARACTERS = 11
_LEAD_SECONDS = 0.02
_STEP_SECONDS = 0.1
_DAY = 86400


class Crowd:
    """Syntheses under way, by account."""

    def __init__(self) -> None:
        self.speaking: Counter[str] = Counter()


CROWD = web.AppKey("iflytek_crowd", Crowd)


@dataclass(frozen=True)
class Service:
    operation: str
    """As faults and the ledger call it."""
    tag: str
    """First letters of its session ids."""
    schema: Callable[[Options], Object]
    order: Callable[[State, IflytekAccount, dict[str, Any]], Order]
    """Reads a message that fits the schema. Raises SynthesisRefusal."""


async def serve(request: web.Request, service: Service) -> web.StreamResponse:
    """GET of a service's path: handshake, then one session."""
    account = await shake(request)
    if isinstance(account, web.Response):
        return account
    state = request.app[STATE]
    socket = web.WebSocketResponse(compress=False, max_msg_size=_LARGEST_MESSAGE, timeout=_CLOSE_SECONDS)
    await socket.prepare(request)
    sid = session_id(service.tag)
    line = Line(request, socket, state=state, account=account.name, operation=service.operation, sid=sid)
    reader = asyncio.get_running_loop().create_task(line.read())
    session = _Session(line, service, account=account, crowd=request.app[CROWD])
    try:
        await session.run()
    except Gone:
        pass
    finally:
        session.leave()
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
    return socket


class _Session:
    def __init__(self, line: Line, service: Service, *, account: IflytekAccount, crowd: Crowd) -> None:
        self._line = line
        self._service = service
        self._account = account
        self._crowd = crowd
        self._counted = False
        self._began = time.monotonic()
        self._order: Order | None = None
        self._emitter: Emitter | None = None
        self._buffer = ""
        self._bytes = 0
        self._characters = 0
        self._ended = False
        self._over = False
        self._spoke = False
        self._clock = pybuf.Clock()
        self._samples = 0
        self._next_audio_at = 0.0

    @property
    def _options(self) -> Options:
        return self._line.state.options

    async def run(self) -> None:
        """Raises Gone when the connection is over."""
        while True:
            options = self._options.iflytek
            unfinished = self._order is not None and not self._over
            text = await self._line.receive(options.no_data_seconds if unfinished else options.idle_seconds)
            try:
                if text is not None:
                    await self._take(text)
                elif unfinished:
                    within = round(options.no_data_seconds * 1000)
                    raise refusals.engine(26005, f"No active up data within {within}ms, task failed")
                else:
                    await self._line.close("time out")
            except SynthesisRefusal as refusal:
                self._over = True
                self.leave()
                await self._line.refuse(refusal)

    def leave(self) -> None:
        if self._counted:
            self._counted = False
            self._crowd.speaking[self._account.name] -= 1

    async def _take(self, text: str) -> None:
        """The gateway's order: length of the session, JSON, Base64, application, schema; then the engine."""
        message = _parsed(text)
        self._line.write(body=message)
        if time.monotonic() - self._began > self._options.iflytek.session_seconds:
            raise refusals.gateway(10114, "session timeout")
        if not isinstance(message, dict):
            code = self._options.iflytek.json_code
            raise refusals.gateway(code, "parse request json error")
        data = orders.text_bytes(message, options=self._options)
        self._check_application(message)
        if wrong := list(violations(message, self._service.schema(self._options))):
            raise refusals.invalid_parameters(wrong)
        given = message["payload"]["text"]
        if message["header"]["status"] != given["status"]:
            allowed = message["header"]["status"]
            raise refusals.invalid_parameters([f"'$.payload.text.status' must be one of [{allowed}]; "])
        if not data and (given["status"] != 2 or self._order is None):
            raise refusals.invalid_parameters(["'$.payload.text.text' length must be larger or equal than 1; "])
        await self._accept(message, data)

    def _check_application(self, message: dict[str, Any]) -> None:
        header = message.get("header")
        app_id = header.get("app_id") if isinstance(header, dict) else None
        if app_id in (None, ""):
            raise refusals.gateway(10313, "app_id cannot be empty")
        if app_id != self._account.app_id:
            raise refusals.gateway(10313, "app_id and api_key does not match")

    async def _accept(self, message: dict[str, Any], data: bytes) -> None:
        if self._over:
            raise refusals.engine(26016, "intput channel is closed")
        if self._order is None:
            await self._begin(message)
        self._bytes += len(data)
        if self._bytes > orders.MOST_BYTES:
            raise refusals.gateway(10222, "context deadline exceeded")
        given = message["payload"]["text"]
        text = orders.plain(data, given)
        self._characters += len(text)
        self._buffer += text
        self._ended = given["status"] == 2
        if self._ended or self._characters >= _STARTS_AT_CHARACTERS:
            await self._speak_what_is_ready()

    async def _begin(self, message: dict[str, Any]) -> None:
        line, state = self._line, self._line.state
        line.fault = state.faults.strike(operation=self._service.operation, account=self._account.name)
        await self._break(at="start")
        order = self._service.order(state, self._account, message)
        self._check_licence()
        self._emitter = Emitter(line, order, frames=self._options.iflytek.frames)
        self._order = order
        self._crowd.speaking[self._account.name] += 1
        self._counted = True
        if self._options.iflytek.frames == "live":
            await line.send(0)

    def _check_licence(self) -> None:
        state, options, name = self._line.state, self._options.iflytek, self._account.name
        if options.characters and state.ledger.characters(name) >= options.characters:
            raise refusals.unlicensed()
        today = time.time() - _DAY
        calls = state.connection.execute(
            "SELECT COUNT(*) FROM iflytek_calls WHERE account = ? AND at > ?", (name, today)
        ).fetchone()[0]
        if options.daily_calls and calls >= options.daily_calls:
            raise refusals.gateway(11201, "auth no enough license")
        if options.concurrent and self._crowd.speaking[name] >= options.concurrent:
            raise refusals.gateway(10010, "service license not enough")
        state.connection.execute("INSERT INTO iflytek_calls VALUES (?, ?)", (name, time.time()))

    async def _speak_what_is_ready(self) -> None:
        assert self._order is not None
        assert self._emitter is not None
        sentences: list[str] = []
        if self._order.split:
            sentences, self._buffer = wording.split(self._buffer)
        if self._ended and self._buffer:
            sentences.append(self._buffer)
            self._buffer = ""
        for sentence in sentences:
            await self._speak(sentence, self._order, self._emitter)
        if self._ended:
            await self._finish(self._order, self._emitter)

    async def _speak(self, sentence: str, order: Order, emitter: Emitter) -> None:
        if not self._spoke and self._samples == 0:
            await self._open(order, emitter)
        emitter.charge(len(sentence), done=len(sentence.encode()))
        parts = wording.parts(sentence, letters=order.letters, digits=order.digits)
        if order.filler and not self._spoke and parts:
            parts.insert(0, wording.Part(order.filler))
        for part in parts:
            if not part.text:
                await self._hush(part.silence, order, emitter)
                continue
            job = partial(speaking.speak, part.text, voice=order.voice, manner=order.manner)
            spoken = await self._line.state.studio.work(job)
            if not len(spoken.samples):
                continue
            self._spoke = True
            if order.phonemes:
                job_track = partial(pybuf.annotate, spoken, self._clock, punctuation=order.phonemes == 3)
                emitter.note(await self._line.state.studio.work(job_track))
            await self._put(spoken.samples, order, emitter)

    async def _open(self, order: Order, emitter: Emitter) -> None:
        await self._line.pause(self._options.first_audio_seconds)
        await self._break(at="before")
        self._next_audio_at = time.monotonic()
        await self._hush(_LEAD_SECONDS, order, emitter)
        if order.mark == 1:
            await self._sound_mark(order, emitter)

    async def _hush(self, seconds: float, order: Order, emitter: Emitter) -> None:
        if order.phonemes:
            emitter.note(pybuf.silence(self._clock, seconds=seconds))
        await self._put(np.zeros(round(seconds * speaking.RATE), dtype=np.float32), order, emitter)

    async def _sound_mark(self, order: Order, emitter: Emitter) -> None:
        if order.phonemes:
            emitter.note(pybuf.silence(self._clock, seconds=marks.MARK_SECONDS))
        await self._put(marks.audible(), order, emitter)

    async def _put(self, samples: NDArray[np.float32], order: Order, emitter: Emitter) -> None:
        """Send in small steps, at the pace that is set."""
        step = int(_STEP_SECONDS * speaking.RATE)
        for at in range(0, len(samples), step):
            piece = samples[at : at + step]
            if order.background:
                piece = piece + marks.background(order.background, start=self._samples, count=len(piece))
            self._samples += len(piece)
            await self._line.pause(self._next_audio_at - time.monotonic())
            await emitter.add(piece)
            if self._options.speed:
                self._next_audio_at += len(piece) / speaking.RATE / self._options.speed

    async def _finish(self, order: Order, emitter: Emitter) -> None:
        self._over = True
        self.leave()
        if not self._spoke:
            raise refusals.engine(10009, "input invalid data")
        if order.mark == 2:
            await self._sound_mark(order, emitter)
        await self._hush(_LEAD_SECONDS, order, emitter)
        await emitter.finish()

    async def _break(self, *, at: At) -> None:
        fault = self._line.fault
        if fault and fault.at == at:
            await break_line(self._line)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
