"""The portal's own web server in this process, on the test's rows: one event loop in a thread, asked over real sockets.

The relay may speak to many at once (`tests/listeners.py`): its threads take turns on the test's one connection. Django's thread
does not, so pages are asked one at a time, as with `public_address`.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import pytest
import uvicorn
from django.db import connections
from django.test import Client
from pytest_django import Settings

from tests.processes.eventually import eventually
from voiceclone_site.front import Front
from voiceclone_site.listening import listener
from voiceclone_site.supervisor.http import HeadWithBody
from voices import books
from voices.models import LedgerEntry
from voices.threads import DatabaseThreads

T = TypeVar("T")

SHORT_PATIENCE = 3.0
"""Seconds after which the kernel breaks off who takes nothing in."""


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
class Census:
    """What may be left behind: ends of connections to the portal and to its provider, tasks of the portal's loop, threads, open
    holds of speech. Connections that are kept warm do not count."""

    sockets: int
    tasks: int
    threads: int
    holds: int


@dataclass
class Portal:
    front: Front
    server: uvicorn.Server
    port: int = 0
    provider_port: int = 0
    turn: threading.Lock = field(default_factory=threading.Lock)
    """Whoever of the relay's threads is at the database has it."""
    tasks_left: list[str] = field(default_factory=list)
    """What its loop was still doing when it had stopped."""

    def start(self) -> None:
        self._thread = threading.Thread(target=self._serve, name="portal-front")
        self._thread.start()
        eventually(lambda: self.server.started, seconds=10, what="the web server", every=0.005)
        self.port = self.server.servers[0].sockets[0].getsockname()[1]
        eventually(lambda: self.front.relay.is_warm, seconds=10, what="what is opened ahead", every=0.005)

    def stop(self) -> None:
        self.server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive()
        assert self.tasks_left == []

    def _serve(self) -> None:
        async def live() -> None:
            await self.server.serve(sockets=[listener(self.server.config, patience=SHORT_PATIENCE)])
            ours = asyncio.current_task()
            self.tasks_left = [repr(task) for task in asyncio.all_tasks() if task is not ours]

        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            runner.run(live())

    def ask(self, path: str, body: object, *, token: str = "", headers: Mapping[str, str] | None = None) -> Answer:
        """POST, heard to its end, or to where it broke."""
        # The books of the one before are closed on the connection that Django's thread would use for this one.
        eventually(lambda: not self.front.relay.is_settling, seconds=20, what="the books closed", every=0.005)
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

    @property
    def asked(self) -> int:
        """Requests that have come in and are not over."""
        return len(self.server.server_state.tasks)

    @property
    def listeners(self) -> int:
        """Connections of clients that it holds."""
        return len(self.server.server_state.connections)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def is_quiet(self) -> bool:
        """Nobody speaks, and every book is closed."""
        return not self.front.relay.speaking and not self.front.relay.is_settling

    def until_quiet(self) -> None:
        eventually(self.is_quiet, seconds=20, what="every job in the books", every=0.005)

    @contextmanager
    def silent_database(self) -> Iterator[None]:
        """No thread of the relay's gets an answer until this ends."""
        with self.turn:
            yield

    def census(self) -> Census:
        async def tasks() -> int:
            return len(asyncio.all_tasks()) - 1

        return Census(
            sockets=ends_of({self.port, self.provider_port}) - 2 * self.front.relay.pool.idle,
            tasks=asyncio.run_coroutine_threadsafe(tasks(), self._loop).result(10),
            threads=threading.active_count(),
            holds=LedgerEntry.objects.filter(kind="hold", purpose="speech", closing__isnull=True).count(),
        )

    def is_as(self, before: Census) -> None:
        """As if nothing had been asked since: nothing is left behind, and the books are right."""
        self.until_quiet()
        now = before

        def same() -> bool:
            nonlocal now
            now = self.census()
            return now == before

        try:
            eventually(same, seconds=10)
        except AssertionError:
            assert now == before, f"{now} instead of {before}"
        assert list(books.discrepancies()) == []


def ends_of(ports: set[int]) -> int:
    """Ends of connections over these ports that somebody still holds, half-closed ones too."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    held = {"01", "08"}  # ESTABLISHED, CLOSE_WAIT
    return sum(
        line[3] in held and bool(ports & {int(address.rpartition(":")[2], 16) for address in line[1:3]})
        for line in lines
    )


@pytest.fixture
def portal(db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Portal]:
    connection = connections["default"]
    connection.inc_thread_sharing()
    # Django closes what it finds inside a transaction between two requests, and a thread that ends closes its connection; here
    # both are the test's.
    monkeypatch.setattr(connection, "close_if_unusable_or_obsolete", lambda: None)
    monkeypatch.setattr(connection, "close", lambda: None)

    def on_the_tests_connection() -> None:
        connections["default"] = connection

    front = Front(threads=1, prepare_thread=on_the_tests_connection, speech_threads=1)
    config = uvicorn.Config(
        front,
        port=0,
        http=HeadWithBody,
        lifespan="on",
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
    )
    running = Portal(front, uvicorn.Server(config))
    for name in ("run", "submit"):
        monkeypatch.setattr(DatabaseThreads, name, in_turns(running.turn, getattr(DatabaseThreads, name)))
    running.start()
    settings.PUBLIC_BASE_URL = f"http://127.0.0.1:{running.port}"
    yield running
    running.stop()
    connection.dec_thread_sharing()


def in_turns(turn: threading.Lock, give: Callable[..., Any]) -> Callable[..., Any]:
    """What the relay asks of the database, one at a time: here its threads have one connection."""

    def given(threads: DatabaseThreads, call: Callable[[], T]) -> Any:
        def in_turn() -> T:
            with turn:
                return call()

        return give(threads, in_turn)

    return given


def hang_up_after(sock: socket.socket, count: int) -> bytes:
    """Read at least so many bytes of what comes, and leave."""
    got = b""
    while len(got) < count:
        piece = sock.recv(4096)
        assert piece, f"It ended after {len(got)} bytes"
        got += piece
    sock.close()
    return got
