"""The relay in processes of its own, with many at once: a storm, a revoked token, a stop. Its provider speaks to a clock."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.clients import Heard, PortalClient
from tests.benchmarks.speech import (
    PATH,
    ROOT,
    Portal,
    free_port,
    listening,
    next_text,
    portal,
    portal_clients,
    running,
    web_process,
)
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
    with ExitStack() as stack:
        address = stack.enter_context(a_clock_that_speaks(tmp_path))
        database = stack.enter_context(database_of_its_own(f"test_relay_{free_port()}"))
        yield stack.enter_context(portal(address, **(database or database_in(tmp_path))))


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


def listeners_of(port: int) -> int:
    """Connections of clients that this port still holds, half-closed ones too."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    held = {"01", "08"}  # ESTABLISHED, CLOSE_WAIT
    return sum(int(line[1].rpartition(":")[2], 16) == port and line[3] in held for line in lines)


def sockets_of(pid: int) -> int:
    return sum(str(link.readlink()).startswith("socket:") for link in Path(f"/proc/{pid}/fd").iterdir())


def threads_of(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


async def storm(where: Portal, count: int, *, at_once: int, cut: float) -> Counter[str]:
    """`cut` of the requests hang up at a random moment."""
    chance = random.Random(5)
    gate = asyncio.Semaphore(at_once)
    ended: Counter[str] = Counter()

    async def one() -> None:
        async with gate:
            transport, client = await asyncio.get_running_loop().create_connection(
                PortalClient, "127.0.0.1", where.port
            )
            speaking = asyncio.create_task(
                client.speak(next_text(tiny=False), token=where.token, voice=where.voice, path=PATH)
            )
            if chance.random() < cut:
                await asyncio.sleep(chance.random() * 0.7)
                transport.abort()
                speaking.cancel()
                ended["cut"] += 1
            else:
                heard: Heard = await speaking
                ended["whole" if heard.whole else heard.error or "other bytes"] += 1
            transport.close()

    await asyncio.gather(*(one() for _request in range(count)))
    return ended


def test_a_storm_leaves_nothing_behind(where: Portal) -> None:
    asyncio.run(storm(where, 20, at_once=20, cut=0.3))  # what stays for good is there from now on
    rows(where)
    threads = threads_of(where.pid)
    ended = asyncio.run(storm(where, 1000, at_once=AT_ONCE, cut=1 / 3))
    assert set(ended) == {"whole", "cut"}, ended
    found = rows(where)
    states = Counter(row["state"] for row in found)
    assert states["Failed"] == 0, found
    assert states["Success"] >= ended["whole"]
    assert all(row["characters"] == row["characters_expected"] for row in found if row["state"] == "Success")
    eventually(lambda: listeners_of(where.port) == 0, seconds=20, what="no client's socket left behind")
    # What is left are warm connections to the provider, no more than spoke at once.
    assert sockets_of(where.pid) <= AT_ONCE + 10
    assert threads_of(where.pid) <= threads + 2


def test_a_token_revoked_in_flight_is_refused_on_each_of_two_processes(where: Portal) -> None:
    with web_process(where) as second:
        both = [where, second]

        async def run() -> list[list[Heard]]:
            async with AsyncExitStack() as stack:
                clients = [
                    client for each in both for client in await stack.enter_async_context(portal_clients(51, each))
                ]
                late = [clients.pop(50), clients.pop()]
                flying = [asyncio.create_task(client(next_text(tiny=False))) for client in clients]
                await asyncio.sleep(0.4)
                await asyncio.to_thread(manage, where, REVOKE)
                return [await asyncio.gather(*flying), [await client(next_text(tiny=False)) for client in late]]

        flown, late = asyncio.run(run())
    # On a slow machine some had not been let in yet; whoever had been is heard to the end.
    assert all(heard.whole or "token_revoked" in heard.error for heard in flown), flown
    assert sum(heard.whole for heard in flown) >= 10
    assert ["401" in heard.error and "token_revoked" in heard.error for heard in late] == [True, True]


def test_what_is_still_being_spoken_when_it_is_told_to_stop_may_end(where: Portal) -> None:
    async def run() -> list[Heard]:
        async with portal_clients(50, where) as clients:
            flying = [asyncio.create_task(client(next_text(tiny=False))) for client in clients]
            await asyncio.sleep(0.35)
            os.kill(where.pid, signal.SIGTERM)
            return await asyncio.gather(*flying)

    heard = asyncio.run(run())
    states = Counter(row["state"] for row in rows(where))
    assert sum(each.whole for each in heard) == states["Success"] == 50
