"""A whole portal in processes of its own, started as script/server starts it, on free ports and a folder that goes away."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import requests

from tests.processes.eventually import eventually
from voiceclone_site.sandbox.remote import Sandbox

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 90.0
STOP_SECONDS = 40.0


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
    return port


@dataclass
class Started:
    """`Started.portal(data_dir)` is running and ready; `text` is what it has said."""

    process: subprocess.Popen[str]
    data_dir: Path
    port: int
    sandbox_port: int
    environment: Mapping[str, str]
    said: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def sandbox(self) -> Sandbox:
        return Sandbox(self.sandbox_port)

    @property
    def text(self) -> str:
        return "".join(self.said)

    def is_ready(self) -> bool:
        assert self.process.poll() is None, f"The portal ended:\n{self.text}\n{self.logs()}"
        return "The portal is ready" in self.text

    def readyz(self) -> tuple[int, dict[str, Any]]:
        """Status and checks; 0 while nobody answers."""
        try:
            answer = requests.get(f"{self.address}/readyz", timeout=10)
        except requests.ConnectionError:
            return 0, {}
        return answer.status_code, answer.json()["checks"]

    def logs(self) -> str:
        return "\n".join(
            f"== {log.name}\n{log.read_text()[-3000:]}" for log in sorted(self.data_dir.glob("logs/*.log"))
        )

    def leader(self, name: str) -> int:
        """The process that leads a group, which is also the group's id; 0 while there is none."""
        marks = {
            "sandbox": b"manage.py\0sandbox",
            "worker": b"manage.py\0work\0default",
            "worker_slow": b"manage.py\0work\0slow",
            "web": b"voiceclone_site.supervisor.web\0",
        }
        found = [
            pid for pid, line in processes_of(self.data_dir).items() if marks[name] in line and os.getpgid(pid) == pid
        ]
        return found[0] if found else 0

    def kill(self, name: str) -> None:
        """kill -9 of every process of a group. Raises ProcessLookupError while there is none."""
        os.killpg(self._living(name), signal.SIGKILL)

    def ask_to_stop(self, name: str) -> None:
        """SIGTERM to a group's leader. Raises ProcessLookupError while there is none."""
        os.kill(self._living(name), signal.SIGTERM)

    def _living(self, name: str) -> int:
        # To signal process or group 0 is to signal oneself, and whoever started us.
        if not (leader := self.leader(name)):
            raise ProcessLookupError(f"{name} is between its end and its next start")
        return leader

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def sql(self, statement: str) -> None:
        """Change the portal's rows behind its back, as only the passing of time does."""
        url = self.environment.get("DATABASE_URL")
        if url:
            with psycopg.connect(url) as server:
                server.execute(statement)
            return
        with contextlib.closing(sqlite3.connect(self.data_dir / "portal.sqlite3", timeout=20)) as file, file:
            file.execute(statement)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the portal's database holds."""
        url = self.environment.get("DATABASE_URL")
        if url:
            with psycopg.connect(url) as server:
                return server.execute(query).fetchall()
        with contextlib.closing(sqlite3.connect(self.data_dir / "portal.sqlite3", timeout=20)) as file:
            return file.execute(query).fetchall()

    def let_time_pass(self, table: str) -> None:
        """The leases of the dead run out, and what was planned for later is due."""
        self.sql(f"UPDATE {table} SET lease_until = '2000-01-01 00:00:00' WHERE lease_until IS NOT NULL")  # noqa: S608
        self.sql(f"UPDATE {table} SET due_at = '2000-01-01 00:00:00' WHERE due_at IS NOT NULL")  # noqa: S608

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop, and wait until it has; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)


def environment_for(data_dir: Path, *, port: int, sandbox_port: int, **more: str) -> dict[str, str]:
    """Nothing but what a bare machine has, and what the contract names."""
    bare = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return bare | {"DATA_DIR": str(data_dir), "PORT": str(port), "SANDBOX_PORT": str(sandbox_port)} | more


def supervisor(environment: Mapping[str, str], *, output: int = subprocess.PIPE) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "voiceclone_site.supervisor"],
        cwd=ROOT,
        env=environment,
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextlib.contextmanager
def portal(data_dir: Path, **more: str) -> Iterator[Started]:
    """A portal that is ready. Whatever the test did to it, nothing of it is left afterwards."""
    port, sandbox_port = free_port(), free_port()
    environment = environment_for(data_dir, port=port, sandbox_port=sandbox_port, **more)
    process = supervisor(environment)
    started = Started(process, data_dir, port, sandbox_port, environment)
    listener = threading.Thread(target=_listen, args=(process, started.said), daemon=True)
    listener.start()
    try:
        eventually(started.is_ready, seconds=START_SECONDS, what="the portal is ready")
        yield started
    finally:
        if process.poll() is None:
            started.end()
        for pid in processes_of(data_dir):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        listener.join(10)
        assert process.stdout is not None
        process.stdout.close()


@contextlib.contextmanager
def database_of_its_own(name: str) -> Iterator[dict[str, str]]:
    """What to add to a portal's environment so that it runs on what the suite runs on: a new PostgreSQL database, or nothing."""
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith("postgres"):
        yield {}
        return
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        server.execute(f'CREATE DATABASE "{name}"')
        try:
            yield {"DATABASE_URL": urlunsplit(urlsplit(url)._replace(path=f"/{name}"))}
        finally:
            server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def processes_of(data_dir: Path) -> dict[int, bytes]:
    """Every living process that was started for this folder, however deep: its id and its command line.

    All of them inherit DATA_DIR; a process that has died and waits to be collected has no environment any more.
    """
    mark = f"DATA_DIR={data_dir}".encode()
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found[int(entry.name)] = (entry / "cmdline").read_bytes()
    return found


def _listen(process: subprocess.Popen[str], said: list[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
