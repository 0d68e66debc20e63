"""Those who listen, any number of them at once: each over a connection of their own, on the loop that the test runs."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from typing import Self

PATIENCE = 30.0


class BrokenOff(Exception):
    """The transfer ended before its end, or never began."""


@dataclass
class Listener:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    status: int = 0
    heard: bytes = b""

    @classmethod
    async def ask(cls, port: int, body: object, *, token: str, path: str) -> Self:
        """What is asked is on its way."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        content = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nAccept-Language: en\r\n"
        writer.write(
            f"{head}Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content
        )
        return cls(reader, writer)

    async def first_audio(self) -> None:
        """The 200, and the first piece behind it. Raises BrokenOff; a refusal's `status` is kept and its body is `heard`."""
        try:
            async with asyncio.timeout(PATIENCE):
                head = await self.reader.readuntil(b"\r\n\r\n")
                self.status = int(head.split()[1])
                if self.status == 200:
                    self.heard += await self._piece()
                    return
                length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
                self.heard = await self.reader.readexactly(int(length.partition(b":")[2]))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise BrokenOff from error

    async def more(self, *, until: int) -> bytes:
        """All that was heard when it is so many bytes, or has ended. Raises BrokenOff."""
        try:
            async with asyncio.timeout(PATIENCE):
                while len(self.heard) < until and (piece := await self._piece()):
                    self.heard += piece
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise BrokenOff from error
        return self.heard

    async def the_rest(self) -> bytes:
        """All that was heard when it has ended. Raises BrokenOff."""
        await self.more(until=sys.maxsize)
        return self.heard

    async def _piece(self) -> bytes:
        size = int(await self.reader.readuntil(b"\r\n"), 16)
        piece = await self.reader.readexactly(size + 2)
        return piece[:-2]

    def leave(self) -> None:
        self.writer.transport.abort()
