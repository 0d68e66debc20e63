"""The only user of websocket-client: drives a provider's `SpeechSession` over a real socket.

A connection is kept for the next task only after `Done`, only where the provider allows it, and only for the same account
with the same address and credentials. Closing the generator closes the socket, which stops the provider's meter.
Connections go straight to the provider; proxy variables of the environment are not consulted.
"""

from __future__ import annotations

import os
import select
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import websocket
from websocket._cookiejar import SimpleCookieJar

from voices.providers.base import Audio, Done, Send, Speech, SpeechConnection, SpeechRequest, SpeechSession
from voices.providers.driving import (
    MAX_MESSAGE_BYTES,
    Key,
    Lost,
    Patience,
    Spoken,
    certificates,
    key_of,
    no_address,
    refused,
    unreachable,
)
from voices.providers.errors import ProviderError

__all__ = ["MAX_MESSAGE_BYTES", "ConnectionPool", "Spoken", "close_connections", "speak"]

_GOODBYE_SECONDS = 0.2


def speak(
    speech: Speech, request: SpeechRequest, *, pool: ConnectionPool | None = None
) -> Generator[Spoken, None, None]:
    """Speak one task, yielding as the provider sends; ends after `Done`. What has to be asked first is asked here.

    Raises ProviderError, with `request_id` filled in as far as it is known. A kept connection that turns out to be dead
    before it has said anything for this task is replaced once, for nothing was spoken; a fresh one never is.
    """
    pool = pool or _shared_pool
    where = speech.connection(request)
    session = speech.session(request)
    if where.inquiry is not None:
        where.inquiry()
    kept = pool.borrow(where)
    if kept is not None:
        try:
            yield from _task(kept, session, where, pool)
        except DeadOnArrival:
            session = speech.session(request)
        else:
            return
    yield from _task(_open(speech, where), session, where, pool)


def close_connections() -> None:
    """Close all that wait for their next task: at shutdown, and between tests."""
    _shared_pool.close()


def _task(
    connection: _Connection, session: SpeechSession, where: SpeechConnection, pool: ConnectionPool
) -> Generator[Spoken, None, None]:
    finished = False
    patience = Patience(where)
    try:
        for send in session.open():
            connection.send(send.frame)
        while True:
            patience.check()
            for event in session.receive(connection.receive(where.frame_timeout)):
                if isinstance(event, Send):
                    connection.send(event.frame)
                elif isinstance(event, Done):
                    finished = True
                    pool.give_back(where, connection)
                    yield event
                    return
                else:
                    yield event
                    if isinstance(event, Audio):
                        patience.heard()
    except Lost as lost:
        if connection.reused and lost.hung_up and not connection.has_received:
            raise DeadOnArrival from None
        error = session.connection_lost(str(lost))
        error.request_id = error.request_id or session.request_id
        raise error from None
    except ProviderError as error:
        error.request_id = error.request_id or session.request_id
        raise
    finally:
        if not finished:
            connection.close()


class DeadOnArrival(Exception):
    """A kept connection had died while it waited."""


# --- opening -------------------------------------------------------------------------------------------------------------


class _NoCookies(SimpleCookieJar):
    """websocket-client keeps one cookie jar for the whole process, so one account's cookie would travel with another's."""

    def add(self, set_cookie: str | None) -> None:
        return


websocket._handshake.CookieJar = _NoCookies()


def _open(speech: Speech, where: SpeechConnection) -> _Connection:
    try:
        socket = websocket.create_connection(
            where.url,
            timeout=where.open_timeout,
            header=[f"{name}: {value}" for name, value in where.headers.items()],
            sslopt={"context": certificates()} if where.url.startswith("wss:") else {},
            suppress_origin=True,
            redirect_limit=0,
            http_no_proxy=["*"],
            enable_multithread=False,
            skip_utf8_validation=True,
        )
    except websocket.WebSocketBadStatusException as error:
        date = (error.resp_headers or {}).get("date", "")
        raise refused(speech, where, error.status_code, error.resp_body or b"", date=date) from None
    except ValueError:
        raise no_address(where) from None
    except (OSError, websocket.WebSocketException) as error:
        raise unreachable(where, error) from None
    return _Connection(socket)


# --- one connection ------------------------------------------------------------------------------------------------------


class _Connection:
    def __init__(self, socket: websocket.WebSocket) -> None:
        self.reused = False
        self.has_received = False
        self._socket = socket
        self._until = 0.0
        self._room = 0
        self._broken = ""
        # Every byte of every frame passes here, pings and fragments included: the one place to bound time and size.
        self._receive_some: Callable[[int], bytes] = socket.frame_buffer.recv
        socket.frame_buffer.recv = self._receive_within_bounds

    def send(self, frame: str | bytes) -> None:
        """A send that fails is not raised: what the other side said before it hung up still waits to be received."""
        if self._broken:
            return
        opcode = websocket.ABNF.OPCODE_TEXT if isinstance(frame, str) else websocket.ABNF.OPCODE_BINARY
        try:
            self._socket.send(frame, opcode)
        except (OSError, websocket.WebSocketException) as error:
            self._broken = type(error).__name__

    def receive(self, timeout: float) -> str | bytes:
        """The next message, whole within `timeout` seconds. Raises Lost."""
        self._until = time.monotonic() + timeout
        self._room = MAX_MESSAGE_BYTES
        try:
            opcode, frame = self._socket.recv_data_frame()
        except websocket.WebSocketTimeoutException:
            raise Lost.because_of_silence(timeout) from None
        except (OSError, websocket.WebSocketConnectionClosedException) as error:
            raise Lost(f"the connection broke ({type(error).__name__})", hung_up=True) from None
        except websocket.WebSocketPayloadException:
            raise Lost.because_of_size() from None
        except websocket.WebSocketException as error:
            raise Lost(f"the provider broke the WebSocket protocol ({type(error).__name__})") from None
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            raise Lost.because_of_close(frame.data)
        self.has_received = True
        if opcode == websocket.ABNF.OPCODE_BINARY:
            return bytes(frame.data)
        try:
            return bytes(frame.data).decode()
        except UnicodeDecodeError:
            raise Lost.because_of_text() from None

    def is_quiet(self) -> bool:
        """Whether it still stands with nothing waiting: an idle connection that has something to say is on its way out."""
        sock = self._socket.sock
        if sock is None or (isinstance(sock, ssl.SSLSocket) and sock.pending()):
            return False
        waiting = select.poll()
        waiting.register(sock, select.POLLIN)
        return not waiting.poll(0)

    def close(self) -> None:
        """Say goodbye without waiting for an answer."""
        if not self._broken and self._socket.connected:
            self._socket.settimeout(_GOODBYE_SECONDS)
            try:
                self._socket.send_close()
            except (OSError, websocket.WebSocketException):
                self._broken = "close"
        self._socket.shutdown()  # type: ignore[no-untyped-call]

    def drop(self) -> None:
        """Give up our copy of a socket that another process goes on using."""
        self._socket.shutdown()  # type: ignore[no-untyped-call]

    def _receive_within_bounds(self, size: int) -> bytes:
        left = self._until - time.monotonic()
        if left <= 0:
            raise websocket.WebSocketTimeoutException("out of time")
        self._socket.settimeout(left)
        data = self._receive_some(size)
        self._room -= len(data)
        if self._room < 0:
            raise websocket.WebSocketPayloadException("message too long")
        return data


# --- connections between tasks -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Kept:
    connection: _Connection = field(repr=False)
    until: float


class ConnectionPool:
    """Idle connections by account, address and credentials. Safe to share between threads; a forked child starts empty."""

    def __init__(self, *, per_key: int = 8, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_key = per_key
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[Key, list[_Kept]] = {}
        _pools.add(self)

    def borrow(self, where: SpeechConnection) -> _Connection | None:
        """The one that came back last and is still good, or None."""
        while True:
            with self._lock:
                expired = self._take_expired()
                kept = self._kept.get(key_of(where), [])
                connection = kept.pop().connection if kept else None
            for old in expired:
                old.close()
            if connection is None or connection.is_quiet():
                return connection
            connection.close()

    def give_back(self, where: SpeechConnection, connection: _Connection) -> None:
        connection.reused = True
        connection.has_received = False
        with self._lock:
            surplus = self._take_expired()
            kept = self._kept.setdefault(key_of(where), [])
            if where.reuse_seconds > 0 and len(kept) < self._per_key:
                kept.append(_Kept(connection=connection, until=self._clock() + where.reuse_seconds))
            else:
                surplus.append(connection)
        for old in surplus:
            old.close()

    def close(self) -> None:
        for connection in self._take_all():
            connection.close()

    def forget(self) -> None:
        """For a forked child: the parent goes on using the connections, and the lock may have been held just then."""
        self._lock = threading.Lock()
        for connection in self._take_all():
            connection.drop()

    def _take_all(self) -> list[_Connection]:
        with self._lock:
            taken = [kept.connection for group in self._kept.values() for kept in group]
            self._kept.clear()
        return taken

    def _take_expired(self) -> list[_Connection]:
        now = self._clock()
        expired = []
        for key, group in list(self._kept.items()):
            expired += [kept.connection for kept in group if kept.until <= now]
            group[:] = [kept for kept in group if kept.until > now]
            if not group:
                del self._kept[key]
        return expired


_pools: weakref.WeakSet[ConnectionPool] = weakref.WeakSet()
_shared_pool = ConnectionPool()


def _forget_connections_of_parent() -> None:
    for pool in list(_pools):
        pool.forget()


os.register_at_fork(after_in_child=_forget_connections_of_parent)
