"""The two drivers of a provider's speech, asked in the same way: in this thread, and on an event loop of its own.

speak(speech, request, pool=pool) -> a generator of events; closing it hangs up
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, Protocol

import pytest

from voices.providers import aio, ws
from voices.providers.base import Speech, SpeechConnection, SpeechRequest
from voices.providers.driving import Said, Spoken
from voices.providers.warm import MOST, Pool


class Driver(Protocol):
    """`kept`: takes an idle connection out of the pool and closes it; whether there was one."""

    def speak(self, speech: Speech, request: SpeechRequest) -> Generator[Spoken, None, None]: ...

    def kept(self, where: SpeechConnection) -> bool: ...

    def close(self) -> None: ...


class InThread:
    def __init__(self, *, clock: Callable[[], float] = time.monotonic, most: int = 8) -> None:
        self.pool = ws.ConnectionPool(clock=clock, per_key=most)

    def speak(self, speech: Speech, request: SpeechRequest) -> Generator[Spoken, None, None]:
        return ws.speak(speech, request, pool=self.pool)

    def kept(self, where: SpeechConnection) -> bool:
        connection = self.pool.borrow(where)
        if connection is not None:
            connection.close()
        return connection is not None

    def close(self) -> None:
        self.pool.close()


class OnLoop:
    def __init__(self, *, clock: Callable[[], float] = time.monotonic, most: int = MOST) -> None:
        self.loop = asyncio.new_event_loop()
        self.pool: Pool[aio.Connection] = Pool(clock=clock, most=most)

    def speak(self, speech: Speech, request: SpeechRequest) -> Generator[Spoken, None, None]:
        self._settle()
        said = aio.speak(speech, request, pool=self.pool)
        try:
            while (some := self.loop.run_until_complete(_next(said))) is not None:
                yield from some
        finally:
            self.loop.run_until_complete(said.aclose())
            self._settle()

    def kept(self, where: SpeechConnection) -> bool:
        self._settle()
        connection = self.pool.borrow(where)
        if connection is not None:
            connection.close()
            self._settle()
        return connection is not None

    def close(self) -> None:
        self.loop.run_until_complete(self.pool.close())
        self._settle()
        self.loop.close()

    def _settle(self) -> None:
        """Let the loop see what the sockets have to say."""
        for _turn in range(3):
            self.loop.run_until_complete(asyncio.sleep(0.002))


async def _next(said: Said) -> Sequence[Spoken] | None:
    return await anext(said, None)


DRIVERS: tuple[type[Any], ...] = (InThread, OnLoop)


@pytest.fixture(params=DRIVERS, ids=["thread", "loop"])
def make_driver(request: pytest.FixtureRequest) -> type[Any]:
    kind: type[Any] = request.param
    return kind


@pytest.fixture
def driver(make_driver: type[Any]) -> Iterator[Driver]:
    made: Driver = make_driver()
    yield made
    made.close()
