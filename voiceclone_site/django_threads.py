"""Django beneath an ASGI server: each request in one thread of a bounded pool, its answer sent piece by piece as it is made.

By WSGI on purpose: Django's own ASGI handler reads a file that it is to send into memory, for our files are read by ordinary code,
and it takes a new thread, with a new database connection, for every request.
"""

from __future__ import annotations

import asyncio
import io
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, MutableMapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar

from django.core.handlers.wsgi import WSGIHandler

from synthesis.handover import RELAY_HEADER
from voiceclone_site.listening import PATIENCE

logger = logging.getLogger("voiceclone_site.access")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
HandOver = Callable[[str, Headers, Scope, Receive, Send], Awaitable[None]]
"""Answers instead of a view that has begun a job, whose id it is given together with the view's headers."""
T = TypeVar("T")


class DjangoInThreads:
    def __init__(self, *, threads: int, hand_over: HandOver, prepare: Callable[[], None] | None = None) -> None:
        self._handler = WSGIHandler()
        self._hand_over = hand_over
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="django", initializer=prepare)
        self._clients = _Clients()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        exchange = _Exchange(self._clients.on(loop), receive, send)
        began = time.monotonic()
        environ = environ_of(scope, io.BufferedReader(_Body(exchange), buffer_size=1 << 16))
        job_id = await loop.run_in_executor(self._threads, partial(exchange.answer, self._handler, environ))
        _note(environ, exchange, seconds=time.monotonic() - began)
        if job_id:
            await self._hand_over(job_id, exchange.headers, scope, receive, send)

    async def close(self) -> None:
        """Who is still waited for counts as having left. The loop must go on meanwhile: it is what the threads wait for."""
        self._clients.give_up()
        await asyncio.to_thread(self._threads.shutdown)


Ask = Callable[[Coroutine[Any, Any, T]], T]


class _Clients:
    """What threads ask of the clients, by way of the event loop."""

    def __init__(self) -> None:
        self._asked: set[Future[Any]] = set()
        self._given_up = False

    def on(self, loop: asyncio.AbstractEventLoop) -> Ask[Any]:
        """Raises ConnectionAbortedError for a client that does nothing, and for every client when the server stops."""

        def ask(what: Coroutine[Any, Any, T]) -> T:
            answer = asyncio.run_coroutine_threadsafe(_patiently(what), loop)
            self._asked.add(answer)
            if self._given_up:
                answer.cancel()
            try:
                return answer.result()
            except (CancelledError, TimeoutError):
                raise ConnectionAbortedError("the client left, or the server stops") from None
            finally:
                self._asked.discard(answer)

        return ask

    def give_up(self) -> None:
        self._given_up = True
        for answer in list(self._asked):
            answer.cancel()


async def _patiently(what: Coroutine[Any, Any, T]) -> T:
    async with asyncio.timeout(PATIENCE):
        return await what


def _note(environ: Mapping[str, Any], exchange: _Exchange, *, seconds: float) -> None:
    """The supervisor asks every few seconds whether all is well; only when it is not does that need a line."""
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    if path in {"/livez", "/readyz", "/metrics"} and exchange.status == HTTPStatus.OK:
        return
    line = f"{environ['REQUEST_METHOD']} {path}{'?' if query else ''}{query}"
    bytes_sent, ms = exchange.bytes_sent, seconds * 1000
    logger.info('%s "%s" %d %d bytes %.0f ms', environ["REMOTE_ADDR"], line, exchange.status, bytes_sent, ms)


class _Exchange:
    """One request, seen from its thread."""

    def __init__(self, ask: Ask[Any], receive: Receive, send: Send) -> None:
        self.status = 500
        self.headers: Headers = []
        self.bytes_sent = 0
        self._ask = ask
        self._receive = receive
        self._send = send
        self._begun = False
        self._all_read = False
        self._job_id = ""

    def answer(self, handler: WSGIHandler, environ: dict[str, Any]) -> str:
        """The id of a job that is to be relayed as the answer; empty when the answer has been sent."""
        answered: Iterable[bytes] = handler(environ, self._start)
        try:
            if self._job_id:
                return self._job_id
            ahead = b""
            for chunk in answered:
                # One piece stays behind, so that an answer of one piece goes out in one go.
                if ahead and not self._ask(self._pass_on(ahead, more=True)):
                    return ""
                ahead = chunk
            self._ask(self._pass_on(ahead, more=False))
            return ""
        except ConnectionAbortedError:
            return ""
        finally:
            close = getattr(answered, "close", None)
            if close is not None:
                close()

    def more_body(self) -> bytes:
        """Raises ConnectionError when the client has left in the middle of it."""
        if self._all_read:
            return b""
        message = self._ask(_received(self._receive))
        if message["type"] != "http.request":
            self._all_read = True
            raise ConnectionAbortedError("the client left while it was sending")
        self._all_read = not message.get("more_body", False)
        return bytes(message.get("body", b"")) or self.more_body()

    def _start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        self.status = int(status.split(" ", 1)[0])
        self._job_id = next((value for name, value in headers if name == RELAY_HEADER), "")
        self.headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers if name != RELAY_HEADER
        ]
        return lambda _data: None

    async def _pass_on(self, data: bytes, *, more: bool) -> bool:
        """Waits while the client is slow. False: it has left."""
        if not self._begun:
            self._begun = True
            await self._send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        self.bytes_sent += len(data)
        await self._send({"type": "http.response.body", "body": data, "more_body": more})
        return not (more and await self._has_left())

    async def _has_left(self) -> bool:
        """Only asked between the pieces of a long answer, when nothing of the request is waited for any more."""
        try:
            async with asyncio.timeout(0):
                message = await self._receive()
                return bool(message["type"] == "http.disconnect")
        except TimeoutError:
            return False


class _Body(io.RawIOBase):
    def __init__(self, exchange: _Exchange) -> None:
        self._exchange = exchange
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._rest or self._exchange.more_body()
        size = min(len(buffer), len(data))
        buffer[:size] = data[:size]
        self._rest = data[size:]
        return size


async def _received(receive: Receive) -> MutableMapping[str, Any]:
    return await receive()


def environ_of(scope: Scope, body: io.BufferedIOBase) -> dict[str, Any]:
    """The request as WSGI tells of it, and so Django."""
    host, port = scope.get("server") or ("127.0.0.1", 80)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": str(host),
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": (scope.get("client") or ("", 0))[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if "_" in name:
            continue  # X_Forwarded_Proto must not pass for X-Forwarded-Proto
        key = name.upper().replace("-", "_")
        key = key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
        separator = "; " if key == "HTTP_COOKIE" else ","
        environ[key] = f"{environ[key]}{separator}{value}" if key in environ else value
    return environ
