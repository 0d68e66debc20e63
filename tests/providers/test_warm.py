"""Who keeps connections ready: opened ahead, asked whether they live, bounded, replaced, and never another account's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from voices.providers.base import SpeechConnection
from voices.providers.errors import Unreachable
from voices.providers.warm import AT_ONCE, FORGET_AFTER, LEAST, LOOK_EVERY, PING_AFTER, Pool

REUSE = 30.0


class Connection:
    def __init__(self, account: str) -> None:
        self.account = account
        self.reused = self.has_received = False
        self.is_quiet = True
        self.answers = True
        self.pings = 0
        self.closed = False

    def ask_if_alive(self) -> bool:
        self.pings += 1
        return self.answers or self.pings == 1

    def close(self) -> None:
        self.closed = True


class Keeper:
    """A pool under a clock of its own, and the provider at which it opens connections."""

    def __init__(self, *, most: int = 16) -> None:
        self.now = 1000.0
        self.pool: Pool[Connection] = Pool(most=most, clock=lambda: self.now)
        self.opened: list[Connection] = []
        self.is_away = False
        self.most_at_once = 0
        self._opening = 0

    def where(self, account: str = "1", *, reuse: float = REUSE, key: str = "sk") -> SpeechConnection:
        headers = {"Authorization": key}
        return SpeechConnection(account_key=account, provider="p", url="wss://p/", headers=headers, reuse_seconds=reuse)

    async def speak(self, where: SpeechConnection, *, at_once: int = 1) -> list[Connection]:
        """So many tasks together; the connections they had."""

        async def opening() -> Connection:
            return await self.open(where)

        async def one() -> Connection:
            end = self.pool.begin(where, opening)
            connection = self.pool.borrow(where) or await opening()
            await asyncio.sleep(0)
            self.pool.give_back(where, connection)
            end()
            return connection

        return await asyncio.gather(*(one() for _task in range(at_once)))

    async def look(self, *, after: float = LOOK_EVERY) -> None:
        self.now += after
        self.pool.look()
        for _turn in range(4 * AT_ONCE):
            await asyncio.sleep(0)

    @property
    def waiting(self) -> int:
        return self.pool.idle

    async def open(self, where: SpeechConnection) -> Connection:
        self._opening += 1
        self.most_at_once = max(self.most_at_once, self._opening)
        await asyncio.sleep(0)
        self._opening -= 1
        if self.is_away:
            raise Unreachable("away", provider="p")
        self.opened.append(Connection(where.account_key))
        return self.opened[-1]


def kept(story: Callable[[Keeper], Awaitable[None]], *, most: int = 16) -> None:
    async def told() -> None:
        keeper = Keeper(most=most)
        await story(keeper)
        await keeper.pool.close()
        assert keeper.waiting == 0
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(told())


def test_it_opens_ahead_for_who_has_spoken_once() -> None:
    async def story(keeper: Keeper) -> None:
        await keeper.speak(keeper.where())
        await keeper.look()
        assert keeper.waiting == LEAST
        await keeper.look()
        assert len(keeper.opened) == LEAST

    kept(story)


def test_it_opens_ahead_where_somebody_is_expected() -> None:
    async def story(keeper: Keeper) -> None:
        where = keeper.where()
        keeper.pool.expect(where, lambda: keeper.open(where))
        await keeper.look(after=0)
        assert keeper.waiting == LEAST
        (connection,) = await keeper.speak(where)
        assert connection in keeper.opened[:LEAST]
        single = keeper.where("2", reuse=0)
        keeper.pool.expect(single, lambda: keeper.open(single))
        await keeper.look()
        assert len(keeper.opened) == LEAST

    kept(story)


def test_it_keeps_as_many_as_spoke_at_once_and_opens_a_few_at_a_time() -> None:
    async def story(keeper: Keeper) -> None:
        spoke = await keeper.speak(keeper.where(), at_once=10)
        keeper.now += REUSE  # all of them are too old now
        keeper.most_at_once = 0
        for _look in range(4):
            await keeper.look()
        assert all(connection.closed for connection in spoke)
        assert keeper.waiting == 10
        assert keeper.most_at_once == AT_ONCE

    kept(story)


def test_it_keeps_no_more_than_it_may() -> None:
    async def story(keeper: Keeper) -> None:
        await keeper.speak(keeper.where(), at_once=9)
        for _look in range(5):
            await keeper.look()
        assert keeper.waiting == 3
        assert sum(not connection.closed for connection in keeper.opened) == 3

    kept(story, most=3)


def test_it_replaces_what_has_died_while_it_waited() -> None:
    async def story(keeper: Keeper) -> None:
        (connection,) = await keeper.speak(keeper.where())
        await keeper.look()
        connection.is_quiet = False
        await keeper.look()
        assert connection.closed
        assert keeper.waiting == LEAST
        assert keeper.pool.borrow(keeper.where()) is not connection

    kept(story)


def test_it_replaces_what_would_be_too_old_before_it_looks_again() -> None:
    async def story(keeper: Keeper) -> None:
        (connection,) = await keeper.speak(keeper.where())
        await keeper.look(after=REUSE - LOOK_EVERY)
        assert connection.closed
        assert keeper.waiting == LEAST

    kept(story)


def test_it_asks_what_waits_whether_it_lives_and_drops_what_has_not_answered() -> None:
    async def story(keeper: Keeper) -> None:
        (connection,) = await keeper.speak(keeper.where())
        await keeper.look(after=PING_AFTER / 2)
        assert connection.pings == 0
        connection.answers = False
        await keeper.look(after=PING_AFTER)
        assert not connection.closed
        await keeper.look()
        assert (connection.pings, connection.closed) == (2, True)
        assert keeper.waiting == LEAST

    kept(story)


@pytest.mark.parametrize(("account", "key"), [("2", "sk"), ("1", "sk-2")], ids=["account", "credentials"])
def test_what_waits_for_one_account_is_never_anothers(account: str, key: str) -> None:
    async def story(keeper: Keeper) -> None:
        mine, others = keeper.where(), keeper.where(account, key=key)
        await keeper.speak(mine)
        await keeper.look()
        assert keeper.pool.borrow(others) is None
        had = await keeper.speak(others, at_once=3)
        assert {connection.account for connection in had} == {others.account_key}
        await keeper.look()
        while (connection := keeper.pool.borrow(mine)) is not None:
            assert connection not in had
            connection.close()

    kept(story)


def test_it_opens_nothing_for_who_has_not_spoken_for_long() -> None:
    async def story(keeper: Keeper) -> None:
        await keeper.speak(keeper.where())
        await keeper.look(after=FORGET_AFTER + 1)
        assert keeper.waiting == 0
        await keeper.look()
        assert len(keeper.opened) == 1

    kept(story)


def test_it_opens_nothing_ahead_where_a_connection_is_for_one_task() -> None:
    async def story(keeper: Keeper) -> None:
        (connection,) = await keeper.speak(keeper.where(reuse=0))
        await keeper.look()
        assert connection.closed
        assert (keeper.waiting, len(keeper.opened)) == (0, 1)

    kept(story)


def test_it_goes_on_when_the_provider_is_away() -> None:
    async def story(keeper: Keeper) -> None:
        await keeper.speak(keeper.where())
        keeper.is_away = True
        await keeper.look(after=REUSE)
        assert keeper.waiting == 0
        keeper.is_away = False
        await keeper.look()
        assert keeper.waiting == LEAST

    kept(story)
