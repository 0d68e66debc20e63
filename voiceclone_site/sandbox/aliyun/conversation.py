"""One socket, and what is said on it, in both directions, into the ledger."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import WSMsgType, web

from ..state import State

PROVIDER = "aliyun"


class Gone(Exception):
    """The client has left, or was made to."""


class Conversation:
    """One socket. A reader fills the inbox, so that frames that arrive back to back, or mid-audio, are not lost."""

    def __init__(self, request: web.Request, socket: web.WebSocketResponse, *, state: State, account: str) -> None:
        self.request = request
        self.state = state
        self.account = account
        self.inbox: asyncio.Queue[str] = asyncio.Queue()
        self.gone = asyncio.Event()
        self._socket = socket

    async def run(self, one_task: Callable[[Conversation, str], Awaitable[bool]]) -> None:
        """Give every opening frame to `one_task` until it says that the connection is not to be used again."""
        reader = asyncio.get_running_loop().create_task(self._read())
        try:
            reusable = True
            while reusable:
                text = await self.receive(self.state.options.between_tasks_seconds)
                reusable = text is not None and await one_task(self, text)
            await self._socket.close(code=1000)
        except Gone:
            pass
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def receive(self, seconds: float) -> str | None:
        """The next text frame, or None after `seconds` of silence. Raises Gone when the client has left."""
        get = asyncio.ensure_future(self.inbox.get())
        leave = asyncio.ensure_future(self.gone.wait())
        try:
            done, _ = await asyncio.wait({get, leave}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if get in done:
                return get.result()
            if leave in done:
                raise Gone
            return None
        finally:
            get.cancel()
            leave.cancel()

    async def send_event(
        self, event: dict[str, Any], *, fault: str = "", half: bool = False, characters: int = 0
    ) -> None:
        text = json.dumps(event, ensure_ascii=False)
        self.write(event["header"]["event"], direction="out", body=event, fault=fault, characters=characters)
        await self._send(self._socket.send_str(text[: len(text) // 2] if half else text))

    async def send_audio(self, audio: bytes, *, characters: int, voice_id: str) -> None:
        self.write("audio", direction="out", body=len(audio), characters=characters, voice_id=voice_id)
        await self._send(self._socket.send_bytes(audio))

    def write(self, operation: str, **fields: Any) -> None:
        self.state.ledger.write(provider=PROVIDER, account=self.account, operation=operation, **fields)

    async def close(self) -> None:
        await self._socket.close(code=1000)

    async def _send(self, sending: Awaitable[None]) -> None:
        try:
            await sending
        except ConnectionError as error:
            self.gone.set()
            raise Gone from error

    async def _read(self) -> None:
        try:
            async for message in self._socket:
                if message.type is WSMsgType.TEXT:
                    self.inbox.put_nowait(message.data)
                elif message.type is WSMsgType.BINARY:
                    self.inbox.put_nowait("")
        finally:
            self.gone.set()
