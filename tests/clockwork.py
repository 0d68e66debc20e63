"""A provider that does what the text tells it to, and goes on when the test says so: for many at once, in one thread.

The first word of a text chooses (see `_Line`): "hold 7" says its first chunk and waits for `go_on`. It speaks the duplex
protocol of the benchmarks' upstream, so what an answer holds follows from the number in the text (`audio_of`).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future

import pytest

from tests.benchmarks.upstream import Provider, chunks_of
from tests.processes.eventually import eventually
from voiceclone_site.accounts.models import User
from voices.models import ProviderAccount, VoiceClone

FLOOD = 96 * 1024 * 1024
"""Bytes that a flood would like to say."""
_BLOCK = bytes(60_000)
_UNHURRIED = 1e6


class Clockwork:
    """`said` are the texts that were to be spoken, `bytes_out` what a flood has got rid of."""

    def __init__(self) -> None:
        self.port = 0
        self.opened = 0
        self.said: list[str] = []
        self.bytes_out = 0
        self.deaf = False
        """It answers no ping."""
        self._lines: set[_Line] = set()
        self._loop = asyncio.new_event_loop()
        self._going_on = asyncio.Event()
        self._stop = asyncio.Event()

    @property
    def address(self) -> str:
        return f"ws://127.0.0.1:{self.port}/"

    @property
    def connections(self) -> int:
        """That are open now."""
        return len(self._lines)

    def go_on(self) -> None:
        """Who holds says the rest, and so does everybody from now on."""
        self._loop.call_soon_threadsafe(self._going_on.set)

    def hang_up(self) -> None:
        """On everybody, without a word."""
        self._loop.call_soon_threadsafe(self._drop_all)
        eventually(lambda: not self._lines, seconds=10, what="every connection closed by the provider")

    def run(self, started: Future[None]) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve(started))

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)

    async def _serve(self, started: Future[None]) -> None:
        server = await self._loop.create_server(lambda: _Line(self), "127.0.0.1", 0, backlog=512)
        self.port = server.sockets[0].getsockname()[1]
        started.set_result(None)
        await self._stop.wait()
        server.close()
        self._drop_all()
        await asyncio.sleep(0)

    def _drop_all(self) -> None:
        for line in list(self._lines):
            line.drop()


class _Line(Provider):
    """One connection to it."""

    def __init__(self, clockwork: Clockwork) -> None:
        super().__init__()
        self._clockwork = clockwork
        self._room = asyncio.Event()
        self._room.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._clockwork.opened += 1
        self._clockwork._lines.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._clockwork._lines.discard(self)

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def drop(self) -> None:
        self._transport.abort()

    def _answer_ping(self, payload: bytes) -> None:
        if not self._clockwork.deaf:
            super()._answer_ping(payload)

    async def _speak(self, text: str) -> None:
        self._clockwork.said.append(text)
        script: Callable[[str], Awaitable[None]] = getattr(self, f"_{text.split()[0]}")
        await script(text)

    async def _hold(self, text: str) -> None:
        first, *rest = chunks_of(text)
        self._send(2, first)
        await self._clockwork._going_on.wait()
        for chunk in rest:
            self._send(2, chunk)
        self._finish(text)

    async def _long(self, text: str) -> None:
        """Six seconds, and then nothing for a while."""
        self._send(2, chunks_of(text)[0])
        await self._clockwork._going_on.wait()
        for _block in range(5):
            self._send(2, _BLOCK)

    async def _whole(self, text: str) -> None:
        for chunk in chunks_of(text):
            self._send(2, chunk)
        self._finish(text)

    async def _stall(self, text: str) -> None:
        self._send(2, chunks_of(text)[0])

    async def _close(self, text: str) -> None:
        self._send(2, chunks_of(text)[0])
        await self._clockwork._going_on.wait()
        self._send(8, (1000).to_bytes(2, "big"))
        self._transport.close()

    async def _garble(self, text: str) -> None:
        self._send(2, chunks_of(text)[0])
        await self._clockwork._going_on.wait()
        self._transport.write(b"\xf7\xff" * 500)

    async def _flood(self, text: str) -> None:
        while self._clockwork.bytes_out < FLOOD:
            self._send(2, _BLOCK)
            self._clockwork.bytes_out += len(_BLOCK)
            await self._room.wait()
            await asyncio.sleep(0)
        self._finish(text)

    async def _chatter(self, text: str) -> None:
        """Events without end, and no sound."""
        while True:
            self._event("result-generated")
            await self._room.wait()
            await asyncio.sleep(0)


@pytest.fixture
def clockwork() -> Iterator[Clockwork]:
    made = Clockwork()
    started: Future[None] = Future()
    thread = threading.Thread(target=made.run, args=(started,), name="clockwork")
    thread.start()
    started.result(10)
    yield made
    made.stop()
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture
def its_account(db: None, clockwork: Clockwork) -> ProviderAccount:
    return account_at(clockwork)


def account_at(clockwork: Clockwork, *, name: str = "clockwork") -> ProviderAccount:
    return ProviderAccount.objects.create(
        provider="aliyun",
        name=name,
        origin=ProviderAccount.Origin.ADMIN,
        credentials={"api_key": f"sk-{name}"},
        endpoints={"http": "http://127.0.0.1:1/", "websocket": clockwork.address},
        voice_cap=9,
        synthesis_rate=_UNHURRIED,
    )


@pytest.fixture
def its_voice(alice: User, its_account: ProviderAccount) -> VoiceClone:
    """A voice of Alice's that can speak."""
    return voice_at(its_account, alice)


def voice_at(account: ProviderAccount, owner: User) -> VoiceClone:
    model = account.traits.default_model
    return VoiceClone.objects.create(
        owner=owner,
        account=account,
        provider=account.provider,
        model=model,
        remote_id=f"{model}-clock-0",
        language="zh",
        name="Clock",
        state=VoiceClone.State.SUCCESS,
    )
