"""Who asks for speech in the benchmark: the portal's client, a raw client straight to the provider, and the provider's own SDK.

Each call returns a `Heard`: the seconds to the first audio, and whether all of it was what the provider sent, to the byte.
"""

# The SDK has no annotations worth the name.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import base64
import json
import os
import struct
import threading
import time
from dataclasses import dataclass
from typing import Any, cast

import dashscope
from dashscope.audio.tts_v2 import AudioFormat, ResultCallback, SpeechSynthesizer, SpeechSynthesizerObjectPool

from tests.benchmarks.upstream import audio_of

MODEL, VOICE = "cosyvoice-v3-flash", "cosyvoice-v3-flash-bench-0"


@dataclass(frozen=True, slots=True)
class Heard:
    first: float
    whole: bool
    error: str = ""


class PortalClient(asyncio.Protocol):
    """One kept-alive connection to the portal; one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._got = bytearray()
        self._first = 0.0
        self._done: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is none by name.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        got = self._got
        got += data
        if not self._first:
            head = got.find(b"\r\n\r\n")
            if head >= 0 and len(got) > head + 16:
                self._first = time.perf_counter()
        chunked_end = got.endswith(b"0\r\n\r\n") and b"chunked" in got[:600]
        refused = got.startswith(b"HTTP/1.1 ") and got[9:12] != b"200" and 0 <= got.find(b"\r\n\r\n") < len(got) - 4
        if (chunked_end or refused) and self._done is not None and not self._done.done():
            self._done.set_result(None)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self._done is not None and not self._done.done():
            self._done.set_result(None)

    async def speak(self, text: str, *, token: str, voice: str, path: str) -> Heard:
        assert self._transport is not None
        body = json.dumps({"voice": voice, "text": text, "format": "pcm"}).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._got.clear()
        self._first = 0.0
        self._done = asyncio.get_running_loop().create_future()
        began = time.perf_counter()
        self._transport.write(head.encode() + body)
        await self._done
        headers, _, rest = bytes(self._got).partition(b"\r\n\r\n")
        if not headers.startswith(b"HTTP/1.1 200"):
            return Heard(0.0, False, (headers[:60] + rest[:200]).decode(errors="replace"))
        audio = _joined(rest)
        return Heard(self._first - began, audio == audio_of(text), "" if self._transport else "the connection was lost")


def _joined(chunked: bytes) -> bytes:
    parts, at = [], 0
    while at < len(chunked):
        end = chunked.find(b"\r\n", at)
        size = int(chunked[at:end] or b"0", 16) if end > 0 else 0
        parts.append(chunked[end + 2 : end + 2 + size])
        at = end + 4 + size
    return b"".join(parts)


class RawClient(asyncio.Protocol):
    """One kept WebSocket straight to the provider, with nothing between the bytes and the clock."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._upgraded: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._first = 0.0
        self._audio: list[bytes] = []
        self._started: asyncio.Future[None] | None = None
        self._done: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is none by name.
        self._transport = cast(asyncio.Transport, transport)
        key = base64.b64encode(os.urandom(16)).decode()
        self._transport.write(
            f"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self._rest += data
        if not self._upgraded.done():
            _head, end, rest = self._rest.partition(b"\r\n\r\n")
            if not end:
                return
            self._rest = rest
            self._upgraded.set_result(None)
        while len(self._rest) >= 4:
            size, at = self._rest[1], 2
            if size == 126:
                size, at = struct.unpack_from("!H", self._rest, 2)[0], 4
            if len(self._rest) < at + size:
                return
            opcode, payload = self._rest[0] & 0x0F, self._rest[at : at + size]
            self._rest = self._rest[at + size :]
            if opcode == 2:
                self.heard(payload)
            else:
                self.told(payload)

    def heard(self, piece: bytes) -> None:
        self._first = self._first or time.perf_counter()
        self._audio.append(piece)

    def told(self, event: bytes) -> None:
        if b"task-started" in event and self._started is not None:
            self._started.set_result(None)
        elif b"task-finished" in event and self._done is not None:
            self._done.set_result(None)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    async def ready(self) -> None:
        await self._upgraded

    async def speak(self, text: str) -> Heard:
        loop = asyncio.get_running_loop()
        self._first, self._audio = 0.0, []
        self._started, self._done = loop.create_future(), loop.create_future()
        began = time.perf_counter()
        self._say("run-task", {})
        await self._started
        self._say("continue-task", {"text": text})
        self._say("finish-task", {})
        await self._done
        return Heard(self._first - began, b"".join(self._audio) == audio_of(text))

    def _say(self, action: str, given: dict[str, str]) -> None:
        assert self._transport is not None
        frame = json.dumps({"header": {"action": action, "task_id": "t" * 32}, "payload": {"input": given}}).encode()
        head = bytes([0x81, 0x80 | len(frame)]) if len(frame) < 126 else struct.pack("!BBH", 0x81, 0xFE, len(frame))
        self._transport.write(head + bytes(4) + frame)


class _Listener(ResultCallback):
    def __init__(self) -> None:
        self.first = 0.0
        self.audio = b""
        self.ended = threading.Event()

    def on_data(self, data: bytes) -> None:
        self.first = self.first or time.perf_counter()
        self.audio += data

    def on_complete(self) -> None:
        self.ended.set()

    def on_error(self, message: Any) -> None:
        self.ended.set()


def point_the_sdk_at(address: str) -> None:
    dashscope.api_key = "sk-bench"
    dashscope.base_websocket_api_url = address


def sdk_pool(size: int) -> Any:
    return SpeechSynthesizerObjectPool(max_size=size)


def speak_by_sdk(text: str, *, pool: Any = None) -> Heard:
    """With a connection of its own, or one from the SDK's pool."""
    listener = _Listener()
    manner: dict[str, Any] = {"model": MODEL, "voice": VOICE, "format": AudioFormat.PCM_24000HZ_MONO_16BIT}
    began = time.perf_counter()
    if pool is None:
        synthesizer = SpeechSynthesizer(callback=listener, **manner)
    else:
        synthesizer = pool.borrow_synthesizer(callback=listener, **manner)
    synthesizer.streaming_call(text)
    synthesizer.streaming_complete()
    listener.ended.wait(30)
    if pool is not None:
        pool.return_synthesizer(synthesizer)
    else:
        synthesizer.close()
    return Heard(listener.first - began, listener.audio == audio_of(text))
