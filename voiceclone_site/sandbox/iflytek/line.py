"""One socket: what is said on it in both directions, into the ledger; and the ways in which it breaks."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import time
from collections.abc import Awaitable
from typing import Any

from aiohttp import WSMsgType, web

from .. import wire
from ..faults import Fault
from ..state import State
from .exchange import PROVIDER
from .refusals import SynthesisRefusal

_counter = itertools.count(os.getpid())
_LONGEST_REASON = 123
_CLOSE_AFTER = 0.005
# In Base64 more than the 16 MiB that a client has to allow.
_HUGE = 13 * 1024 * 1024
SUCCESS = "success"


def session_id(tag: str) -> str:
    """32 characters, as the vendor's gateway makes them."""
    process, count = os.getpid() & 0xFFFF, next(_counter) & 0xFFFF
    return f"{tag}{process:04x}{count:04x}@dx{int(time.time() * 1000):011x}7f00882"[:32].ljust(32, "2")


class Gone(Exception):
    """The connection is over, by whoever's doing."""


class Line:
    def __init__(
        self,
        request: web.Request,
        socket: web.WebSocketResponse,
        *,
        state: State,
        account: str,
        operation: str,
        sid: str,
    ) -> None:
        self.request = request
        self.state = state
        self.account = account
        self.operation = operation
        self.sid = sid
        self.fault: Fault | None = None
        self._was_huge = False
        self._socket = socket
        self._inbox: asyncio.Queue[str] = asyncio.Queue()
        self._gone = asyncio.Event()

    async def read(self) -> None:
        """Fill the inbox until the client leaves."""
        try:
            async for message in self._socket:
                if message.type is WSMsgType.TEXT:
                    self._inbox.put_nowait(message.data)
                elif message.type is WSMsgType.BINARY:
                    self._inbox.put_nowait("")
        finally:
            self._gone.set()

    async def receive(self, seconds: float) -> str | None:
        """The next message, or None after `seconds` of silence. Raises Gone when the client has left."""
        get, leave = asyncio.ensure_future(self._inbox.get()), asyncio.ensure_future(self._gone.wait())
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

    async def pause(self, seconds: float) -> None:
        """Let time pass. Raises Gone when the client leaves meanwhile."""
        if seconds > 0:
            leave = asyncio.ensure_future(self._gone.wait())
            await asyncio.wait({leave}, timeout=seconds)
            leave.cancel()
        if self._gone.is_set():
            raise Gone

    async def hang(self) -> None:
        """Say nothing more until the client leaves."""
        await self._gone.wait()
        raise Gone

    def write(self, **fields: Any) -> None:
        fault = self.fault.how if self.fault else ""
        self.state.ledger.write(
            provider=PROVIDER, account=self.account, operation=self.operation, fault=fault, **fields
        )

    async def send(
        self, status: int, payload: dict[str, Any] | None = None, *, characters: int = 0, voice_id: str = ""
    ) -> None:
        frame: dict[str, Any] = {
            "header": {"code": 0, "message": SUCCESS, "sid": self.sid, "status": status},
            **({"payload": payload} if payload else {}),
        }
        how = self.fault.how if self.fault else ""
        if how == "no_sid":
            del frame["header"]["sid"]
        if how == "extra_fields":
            frame = {**frame, "trace": {"node": 7}, "header": {**frame["header"], "cid": "x"}}
        if how == "bad_base64" and payload:
            frame["payload"]["audio"]["audio"] = "%%%"
        if how == "huge" and payload and not self._was_huge:
            self._was_huge = True
            frame["payload"]["audio"]["audio"] = base64.b64encode(bytes(_HUGE)).decode()
        self.write(direction="out", body=_summary(frame), characters=characters, voice_id=voice_id)
        text = json.dumps(frame, ensure_ascii=False)
        await self._send(text[: len(text) // 2] if how == "half_json" and payload else text)

    async def refuse(self, refusal: SynthesisRefusal) -> None:
        """An error frame; after one of the gateway's the connection ends, and Gone is raised."""
        error: dict[str, Any] = {"code": refusal.code, "message": refusal.message, "sid": self.sid}
        flat = self.fault is not None and self.fault.how == "flat_error"
        frame = error if flat else {"header": {**error, "status": 0}}
        self.write(direction="out", body=frame)
        await self._send(json.dumps(frame, ensure_ascii=False))
        if refusal.closes:
            await asyncio.sleep(_CLOSE_AFTER)
            await self.close(refusal.message)

    async def close(self, reason: str) -> None:
        """Close with 1000, whatever the reason, as the gateway does. Raises Gone."""
        cut = reason.encode()[:_LONGEST_REASON].decode(errors="ignore").encode()
        self.write(direction="out", body={"close": 1000, "reason": cut.decode()})
        await self._socket.close(code=1000, message=cut)
        raise Gone

    def cut(self, *, reset: bool) -> None:
        (wire.reset if reset else wire.drop)(self.request)
        raise Gone

    async def _send(self, text: str) -> None:
        sending: Awaitable[None] = self._socket.send_str(text)
        try:
            await sending
        except ConnectionError as error:
            self._gone.set()
            raise Gone from error


def _summary(frame: dict[str, Any]) -> dict[str, Any]:
    """A frame for the ledger: the audio as its number of bytes."""
    payload = frame.get("payload")
    if not payload:
        return frame
    audio = payload["audio"]
    return {**frame, "payload": {**payload, "audio": {**audio, "audio": len(audio["audio"]) * 3 // 4}}}
