"""Added time to first audio, and what it costs: `python -m tests.benchmarks.speech [--short]`.

In one run, against one paced upstream (upstream.py): a raw client straight to it, the provider's SDK straight to it (a connection
for each call, and its pool), the portal's web process with a real token check, hold and job row, and a relay that only relays
(bare.py), which says how fast this machine is now, without and with one look-up and one insert by the ORM. Every answer is
compared to the byte with what the upstream sent. DATABASE_URL chooses the database; without it a fresh SQLite file.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import itertools
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from tests.benchmarks.clients import (
    MODEL,
    VOICE,
    Heard,
    PortalClient,
    RawClient,
    point_the_sdk_at,
    sdk_pool,
    speak_by_sdk,
)
from tests.benchmarks.upstream import CHUNKS, EVERY, FIRST

ROOT = Path(__file__).resolve().parent.parent.parent
PATH = "/api/v1/speech"
LENGTH = FIRST + (CHUNKS - 1) * EVERY
_numbers = itertools.count(1)

SETUP = """
from voiceclone_site.accounts.models import User
from voiceclone_site.accounts.services import issue_token
from voices.models import ProviderAccount, VoiceClone
import json, os
user, _made = User.objects.get_or_create(email="bench@example.com")
account, _made = ProviderAccount.objects.update_or_create(
    provider="aliyun", name="benchmark",
    defaults=dict(origin="admin", credentials={"api_key": "sk-bench"}, voice_cap=9, synthesis_rate=1e6,
                  endpoints={"http": "http://127.0.0.1:1/", "websocket": os.environ["UPSTREAM"]}))
voice, _made = VoiceClone.objects.update_or_create(
    owner=user, account=account, remote_id=os.environ["VOICE"],
    defaults=dict(provider="aliyun", model=os.environ["MODEL"], language="zh", name="Bench", state="Success"))
_row, token = issue_token(user, name="bench", scopes=["speech"], expires_at=None)
print(json.dumps([token.text, str(voice.pk)]))
"""


@dataclass(frozen=True)
class Portal:
    port: int
    pid: int
    token: str
    voice: str
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Figures:
    """Seconds to the first audio; CPU seconds and requests of the whole run."""

    firsts: Sequence[float]
    errors: int
    requests: int
    cpu: float

    @property
    def median(self) -> float:
        return statistics.median(self.firsts)

    @property
    def p95(self) -> float:
        return sorted(self.firsts)[min(len(self.firsts) - 1, int(len(self.firsts) * 0.95))]


# --- the machinery ---------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def listening(port: int) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


@contextmanager
def running(module: str, *arguments: str, environment: Mapping[str, str], log: Path) -> Iterator[int]:
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments], cwd=ROOT, env=environment, stdout=out, stderr=out
        )
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


@contextmanager
def portal(upstream: str, **more: str) -> Iterator[Portal]:
    """`more`: further settings of its environment."""
    with tempfile.TemporaryDirectory(prefix="speech-benchmark-") as folder:
        port = free_port()
        environment = os.environ | {"DATA_DIR": folder, "PORT": str(port), "UPSTREAM": upstream, **more}
        environment |= {"MODEL": MODEL, "VOICE": VOICE, "LOG_LEVEL": "WARNING", "REQUESTS_PER_MINUTE": "1000000"}
        manage = [sys.executable, "manage.py"]
        subprocess.run([*manage, "migrate", "-v", "0"], cwd=ROOT, env=environment, check=True)
        made = subprocess.run(
            [*manage, "shell", "-v", "0", "-c", SETUP], cwd=ROOT, env=environment, check=True, capture_output=True
        )
        token, voice = json.loads(made.stdout)
        log = Path(folder) / "web.log"
        with running("voiceclone_site.supervisor.web", environment=environment, log=log) as pid:
            listening(port)
            yield Portal(port=port, pid=pid, token=token, voice=voice, environment=environment)
        if said := log.read_text().strip():
            print(f"--- the portal said:\n{said[-3000:]}")


@contextmanager
def web_process(first: Portal) -> Iterator[Portal]:
    """Another one, on the same rows."""
    port = free_port()
    environment = {**first.environment, "PORT": str(port)}
    log = Path(first.environment["DATA_DIR"]) / "second.log"
    with running("voiceclone_site.supervisor.web", environment=environment, log=log) as pid:
        listening(port)
        yield dataclasses.replace(first, port=port, pid=pid)


@contextmanager
def bare_relay(beside: Portal, upstream_port: int, *more: str) -> Iterator[Portal]:
    """Asked as the portal is (bare.py)."""
    port = free_port()
    environment = {**beside.environment, "DJANGO_SETTINGS_MODULE": "voiceclone_site.settings"}
    log = Path(environment["DATA_DIR"]) / f"bare{'-'.join(more)}.log"
    arguments = (str(port), str(upstream_port), *more)
    with running("tests.benchmarks.bare", *arguments, environment=environment, log=log) as pid:
        listening(port)
        yield dataclasses.replace(beside, port=port, pid=pid)


def cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(pid: int) -> float:
    """MB of a process and all beneath it, shared pages counted once (PSS)."""
    whole = 0.0
    for found in Path("/proc").glob("[0-9]*"):
        try:
            if int(found.name) == pid or _parent(found) == pid:
                rollup = (found / "smaps_rollup").read_text()
                whole += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024
        except (OSError, StopIteration):
            continue
    return whole


def _parent(process: Path) -> int:
    return int((process / "stat").read_text().rpartition(")")[2].split()[1])


# --- who asks how ----------------------------------------------------------------------------------------------------

Speak = Callable[[str], Coroutine[Any, Any, Heard]]


def next_text(tiny: bool) -> str:
    return f"{'tiny' if tiny else 'Speech'} number {next(_numbers)}"


@asynccontextmanager
async def portal_clients(count: int, where: Portal) -> AsyncIterator[list[Speak]]:
    loop = asyncio.get_running_loop()
    clients = [(await loop.create_connection(PortalClient, "127.0.0.1", where.port))[1] for _client in range(count)]

    def asking(client: PortalClient) -> Speak:
        return lambda text: client.speak(text, token=where.token, voice=where.voice, path=PATH)

    try:
        yield [asking(client) for client in clients]
    finally:
        for client in clients:
            client.close()
        await asyncio.sleep(0.01)


@asynccontextmanager
async def raw_clients(count: int, port: int) -> AsyncIterator[list[Speak]]:
    loop = asyncio.get_running_loop()
    clients = [(await loop.create_connection(RawClient, "127.0.0.1", port))[1] for _client in range(count)]
    for client in clients:
        await client.ready()
    try:
        yield [client.speak for client in clients]
    finally:
        for client in clients:
            client.close()
        await asyncio.sleep(0.01)


async def closed_loop(clients: Sequence[Speak], *, each: int, tiny: bool = False, pid: int = 0) -> Figures:
    """Every client asks again as soon as it has heard the last; they begin spread over one clip."""
    heard: list[Heard] = []

    async def work(place: int, speak: Speak) -> None:
        await asyncio.sleep(0 if tiny else LENGTH * place / len(clients))
        for _time in range(each):
            heard.append(await speak(next_text(tiny)))

    before = cpu_of(pid) if pid else 0.0
    await asyncio.gather(*(work(place, speak) for place, speak in enumerate(clients)))
    return figures(heard, cpu=cpu_of(pid) - before if pid else 0.0)


async def burst(clients: Sequence[Speak], *, pid: int = 0) -> Figures:
    """All at once."""
    before = cpu_of(pid) if pid else 0.0
    heard = await asyncio.gather(*(speak(next_text(tiny=False)) for speak in clients))
    return figures(heard, cpu=cpu_of(pid) - before if pid else 0.0)


def figures(heard: Sequence[Heard], *, cpu: float) -> Figures:
    good = [each.first for each in heard if each.whole and not each.error]
    for each in [each for each in heard if not each.whole or each.error][:2]:
        print(f"    not whole: {each.error or 'other bytes than were sent'}")
    return Figures(good or [float("nan")], len(heard) - len(good), len(heard), cpu)


def by_sdk(count: int, *, each: int, pooled: bool) -> Figures:
    pool = sdk_pool(count) if pooled else None
    if pooled:
        time.sleep(1.0)  # it fills its pool in a thread of its own
    with ThreadPoolExecutor(count) as threads:
        heard = list(threads.map(lambda _n: speak_by_sdk(next_text(tiny=False), pool=pool), range(count * each)))
    if pool is not None:
        pool.shutdown()
    return figures(heard, cpu=0.0)


# --- the table -------------------------------------------------------------------------------------------------------


def row(name: str, ours: Figures, raw: Figures) -> str:
    added = [first - raw.median for first in ours.firsts]
    p95 = sorted(added)[min(len(added) - 1, int(len(added) * 0.95))]
    cpu = ours.cpu / ours.requests * 1000
    return (
        f"{name:<14}{ours.requests:>6}{ours.errors:>5}{raw.median * 1e3:>9.1f}{ours.median * 1e3:>9.1f}"
        f"{(ours.median - raw.median) * 1e3:>9.2f}{p95 * 1e3:>9.2f}{(ours.p95 - raw.p95) * 1e3:>9.2f}{cpu:>9.2f}"
    )


async def measure(
    where: Portal, bare: Portal, with_rows: Portal, upstream_port: int, *, short: bool, levels: Sequence[int]
) -> None:
    print("times in ms; cpu: seconds of the web process for 1000 requests, on this machine, now")
    print("bare: a relay that only relays; rows: and for each request looks one row up by the ORM and writes one")
    relays = (("  bare", bare), ("  rows", with_rows))
    print(f"{'':<14}{'n':>6}{'err':>5}{'raw':>9}{'portal':>9}{'added':>9}{'p95':>9}{'p95-p95':>9}{'cpu':>9}")
    for each_of_all in (where, bare, with_rows):  # to warm everything up, at both ends
        async with portal_clients(4, each_of_all) as clients:
            await closed_loop(clients, each=2)
    idle = memory_of(where.pid)
    for level in levels:
        each = min(24, max(2, (128 if short else 512) // level))
        async with raw_clients(level, upstream_port) as clients:
            raw = await closed_loop(clients, each=each)
        for name, relay in ((f"at {level}", where), *relays):
            async with portal_clients(level, relay) as clients:
                print(row(name, await closed_loop(clients, each=each, pid=relay.pid), raw), flush=True)
    for _round in range(1 if short else 3):
        async with raw_clients(64, upstream_port) as clients:
            raw = await burst(clients)
        for name, relay in (("burst of 64", where), *relays):
            async with portal_clients(64, relay) as clients:
                print(row(name, await burst(clients, pid=relay.pid), raw), flush=True)
    each = 20 if short else 100
    async with raw_clients(16, upstream_port) as clients:
        raw = await closed_loop(clients, each=each, tiny=True)
    for name, relay in (("tiny, 16", where), *relays):
        async with portal_clients(16, relay) as clients:
            print(row(name, await closed_loop(clients, each=each, tiny=True, pid=relay.pid), raw), flush=True)
    print(f"memory of the web process: {idle:.0f} MB when warm, {memory_of(where.pid):.0f} MB at the end")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a minute instead of several")
    parser.add_argument("--levels", default="1,8,32,64,128,256,512")
    parser.add_argument("--no-sdk", action="store_true")
    options = parser.parse_args()
    levels = [1, 8, 64] if options.short else [int(level) for level in options.levels.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        log = Path(folder) / "upstream.log"
        environment = dict(os.environ)
        with running("tests.benchmarks.upstream", str(port), environment=environment, log=log):
            listening(port)
            address = f"ws://127.0.0.1:{port}/"
            with portal(address) as where, bare_relay(where, port) as bare, bare_relay(where, port, "--rows") as rows:
                uvloop.run(measure(where, bare, rows, port, short=options.short, levels=levels))
                if not options.no_sdk:
                    point_the_sdk_at(address)
                    ours = uvloop.run(_at_eight(where))
                    for pooled in (False, True):
                        sdk = by_sdk(8, each=4, pooled=pooled)
                        kind = "its pool" if pooled else "a connection for each call"
                        print(
                            f"SDK with {kind}, at 8: {sdk.median * 1e3:.1f} ms ({sdk.errors} errors); "
                            f"the portal is at {ours.median / sdk.median:.2f} of it"
                        )


async def _at_eight(where: Portal) -> Figures:
    async with portal_clients(8, where) as clients:
        return await closed_loop(clients, each=4)


if __name__ == "__main__":
    main()
