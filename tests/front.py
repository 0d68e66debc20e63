"""The portal's own web server in this process, on the test's rows: one event loop in a thread, asked over real sockets.

For one conversation at a time, as `public_address`. What happens when many come at once is asked of a server in a process of its
own (tests/processes/test_relay.py).
"""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
import uvicorn
from django.db import connections
from django.test import Client
from pytest_django import Settings

from tests.processes.eventually import eventually
from voiceclone_site.front import Front


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    broken: bool
    """The transfer ended before its end."""

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Portal:
    port: int
    front: Front

    def ask(self, path: str, body: object, *, token: str = "", headers: Mapping[str, str] | None = None) -> Answer:
        """POST, heard to its end, or to where it broke."""
        # The books of the one before are closed on the test's one connection, which two must not use at a time.
        until = time.monotonic() + 1
        while not self.is_quiet() and time.monotonic() < until:
            time.sleep(0.005)
        sent = {"Content-Type": "application/json", "Accept-Language": "en", **(headers or {})}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.request("POST", path, body=content, headers=sent)
            answer = connection.getresponse()
            got, broken = b"", False
            try:
                while piece := answer.read1(65536):
                    got += piece
            except (http.client.IncompleteRead, ConnectionError):
                broken = True
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, got, broken)

    def submit(self, path: str, form: Mapping[str, str], *, browser: Client) -> Answer:
        """A page's form, as its script sends it."""
        token = browser.get("/speak/").context["csrf_token"]
        content = urlencode({**form, "csrfmiddlewaretoken": str(token)}).encode()
        cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in browser.cookies.items())
        kind = "application/x-www-form-urlencoded"
        return self.ask(path, content, headers={"Cookie": cookies, "Content-Type": kind, "Accept": "application/json"})

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def is_quiet(self) -> bool:
        """Nobody speaks, and every book is closed."""
        return not self.front.relay.speaking and not self.front.relay.is_settling

    def until_quiet(self) -> None:
        eventually(self.is_quiet, seconds=20, what="every job in the books")


@pytest.fixture
def portal(db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Portal]:
    connection = connections["default"]
    connection.inc_thread_sharing()
    # Django closes what it finds inside a transaction between two requests; here that transaction is the test's.
    monkeypatch.setattr(connection, "close_if_unusable_or_obsolete", lambda: None)

    def on_the_tests_connection() -> None:
        connections["default"] = connection

    front = Front(threads=1, prepare_thread=on_the_tests_connection, speech_threads=1)
    config = uvicorn.Config(
        front,
        port=0,
        lifespan="on",
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=_serve, args=(server,), name="portal-front")
    thread.start()
    eventually(lambda: server.started, seconds=10, what="the web server")
    port: int = server.servers[0].sockets[0].getsockname()[1]
    settings.PUBLIC_BASE_URL = f"http://127.0.0.1:{port}"
    yield Portal(port, front)
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()
    connection.dec_thread_sharing()


def _serve(server: uvicorn.Server) -> None:
    with asyncio.Runner() as runner:
        runner.run(server.serve())


def hang_up_after(sock: socket.socket, count: int) -> bytes:
    """Read at least so many bytes of what comes, and leave."""
    got = b""
    until = time.monotonic() + 20
    while len(got) < count and time.monotonic() < until:
        got += sock.recv(4096)
    sock.close()
    return got
