"""A provider that speaks to a clock: `python -m tests.benchmarks.upstream PORT`.

It speaks the duplex protocol of one of our providers: the first audio FIRST seconds after the last of the text, then a chunk every
EVERY seconds, CHUNKS in all. A text that begins with "tiny" gets one chunk at once. What it sends follows from the number in the
text, so that an answer that was mixed up with another one is found out.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import struct
import sys
from socket import IPPROTO_TCP, TCP_NODELAY
from typing import cast

FIRST, EVERY, CHUNKS, CHUNK_BYTES = 0.2, 0.04, 16, 3200
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def audio_of(text: str) -> bytes:
    """All that is sent for this text."""
    return b"".join(chunks_of(text))


def chunks_of(text: str) -> list[bytes]:
    found = re.search(r"\d+", text)
    number = int(found.group()) if found else 0
    count = 1 if text.startswith("tiny") else CHUNKS
    return [struct.pack("!II", number, place) * (CHUNK_BYTES // 8) for place in range(count)]


class Provider(asyncio.Protocol):
    def __init__(self) -> None:
        self._upgraded = False
        self._rest = b""
        self._task = ""
        self._text = ""
        self._speaking: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is none by name.
        self._transport = cast(asyncio.Transport, transport)
        # Else a chunk waits for the acknowledgement of the one before, which clients delay by 40 ms.
        self._transport.get_extra_info("socket").setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)

    def connection_lost(self, error: Exception | None) -> None:
        for task in self._speaking:
            task.cancel()

    def data_received(self, data: bytes) -> None:
        self._rest += data
        if not self._upgraded:
            head, end, self._rest = self._rest.partition(b"\r\n\r\n")
            if not end:
                self._rest = head
                return
            self._upgrade(head)
        while (frame := self._frame()) is not None:
            opcode, payload = frame
            if opcode == 1:
                self._told(json.loads(payload))
            elif opcode == 8:
                self._transport.close()
            elif opcode == 9:
                self._answer_ping(payload)

    def _upgrade(self, head: bytes) -> None:
        found = re.search(rb"(?i)sec-websocket-key: *(\S+)", head)
        assert found
        accept = base64.b64encode(hashlib.sha1(found[1] + _GUID).digest())  # noqa: S324 — RFC 6455
        lines = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self._transport.write(lines + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        self._upgraded = True

    def _frame(self) -> tuple[int, bytes] | None:
        data = self._rest
        if len(data) < 6:
            return None
        size, at = data[1] & 0x7F, 2
        if size == 126:
            size, at = struct.unpack_from("!H", data, 2)[0], 4
        elif size == 127:
            size, at = struct.unpack_from("!Q", data, 2)[0], 10
        if len(data) < at + 4 + size:
            return None
        mask = data[at : at + 4] * (size // 4 + 1)
        masked = data[at + 4 : at + 4 + size]
        self._rest = data[at + 4 + size :]
        unmasked = int.from_bytes(masked, "big") ^ int.from_bytes(mask[:size], "big")
        return data[0] & 0x0F, unmasked.to_bytes(size, "big")

    def _told(self, message: dict[str, dict[str, object]]) -> None:
        header, payload = message["header"], message["payload"]
        action = header["action"]
        if action == "run-task":
            self._task, self._text = str(header["task_id"]), ""
            self._event("task-started")
        elif action == "continue-task":
            given = payload["input"]
            assert isinstance(given, dict)
            self._text += given["text"]
        elif action == "finish-task":
            task = asyncio.get_running_loop().create_task(self._speak(self._text))
            self._speaking.add(task)
            task.add_done_callback(self._speaking.discard)

    async def _speak(self, text: str) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + (0 if text.startswith("tiny") else FIRST)
        for chunk in chunks_of(text):
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            self._send(2, chunk)
            due += EVERY
        self._finish(text)

    def _finish(self, text: str) -> None:
        self._event("task-finished", {"output": {}, "usage": {"characters": len(text)}})

    def _answer_ping(self, payload: bytes) -> None:
        self._send(10, payload)

    def _event(self, event: str, payload: dict[str, object] | None = None) -> None:
        header = {"task_id": self._task, "event": event, "attributes": {"request_uuid": f"r-{self._task[:20]}"}}
        self._send(1, json.dumps({"header": header, "payload": payload or {"output": {}}}).encode())

    def _send(self, opcode: int, payload: bytes) -> None:
        head = bytes([0x80 | opcode])
        size = len(payload)
        head += bytes([size]) if size < 126 else struct.pack("!BH", 126, size)
        self._transport.write(head + payload)


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve(int(sys.argv[1])))
