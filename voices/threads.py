"""A few threads that talk to the database, and to the disk, for an event loop that may wait for neither."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connections

from voices.errors import Busy

T = TypeVar("T")

MOST_WAITING = 2000
"""Calls that may wait for a thread; beyond them a database that has become slow would only make everybody wait longer."""


class DatabaseThreads:
    """Each thread keeps its connection. Between two calls nothing is asked of it, so that a call costs no round trip of its own:
    one that has died meanwhile is replaced when the first statement fails on it.
    """

    def __init__(self, count: int, *, name: str, prepare: Callable[[], None] | None = None) -> None:
        self._threads = ThreadPoolExecutor(max_workers=count, thread_name_prefix=name, initializer=prepare)
        self.waiting = 0
        """Calls that have not returned."""

    async def run(self, call: Callable[[], T], *, may_wait: bool = True) -> T:
        """`call` in one of the threads. Raises Busy instead of queueing behind too many others, unless it `may_wait`."""
        if self.waiting >= MOST_WAITING and not may_wait:
            raise Busy(retry_after=2.0)
        self.waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        finally:
            self.waiting -= 1

    def close(self) -> None:
        """Waits for what is being done; connections are closed with their threads."""
        self._threads.submit(connections.close_all)
        self._threads.shutdown()


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
