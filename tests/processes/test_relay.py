"""The relay in processes of its own, with many at once: a storm, a revoked token, a stop.

What one process does with many is asked of a web server in the test's own (tests/synthesis/test_streams.py).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.benchmarks.speech import (
    PATH,
    ROOT,
    Portal,
    free_port,
    listening,
    next_text,
    portal,
    running,
    web_process,
)
from tests.benchmarks.upstream import CHUNK_BYTES, CHUNKS, audio_of
from tests.clockwork import Clockwork
from tests.front import ends_of
from tests.listeners import Listener
from tests.prepared import database_in
from tests.processes.eventually import eventually
from tests.processes.started import database_of_its_own

AT_ONCE = 60

STATES = """
import json
from synthesis.models import SynthesisJob
from voices import books
rows = list(SynthesisJob.objects.values("state", "error_code", "characters", "characters_expected", "intent", "lease_token"))
print(json.dumps([rows, [str(each) for each in books.discrepancies()]], default=str))
"""
REVOKE = """
from django.utils import timezone
from voiceclone_site.accounts.models import ApiToken
ApiToken.objects.update(revoked_at=timezone.now())
"""


@contextmanager
def a_clock_that_speaks(folder: Path) -> Iterator[str]:
    port = free_port()
    with running("tests.benchmarks.upstream", str(port), environment=dict(os.environ), log=folder / "upstream.log"):
        listening(port)
        yield f"ws://127.0.0.1:{port}/"


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Portal]:
    with a_clock_that_speaks(tmp_path) as address, a_portal(address, tmp_path) as started:
        yield started


@pytest.fixture
def held(clockwork: Clockwork, tmp_path: Path) -> Iterator[Portal]:
    """Whose provider goes on when the test says so."""
    with a_portal(clockwork.address, tmp_path) as started:
        yield started


@contextmanager
def a_portal(upstream: str, folder: Path) -> Iterator[Portal]:
    with (
        database_of_its_own(f"test_relay_{free_port()}") as database,
        portal(upstream, **(database or database_in(folder))) as started,
    ):
        yield started


def manage(where: Portal, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v", "0", "-c", code],
        cwd=ROOT,
        env=where.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def rows(where: Portal) -> list[dict[str, Any]]:
    """Once all are terminal; and the ledger agrees with its meters."""

    def terminal() -> bool:
        found, wrong = json.loads(manage(where, STATES))
        assert wrong == []
        seen[:] = found
        return all(row["state"] in {"Success", "Failed", "Cancelled"} for row in found)

    seen: list[dict[str, Any]] = []
    eventually(terminal, seconds=30, what="every row terminal")
    assert {(row["intent"], row["lease_token"]) for row in seen} <= {("", None)}
    return seen


def sockets_of(where: Portal) -> int:
    """That a web process has open, but for two pools that keep what was open at once: its connections to the provider, some of
    which are warm, and those to Redis, one for each thread at most."""
    redis = urlsplit(where.environment.get("REDIS_URL", "")).port or 6379
    kept = {urlsplit(where.environment["UPSTREAM"]).port, redis}
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    pooled = {f"socket:[{line[9]}]" for line in lines if int(line[2].rpartition(":")[2], 16) in kept}
    opened = [str(link.readlink()) for link in Path(f"/proc/{where.pid}/fd").iterdir()]
    return sum(each.startswith("socket:") and each not in pooled for each in opened)


def threads_of(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def ask(where: Portal, text: str) -> Awaitable[Listener]:
    body = {"voice": where.voice, "text": text, "format": "pcm"}
    return Listener.ask(where.port, body, token=where.token, path=PATH)


async def storm(where: Portal, count: int, *, at_once: int, cut: float) -> Counter[str]:
    """`cut` of the requests hang up: as soon as they have asked, or behind any piece of what they hear."""
    chance = random.Random(5)
    gate = asyncio.Semaphore(at_once)
    ended: Counter[str] = Counter()

    async def one() -> None:
        async with gate:
            text = next_text(tiny=False)
            listener = await ask(where, text)
            if chance.random() < cut:
                if pieces := chance.randrange(CHUNKS):
                    await listener.first_audio()
                    await listener.more(until=pieces * CHUNK_BYTES)
                ended["cut"] += 1
            else:
                await listener.first_audio()
                ended["whole" if await listener.the_rest() == audio_of(text) else f"{listener.status}"] += 1
            listener.leave()

    await asyncio.gather(*(one() for _request in range(count)))
    return ended


def test_a_storm_leaves_nothing_behind(where: Portal) -> None:
    asyncio.run(storm(where, 60, at_once=AT_ONCE, cut=0.3))  # what stays for good is there from now on
    rows(where)
    threads, sockets = threads_of(where.pid), sockets_of(where)
    ended = asyncio.run(storm(where, 1000, at_once=AT_ONCE, cut=1 / 3))
    assert set(ended) == {"whole", "cut"}, ended
    found = rows(where)
    states = Counter(row["state"] for row in found)
    assert states["Failed"] == 0, found
    assert states["Success"] >= ended["whole"]
    assert all(row["characters"] == row["characters_expected"] for row in found if row["state"] == "Success")
    eventually(lambda: ends_of({where.port}) == 0, seconds=20, what="no client's socket left behind")
    # One for admission and one for settling at most: each keeps its connection, and is made when all others are busy.
    more = threads_of(where.pid) - threads
    assert more <= 2
    eventually(lambda: sockets_of(where) <= sockets + max(more, 0), seconds=20, what="the sockets that there were")


async def all_begun(wheres: Sequence[Portal], count: int) -> list[tuple[str, Listener]]:
    """So many who hear the first of what they asked for, and no more until the provider goes on."""
    texts = [f"hold {number}" for number in range(count)]
    begun = [(text, await ask(wheres[number % len(wheres)], text)) for number, text in enumerate(texts)]
    await asyncio.gather(*(listener.first_audio() for _text, listener in begun))
    assert {listener.status for _text, listener in begun} == {200}
    return begun


async def heard_whole(begun: Sequence[tuple[str, Listener]]) -> None:
    for text, listener in begun:
        assert await listener.the_rest() == audio_of(text)
        listener.leave()


def test_a_token_revoked_in_flight_is_refused_on_each_of_two_processes(held: Portal, clockwork: Clockwork) -> None:
    async def run(both: list[Portal]) -> None:
        begun = await all_begun(both, 100)
        await asyncio.to_thread(manage, held, REVOKE)
        for each in both:
            late = await ask(each, "whole 1")
            await late.first_audio()
            assert late.status == 401
            assert b"token_revoked" in late.heard
            late.leave()
        clockwork.go_on()
        await heard_whole(begun)

    with web_process(held) as second:
        asyncio.run(run([held, second]))
    assert Counter(row["state"] for row in rows(held)) == {"Success": 100}


def test_what_is_still_being_spoken_when_it_is_told_to_stop_may_end(held: Portal, clockwork: Clockwork) -> None:
    async def run() -> None:
        begun = await all_begun([held], 50)
        os.kill(held.pid, signal.SIGTERM)
        await asyncio.to_thread(eventually, lambda: not listens(held.port), what="nobody let in any more")
        clockwork.go_on()
        await heard_whole(begun)

    asyncio.run(run())
    assert Counter(row["state"] for row in rows(held)) == {"Success": 50}


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True
