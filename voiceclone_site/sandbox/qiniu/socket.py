"""One socket of the speech service: what is said on it in both directions, into the ledger; and the ways in which it breaks."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from types import TracebackType
from typing import Any, NoReturn, Self

from aiohttp import WSMsgType, web

from .. import wire
from ..faults import At, Fault
from ..state import State
from .samples import PROVIDER

TASK = "qiniu:tts"


class Gone(Exception):
    """The connection is over, by whoever's doing."""


class Socket:
    """Inside `with`, Gone ends the conversation quietly."""

    def __init__(
        self, request: web.Request, answer: web.WebSocketResponse, *, state: State, account: str, fault: Fault | None
    ) -> None:
        self.state = state
        self._request = request
        self._answer = answer
        self._account = account
        self._fault = fault
        self._request_id = uuid.uuid4().hex
        self._sent = 0
        self._over = False
        self._inbox: asyncio.Queue[Any] = asyncio.Queue()
        self._gone = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._reader = asyncio.get_running_loop().create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        if not self._over:
            self._write(operation="disconnect")
        return isinstance(error, Gone)

    async def receive(self, seconds: float) -> Any:
        """The first message, as JSON, from a text frame or a binary one; None when it is none. Raises Gone after `seconds`."""
        get, leave = asyncio.ensure_future(self._inbox.get()), asyncio.ensure_future(self._gone.wait())
        try:
            done, _ = await asyncio.wait({get, leave}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if get in done:
                self._write(body=get.result())
                return get.result()
            raise Gone
        finally:
            get.cancel()
            leave.cancel()

    async def pause(self, seconds: float) -> None:
        """Let time pass. Raises Gone when the client leaves meanwhile."""
        leave = asyncio.ensure_future(self._gone.wait())
        await asyncio.wait({leave}, timeout=max(seconds, 0))
        leave.cancel()
        if self._gone.is_set():
            raise Gone

    async def send(self, sound: bytes, *, characters: int = 0, is_last: bool = False, duration: str = "0") -> None:
        self._sent += 1
        how = self._fault.how if self._fault else ""
        frame: dict[str, Any] = {
            "reqid": self._request_id,
            "operation": "query",
            "sequence": -self._sent if is_last else self._sent,
            "data": "%%%" if how == "bad_base64" else base64.b64encode(sound).decode(),
            "addition": {"duration": duration},
        }
        if how == "no_sid":
            del frame["reqid"]
        if how == "extra_fields":
            frame |= {"trace": {"node": 7}}
        self._write(direction="out", body={**frame, "data": len(sound)}, characters=characters)
        text = json.dumps(frame)
        if how == "half_json" and (self._fault is None or self._fault.at != "after" or self._sent > 1):
            text = text[: len(text) // 2]
        await self._say(text)
        if self._sent == 1:
            await self.breaks(at="after")

    async def breaks(self, *, at: At) -> None:
        """What the fault says, if its time is now."""
        fault = self._fault
        if fault is None or fault.at != at:
            return
        match fault.how:
            case "delay":
                await self.pause(fault.seconds)
            case "error":
                await self.refuse(fault.message, code=fault.code)
            case "close":
                await self.close()
                raise Gone
            case "drop" | "reset":
                self._over = True
                (wire.reset if fault.how == "reset" else wire.drop)(self._request)
                raise Gone
            case "stall":
                await self._gone.wait()
                raise Gone

    async def refuse(self, message: str, *, code: str = "") -> NoReturn:
        """The form of an error frame is not published; this is one that such services use."""
        error = {"reqid": self._request_id, "error": {"message": message, **({"code": code} if code else {})}}
        self._write(direction="out", body=error)
        await self._say(json.dumps(error, ensure_ascii=False))
        await self.close()
        raise Gone

    async def close(self) -> None:
        self._over = True
        await self._answer.close(code=1000)

    def _write(self, *, operation: str = TASK, **fields: Any) -> None:
        how = self._fault.how if self._fault else ""
        self.state.ledger.write(provider=PROVIDER, account=self._account, operation=operation, fault=how, **fields)

    async def _say(self, text: str) -> None:
        try:
            await self._answer.send_str(text)
        except ConnectionError as error:
            self._gone.set()
            raise Gone from error
        if self._gone.is_set():
            raise Gone

    async def _read(self) -> None:
        try:
            async for message in self._answer:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    self._inbox.put_nowait(_parsed(message.data))
        finally:
            self._gone.set()


def _parsed(data: str | bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None
