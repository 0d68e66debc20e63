"""The only user of websockets: drives a provider's `SpeechSession` on an event loop, as `ws.py` does in a thread.

Frames are read and made by the library's sans-IO protocol; the bytes are moved here, so that a message that waits costs no task and
all that came in at once is taken at once. Closing the generator closes the socket, which stops the provider's meter.
Connections go straight to the provider; proxy variables of the environment are not consulted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Self, cast

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus, InvalidURI, PayloadTooBig
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import WebSocketURI, parse_uri

from voices.providers.base import Audio, Done, Send, Speech, SpeechConnection, SpeechRequest
from voices.providers.driving import (
    LARGEST_REFUSAL,
    MAX_MESSAGE_BYTES,
    Lost,
    Patience,
    Spoken,
    certificates,
    no_address,
    refused,
    unreachable,
)
from voices.providers.errors import ProviderError
from voices.providers.warm import Pool

# What has come in and was not asked for yet: beyond it the provider is not read from, until it is asked for.
FULL_BYTES = 512 * 1024
_GOODBYE_SECONDS = 1.0

# Of their own: an inquiry whose answer does not come holds up other inquiries at most.
_inquiries = ThreadPoolExecutor(max_workers=8, thread_name_prefix="speech-inquiry")

# It logs frames as it sees them, and a frame holds somebody's text.
_SILENT = logging.getLogger("voices.providers.aio.frames")
_SILENT.disabled = True


def speak(speech: Speech, request: SpeechRequest, *, pool: Pool[Connection]) -> Speaking:
    return Speaking(speech, request, pool=pool)


class Speaking:
    """One task as it is spoken: an iterator of what has come in since the last time, never of nothing; ends after `Done`.

    Raises as `ws.speak` does, and replaces a kept connection that turns out to be dead as it does. Whoever does not hear it to its
    end closes it. No generator: one around another costs each sound a third of its way through here.
    """

    def __init__(self, speech: Speech, request: SpeechRequest, *, pool: Pool[Connection]) -> None:
        self._speech = speech
        self._request = request
        self._pool = pool
        self._connection: Connection | None = None
        self._end_task: Callable[[], None] | None = None
        self._failure: ProviderError | None = None
        self._has_sounded = False
        self._is_over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Sequence[Spoken]:
        if self._is_over:
            raise StopAsyncIteration
        try:
            connection = self._connection or await self._begin()
            while True:
                if self._failure is not None:
                    raise self._failure
                if self._has_sounded:
                    # It has been passed on.
                    self._patience.heard()
                    self._has_sounded = False
                try:
                    self._patience.check()
                    said = self._told(await connection.receive(self._where.frame_timeout), connection)
                except Lost as lost:
                    connection = await self._begin_again(connection, lost)
                    continue
                if said:
                    return said
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        self._is_over = True
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._end_task is not None:
            self._end_task()
            self._end_task = None

    async def _begin(self) -> Connection:
        self._where = where = self._speech.connection(self._request)
        self._session = self._speech.session(self._request)
        if where.inquiry is not None:
            await asyncio.get_running_loop().run_in_executor(_inquiries, where.inquiry)
        self._end_task = self._pool.begin(where, partial(open_connection, self._speech, where))
        self._patience = Patience(where)
        return self._opened(self._pool.borrow(where) or await open_connection(self._speech, where))

    async def _begin_again(self, connection: Connection, lost: Lost) -> Connection:
        """Where a kept connection had died before it said anything. Raises ProviderError where nothing may be asked again."""
        if not (connection.reused and lost.hung_up and not connection.has_received):
            raise self._known(self._session.connection_lost(str(lost))) from None
        self._connection = None
        connection.close()
        self._session = self._speech.session(self._request)
        return self._opened(await open_connection(self._speech, self._where))

    def _opened(self, connection: Connection) -> Connection:
        self._connection = connection
        connection.send(*(send.frame for send in self._session.open()))
        return connection

    def _told(self, messages: Sequence[str | bytes], connection: Connection) -> Sequence[Spoken]:
        """What the messages say; what they ask for is sent. What is wrong with one is raised after what came before it."""
        said: list[Spoken] = []
        answers: list[str | bytes] = []
        try:
            for message in messages:
                for event in self._session.receive(message):
                    if isinstance(event, Send):
                        answers.append(event.frame)
                        continue
                    said.append(event)
                    if isinstance(event, Audio):
                        self._has_sounded = True
                    elif isinstance(event, Done):
                        self._is_over = True
                if self._is_over:
                    break
        except ProviderError as error:
            self._failure, self._is_over = self._known(error), False
        if answers:
            connection.send(*answers)
        if self._is_over:
            self._give_back(connection)
        return said

    def _give_back(self, connection: Connection) -> None:
        self._connection = None
        self._pool.give_back(self._where, connection)
        if self._end_task is not None:
            self._end_task()
            self._end_task = None

    def _known(self, error: ProviderError) -> ProviderError:
        error.request_id = error.request_id or self._session.request_id
        return error


# --- opening -------------------------------------------------------------------------------------------------------------


async def open_connection(speech: Speech, where: SpeechConnection) -> Connection:
    """Raises ProviderError or ConfigurationError when it does not stand within `where.open_timeout`."""
    try:
        address = parse_uri(where.url)
    except (InvalidURI, ValueError):
        raise no_address(where) from None
    connection: Connection | None = None
    try:
        async with asyncio.timeout(where.open_timeout):
            _transport, connection = await asyncio.get_running_loop().create_connection(
                lambda: Connection(address),
                address.host,
                address.port,
                ssl=certificates() if address.secure else None,
                server_hostname=address.host if address.secure else None,
            )
            await connection.shake_hands(where.headers)
    except InvalidStatus as error:
        answer = error.response
        body = bytes(answer.body)[:LARGEST_REFUSAL]
        raise refused(speech, where, answer.status_code, body, date=answer.headers.get("date", "")) from None
    except (OSError, ValueError, Lost) as error:  # TimeoutError is an OSError; a host name may be none (ValueError)
        raise unreachable(where, error) from None
    finally:
        if connection is not None and not connection.stands:
            connection.drop()
    return connection


# --- one connection ------------------------------------------------------------------------------------------------------


class Connection(asyncio.Protocol):
    """One WebSocket. `has_received`: something came in since its last task ended."""

    def __init__(self, address: WebSocketURI) -> None:
        self.reused = False
        self.has_received = False
        self._protocol = ClientProtocol(address, max_size=MAX_MESSAGE_BYTES, logger=_SILENT)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._messages: list[str | bytes] = []
        self._waiting_bytes = 0
        self._is_paused = False
        self._fragments: list[bytes] = []
        self._opcode = Opcode.BINARY
        self._lost: Lost | None = None
        self._reader: asyncio.Future[None] | None = None
        self._handshake: asyncio.Future[None] = self._loop.create_future()
        self._pong: bytes | None = None
        self._goodbye: asyncio.TimerHandle | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._silent_at = self._silence = 0.0

    # --- what its users ask ---

    async def shake_hands(self, headers: Any) -> None:
        """Raises InvalidStatus for a refusal, another InvalidHandshake as Lost, and Lost."""
        request = self._protocol.connect()
        request.headers.update(headers)
        self._protocol.send_request(request)
        self._flush()
        await self._handshake

    @property
    def stands(self) -> bool:
        return self._lost is None and self._protocol.state is State.OPEN

    @property
    def is_quiet(self) -> bool:
        """Whether it still stands with nothing waiting: an idle connection that has something to say is on its way out."""
        return self.stands and not self._messages

    def send(self, *frames: str | bytes) -> None:
        """In one go. What cannot be sent is not raised: what the other side said before it hung up still waits to be received."""
        if not self.stands:
            return
        for frame in frames:
            if isinstance(frame, str):
                self._protocol.send_text(frame.encode(errors="replace"))
            else:
                self._protocol.send_binary(frame)
        self._flush()

    async def receive(self, timeout: float) -> list[str | bytes]:
        """All messages that are there, waiting `timeout` seconds for the first to be whole. Raises Lost."""
        if not self._messages:
            await self._something(timeout)
        messages, self._messages = self._messages, []
        self._waiting_bytes = 0
        if self._is_paused and self._transport is not None:
            self._is_paused = False
            self._transport.resume_reading()
        self.has_received = True
        return messages

    def ask_if_alive(self) -> bool:
        """Send a ping. False: the last one has not been answered."""
        if self._pong is not None or not self.stands:
            return False
        self._pong = b"alive?"
        self._protocol.send_ping(self._pong)
        self._flush()
        return True

    def close(self) -> None:
        """Say goodbye and wait for nobody: whoever does not hang up is hung up on."""
        if self._transport is None or self._goodbye is not None:
            return
        if self.stands:
            self._protocol.send_close()
            self._flush()
        self._transport.close()
        self._goodbye = self._loop.call_later(_GOODBYE_SECONDS, self.drop)

    def drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # --- what the event loop tells ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        protocol = self._protocol
        protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, Frame):
                self._take(event)
            elif isinstance(event, Response):
                self._shake(event)
        self._flush()
        if protocol.parser_exc is not None:
            broken = protocol.parser_exc
            nonsense = f"the provider broke the WebSocket protocol ({type(broken).__name__})"
            self._lose(Lost.because_of_size() if isinstance(broken, PayloadTooBig) else Lost(nonsense))
        elif self._waiting_bytes > FULL_BYTES and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()

    def eof_received(self) -> None:
        self._protocol.receive_eof()

    def connection_lost(self, error: Exception | None) -> None:
        for timer in filter(None, (self._goodbye, self._alarm)):
            timer.cancel()
        name = type(error).__name__ if error else "end of stream"
        self._lose(Lost(f"the connection broke ({name})", hung_up=True))
        self._transport = None

    # --- how that is understood ---

    def _shake(self, answer: Response) -> None:
        refusal = self._protocol.handshake_exc
        if self._handshake.done():
            return
        if refusal is None:
            self._handshake.set_result(None)
        elif isinstance(refusal, InvalidStatus):
            self._handshake.set_exception(refusal)
        else:
            self._lose(Lost(type(refusal).__name__))

    def _take(self, frame: Frame) -> None:
        opcode, data = frame.opcode, bytes(frame.data)
        if opcode is Opcode.BINARY or opcode is Opcode.TEXT:
            self._opcode = opcode
            if not frame.fin:
                self._fragments = [data]
                return
        elif opcode is Opcode.CONT:
            self._fragments.append(data)
            if not frame.fin:
                return
            data, self._fragments = b"".join(self._fragments), []
        else:
            if opcode is Opcode.CLOSE:
                self._lose(Lost.because_of_close(data))
            elif opcode is Opcode.PONG:
                self._pong = None
            return
        if self._lost is not None:
            return
        self._waiting_bytes += len(data)
        try:
            self._messages.append(data.decode() if self._opcode is Opcode.TEXT else data)
        except UnicodeDecodeError:
            self._lose(Lost.because_of_text())
        self._wake()

    async def _something(self, timeout: float) -> None:
        if self._lost is not None:
            raise self._lost
        self._reader = self._loop.create_future()
        self._silence = timeout
        self._silent_at = self._loop.time() + timeout
        if self._alarm is None:
            self._alarm = self._loop.call_at(self._silent_at, self._look)
        try:
            await self._reader
        finally:
            self._reader = None
        if not self._messages and self._lost is not None:
            raise self._lost

    def _look(self) -> None:
        """One alarm for many waits, for to set one costs as much as to read a frame: it comes at the end of the first, or later."""
        self._alarm = None
        if self._reader is None or self._lost is not None:
            return
        if self._loop.time() < self._silent_at:
            self._alarm = self._loop.call_at(self._silent_at, self._look)
        else:
            self._lose(Lost.because_of_silence(self._silence))

    def _lose(self, lost: Lost) -> None:
        """The first reason is the true one; what came in before it is still heard."""
        if self._lost is None:
            self._lost = lost
        if not self._handshake.done():
            self._handshake.set_exception(self._lost)
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _flush(self) -> None:
        if self._transport is not None and (data := b"".join(self._protocol.data_to_send())):
            self._transport.write(data)
