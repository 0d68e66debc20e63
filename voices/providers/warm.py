"""Connections that wait for their next task, on one event loop: opened ahead, looked after, bounded; each account has its own.

Only where the provider lets a connection be used again (`SpeechConnection.reuse_seconds`). What was used lately, or is expected to
be, is kept ready: as many as spoke at once in the last minute, and never fewer than `LEAST`.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from voices.providers.base import SpeechConnection
from voices.providers.driving import Key, key_of
from voices.providers.errors import ConfigurationError, ProviderError

LEAST = 2
MOST = 512
"""Idle connections of one account: what the largest rush leaves behind, until their time is over."""
AT_ONCE = 4
"""Connections of one account that are opened ahead at the same time."""
LOOK_EVERY = 5.0
PING_AFTER = 10.0
FORGET_AFTER = 600.0
"""Seconds without a task after which an account is no longer kept ready."""


class Kept(Protocol):
    reused: bool
    has_received: bool

    @property
    def is_quiet(self) -> bool: ...

    def ask_if_alive(self) -> bool: ...

    def close(self) -> None: ...


C = TypeVar("C", bound=Kept)
Opening = Callable[[], Awaitable[C]]


@dataclass(slots=True)
class _Idle(Generic[C]):
    connection: C
    since: float
    until: float


@dataclass(slots=True)
class _Account(Generic[C]):
    """What is known of one key. `busy` connections are out with a task; `peak` is the most of them since the last look."""

    where: SpeechConnection
    opening: Opening[C] | None = None
    idle: deque[_Idle[C]] = field(default_factory=deque)
    busy: int = 0
    peak: int = 0
    peaks: deque[int] = field(default_factory=lambda: deque(maxlen=12))
    used_at: float = 0.0
    being_opened: int = 0

    def end(self) -> None:
        self.busy -= 1


class Pool(Generic[C]):
    """Of one event loop; `close` it there."""

    def __init__(self, *, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._accounts: dict[Key, _Account[C]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._keeper: asyncio.Task[None] | None = None
        self._closed = False

    def borrow(self, where: SpeechConnection) -> C | None:
        """The one that came back last and is still good, or None."""
        account = self._accounts.get(key_of(where)) if where.reuse_seconds > 0 else None
        if account is None:
            return None
        now = self._clock()
        while account.idle:
            kept = account.idle.pop()
            if kept.until > now and kept.connection.is_quiet:
                return kept.connection
            kept.connection.close()
        return None

    def give_back(self, where: SpeechConnection, connection: C) -> None:
        connection.reused = True
        connection.has_received = False
        if self._closed or where.reuse_seconds <= 0:
            connection.close()
            return
        account = self._of(where)
        if len(account.idle) >= self._most:
            connection.close()
            return
        now = self._clock()
        account.idle.append(_Idle(connection, since=now, until=now + where.reuse_seconds))

    # --- kept ready ---

    def begin(self, where: SpeechConnection, opening: Opening[C]) -> Callable[[], None]:
        """A task is spoken from now on, until what is returned is called, once. `opening` makes another connection like the one
        that it needs."""
        if self._closed or where.reuse_seconds <= 0:
            return _nothing
        account = self._wanted(where, opening)
        account.busy += 1
        account.peak = max(account.peak, account.busy)
        return account.end

    def expect(self, where: SpeechConnection, opening: Opening[C]) -> None:
        """Somebody is likely to speak there soon."""
        if not self._closed and where.reuse_seconds > 0:
            self._open_missing(self._wanted(where, opening), LEAST)

    def _wanted(self, where: SpeechConnection, opening: Opening[C]) -> _Account[C]:
        account = self._of(where)
        account.where, account.opening, account.used_at = where, opening, self._clock()
        return account

    def _of(self, where: SpeechConnection) -> _Account[C]:
        key = key_of(where)
        account = self._accounts.get(key)
        if account is None:
            account = self._accounts[key] = _Account(where)
        return account

    def look_after(self) -> None:
        """Begin to keep ready what is used; ends with `close`."""
        if self._keeper is None:
            self._keeper = asyncio.get_running_loop().create_task(self._keep())

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            self.look()

    def look(self) -> None:
        """Give up what is old or dead, and open what is missing."""
        now = self._clock()
        for key, account in list(self._accounts.items()):
            account.peaks.append(account.peak)
            account.peak = account.busy
            wanted = 0 if now - account.used_at > FORGET_AFTER else min(self._most, max(LEAST, *account.peaks))
            staying: deque[_Idle[C]] = deque()
            for kept in account.idle:
                # What would grow too old before the next look is replaced now.
                good = kept.until > now + LOOK_EVERY and kept.connection.is_quiet
                if good and now - kept.since > PING_AFTER:
                    good = kept.connection.ask_if_alive()
                if good:
                    staying.append(kept)
                else:
                    kept.connection.close()
            account.idle = staying
            if wanted:
                self._open_missing(account, wanted)
            elif not account.idle and not account.busy:
                del self._accounts[key]

    def _open_missing(self, account: _Account[C], wanted: int) -> None:
        missing = wanted - len(account.idle) - account.busy - account.being_opened
        for _one in range(min(missing, AT_ONCE - account.being_opened)):
            account.being_opened += 1
            task = asyncio.get_running_loop().create_task(self._open_ahead(account))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _open_ahead(self, account: _Account[C]) -> None:
        try:
            # A provider that is away is told of by whoever speaks next.
            with suppress(ProviderError, ConfigurationError):
                assert account.opening is not None
                self.give_back(account.where, await account.opening())
        finally:
            account.being_opened -= 1

    @property
    def idle(self) -> int:
        return sum(len(account.idle) for account in self._accounts.values())

    async def close(self) -> None:
        self._closed = True
        tasks = [*self._tasks, *([self._keeper] if self._keeper else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for account in self._accounts.values():
            for kept in account.idle:
                kept.connection.close()
            account.idle.clear()


def _nothing() -> None:
    """Where nothing is kept, nothing is counted."""
