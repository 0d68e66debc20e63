"""A few threads that talk to the database, and to the disk, for an event loop that may wait for neither."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Generic, TypeVar

from django.db import InterfaceError, OperationalError, connections

from voices.errors import Busy
from voices.plain_driver import execute, may_have_died

A = TypeVar("A")
T = TypeVar("T")

MOST_WAITING = 2000
"""Calls that may wait for a thread; beyond them a database that has become slow would only make everybody wait longer."""


class DatabaseThreads:
    """Each thread keeps its connection. Between two calls nothing is asked of it, so that a call costs no round trip of its own:
    one that has died meanwhile is replaced when the first statement fails on it.
    """

    def __init__(self, count: int, *, name: str, prepare: Callable[[], None] | None = None) -> None:
        self._threads = ThreadPoolExecutor(max_workers=count, thread_name_prefix=name, initializer=prepare)

    async def run(self, call: Callable[[], T]) -> T:
        """`call` in one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def submit(self, call: Callable[[], None]) -> None:
        """`call` in one of the threads, and nobody waits for it."""
        self._threads.submit(call)

    def close(self) -> None:
        """Waits for what is being done; connections are closed with their threads."""
        self._threads.submit(connections.close_all)
        self._threads.shutdown()


class Together(Generic[A, T]):
    """What is asked at the same time is done together, in one of the threads: `work` takes all that has come since the last group
    was taken up, `most` of them, and gives each its answer, or the exception that it ends with. What `work` raises ends all of
    them. `at_once` groups are at work at the same time. The first of a group waits `gather()` seconds for others. `unwanted` is
    told of each answer whose asker was cancelled while it was made.

    Of one event loop. Each waits until its own is done, and for no longer than the group that it came into takes.
    """

    def __init__(
        self,
        threads: DatabaseThreads,
        work: Callable[[Sequence[A]], Sequence[T | Exception]],
        *,
        most: int,
        at_once: int = 1,
        gather: Callable[[], float] | None = None,
        unwanted: Callable[[T], None] | None = None,
    ) -> None:
        self._threads = threads
        self._work = work
        self._most = most
        self._at_once = at_once
        self._gather = gather
        self._unwanted = unwanted
        self._waiting: deque[tuple[A, asyncio.Future[T]]] = deque()
        self._at_work = 0
        self._is_called = False

    def ask(self, asked: A, *, may_wait: bool = True) -> asyncio.Future[T]:
        """The answer, or its exception; Busy instead of queueing behind too many others, unless it `may_wait`."""
        if len(self._waiting) >= MOST_WAITING and not may_wait:
            raise Busy(retry_after=2.0)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._waiting.append((asked, answer))
        if not self._is_called:
            self._is_called = True
            if self._gather is not None:
                loop.call_later(self._gather(), self._begin, loop)
            else:
                # Behind all that has come in at the same moment.
                loop.call_soon(self._begin, loop)
        return answer

    @property
    def is_at_work(self) -> bool:
        return self._at_work > 0

    async def rest(self) -> None:
        """Until nothing is being done: nobody asks any more."""
        while self.is_at_work or self._waiting:
            await asyncio.sleep(0.02)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_called = False
        while self._waiting and self._at_work < self._at_once:
            group = [self._waiting.popleft() for _each in range(min(self._most, len(self._waiting)))]
            group = [(asked, answer) for asked, answer in group if not answer.cancelled()]
            self._at_work += 1
            self._threads.submit(partial(self._do, group, loop))

    def _do(self, group: Sequence[tuple[A, asyncio.Future[T]]], loop: asyncio.AbstractEventLoop) -> None:
        answers: Sequence[T | Exception]
        try:
            answers = self._work([asked for asked, _answer in group]) if group else ()
        except Exception as error:
            answers = [error] * len(group)
        loop.call_soon_threadsafe(self._end, group, answers, loop)

    def _end(
        self,
        group: Sequence[tuple[A, asyncio.Future[T]]],
        answers: Sequence[T | Exception],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._at_work -= 1
        for (_asked, future), answer in zip(group, answers, strict=True):
            if future.cancelled():
                if self._unwanted is not None and not isinstance(answer, Exception):
                    self._unwanted(answer)
            elif isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
        self._begin(loop)


def on_a_living_connection(call: Callable[[], T]) -> T:
    """`call`, and once more on a new connection when the old one turns out to be dead. For calls that begin by reading."""
    connection = connections["default"]
    was_open = connection.connection is not None
    try:
        return call()
    except (OperationalError, InterfaceError):
        if not was_open or connection.in_atomic_block or connection.is_usable():
            raise
        connection.close()
        return call()


def check_connection() -> None:
    """As `on_a_living_connection`, for calls that begin by writing: a question goes first where the connection may have died."""
    if may_have_died():
        on_a_living_connection(partial(execute, "SELECT 1"))
