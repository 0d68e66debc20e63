"""A loopback server that offers sample files, well or badly, for the sandbox to fetch."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass(frozen=True)
class Answer:
    body: bytes = b""
    content_type: str = "audio/wav"
    status: int = 200
    location: str = ""
    hangs: bool = False
    """Say nothing until the server is closed."""


@dataclass
class SampleServer:
    port: int
    answers: dict[str, Answer] = field(default_factory=dict)

    def url(self, body: bytes, content_type: str = "audio/wav") -> str:
        """An address that serves these bytes."""
        return self.url_of(Answer(body, content_type))

    def url_of(self, answer: Answer) -> str:
        path = f"/{len(self.answers)}"
        self.answers[path] = answer
        return f"http://127.0.0.1:{self.port}{path}"


@contextmanager
def serving_samples() -> Iterator[SampleServer]:
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = offered.answers.get(self.path, Answer(status=404))
            if answer.hangs:
                closing.wait(60)
                return
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            if answer.location:
                self.send_header("Location", answer.location)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: pytest's output is not a web log."""

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    offered = SampleServer(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield offered
    finally:
        closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def samples() -> Iterator[SampleServer]:
    with serving_samples() as server:
        yield server
