"""Somebody's program on loopback that is told by webhook: it keeps what it got, and answers as it is told to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pytest_django import Settings
from standardwebhooks import Webhook


@dataclass(frozen=True)
class Message:
    headers: dict[str, str]
    body: str

    def verified(self, secret: str) -> Any:
        """What it says, once the independent library has found its signature right. Raises WebhookVerificationError."""
        return Webhook(secret).verify(self.body, self.headers)


@dataclass
class Receiver:
    url: str
    status: int = 204
    location: str = ""
    got: list[Message] = field(default_factory=list)


@contextmanager
def receiving() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            told.got.append(Message({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(told.status)
            if told.location:
                self.send_header("Location", told.location)
            if told.status != 204:
                self.send_header("Content-Length", "5")
            self.end_headers()
            if told.status != 204:
                self.wfile.write(b"hello")

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: pytest's output is not a web log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told = Receiver(f"http://127.0.0.1:{server.server_address[1]}/hooks")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.OUTWARD_LOOPBACK = True
    with receiving() as listening:
        yield listening
