"""A server that plays a script, for what no honest sandbox does to a client: half answers, resets, silence."""

from __future__ import annotations

import base64
import hashlib
import json
import select
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
PATIENCE = 10.0


@dataclass(frozen=True)
class HttpRequest:
    line: str
    headers: dict[str, str]
    body: bytes


class Peer:
    """One connection, seen from the server. `number` counts connections from 0."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.number = number
        self._sock = sock
        self._sock.settimeout(PATIENCE)
        self._file = sock.makefile("rb")

    # --- HTTP ---

    def read_request(self) -> HttpRequest:
        line = self._file.readline().decode().strip()
        if not line:
            raise ConnectionResetError
        headers: dict[str, str] = {}
        while raw := self._file.readline().decode().strip():
            name, _, value = raw.partition(":")
            headers[name.lower()] = value.strip()
        body = self._file.read(int(headers.get("content-length", 0)))
        return HttpRequest(line=line, headers=headers, body=body)

    def answer(self, status: int, body: bytes | str, *, headers: dict[str, str] | None = None) -> None:
        content = body.encode() if isinstance(body, str) else body
        lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(content)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + content)

    # --- WebSocket ---

    def handshake(self, *, headers: str = "") -> HttpRequest:
        request = self.read_request()
        self.upgrade(request, headers=headers)
        return request

    def upgrade(self, request: HttpRequest, *, headers: str = "") -> None:
        accept = base64.b64encode(hashlib.sha1(request.headers["sec-websocket-key"].encode() + _GUID).digest())  # noqa: S324
        self.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + headers.encode()
            + b"Sec-WebSocket-Accept: "
            + accept
            + b"\r\n\r\n"
        )

    def read_frame(self) -> tuple[int, bytes]:
        first, second = self._exactly(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self._exactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._exactly(8))
        mask = self._exactly(4)
        payload = bytes(byte ^ mask[index % 4] for index, byte in enumerate(self._exactly(length)))
        return first & 0x0F, payload

    def read_text(self) -> str:
        opcode, payload = self.read_frame()
        assert opcode == TEXT, f"opcode {opcode}"
        return payload.decode()

    def send_frame(self, opcode: int, payload: bytes, *, final: bool = True) -> None:
        head = bytes([(0x80 if final else 0) | opcode])
        size = len(payload)
        if size < 126:
            head += bytes([size])
        elif size < 65536:
            head += struct.pack("!BH", 126, size)
        else:
            head += struct.pack("!BQ", 127, size)
        self.send(head + payload)

    def send_text(self, said: object) -> None:
        self.send_frame(TEXT, (said if isinstance(said, str) else json.dumps(said)).encode())

    def send_binary(self, payload: bytes) -> None:
        self.send_frame(BINARY, payload)

    def send_close(self, code: int = 1000) -> None:
        self.send_frame(CLOSE, struct.pack("!H", code))

    # --- TCP ---

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def reset(self) -> None:
        """RST instead of FIN."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self._file.close()
        self._sock.close()

    def hang_up(self) -> None:
        """Wake whoever reads from this connection."""
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def wait_until_left(self) -> bytes:
        """Whatever else the client sends until it closes."""
        return b"" if self._file.closed else self._file.read()

    def left_within(self, seconds: float) -> bool:
        """Whether the client closes, or says anything more, within so long."""
        return bool(select.select([self._sock], [], [], seconds)[0])

    def _exactly(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise ConnectionResetError
        return data


class Loopback:
    """Every connection runs `script` in a thread of its own; what a script raises is raised again on leaving."""

    def __init__(self, script: Callable[[Peer], None]) -> None:
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._peers: list[Peer] = []
        self._errors: list[BaseException] = []
        self.port: int = self._listener.getsockname()[1]

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        return len(self._peers)

    def __enter__(self) -> Self:
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(PATIENCE)
        for peer in self._peers:
            peer.hang_up()
        for thread in self._threads:
            thread.join(PATIENCE)
        for peer in self._peers:
            peer.close()
        if self._errors and error is None:
            raise self._errors[0]

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            peer = Peer(sock, len(self._peers))
            self._peers.append(peer)
            thread = threading.Thread(target=self._run, args=(peer,))
            self._threads.append(thread)
            thread.start()

    def _run(self, peer: Peer) -> None:
        try:
            self._script(peer)
        except OSError:
            return
        except BaseException as error:
            self._errors.append(error)
        finally:
            peer.hang_up()


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
