"""A rush from other processes upon the test's own database: committed rows, real connections, nothing shared but the database.

    outcomes = rush("tests.voices.test_ledger.speak_once", tmp_path, user=…, voice=…)    # 2 processes of 25 threads

SQLite's in-memory database is copied into a file for the while, and copied back.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection, connections
from django.utils.module_loading import import_string

ROOT = Path(__file__).resolve().parent.parent


def rush(work: str, folder: Path, *, processes: int = 2, threads: int = 25, **given: Any) -> list[str]:
    """What each of `processes` x `threads` calls of the function named `work`, all let go at once, returned.

    `given` reaches every call as keywords, with its `number`. Needs a transactional test.
    """
    copy = folder / "rush.sqlite3"
    if connection.vendor == "sqlite":
        with contextlib.closing(sqlite3.connect(copy)) as file:
            connection.ensure_connection()
            connection.connection.backup(file)
            # Here, not by whoever comes first: SQLite refuses at once, whatever the timeout, when two turn to WAL together.
            file.execute("PRAGMA journal_mode=WAL")
        url = f"sqlite:///{copy}"
    else:
        named = connection.settings_dict
        url = f"postgres://{named['USER']}:{named['PASSWORD']}@{named['HOST']}:{named['PORT']}/{named['NAME']}"
    environment = os.environ | {
        "DATABASE_URL": url,
        "DATA_DIR": str(folder / "rush"),
        "ENCRYPTION_KEYS": ",".join(settings.ENCRYPTION_KEYS),
        "DJANGO_SETTINGS_MODULE": "voiceclone_site.settings",
        "LOG_LEVEL": "ERROR",
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.rush", work, str(threads), str(number * threads), json.dumps(given)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(processes)
    ]
    try:
        outcomes = _let_go(started)
    finally:
        for each in started:
            each.kill()
            each.communicate()
    if connection.vendor == "sqlite":
        with contextlib.closing(sqlite3.connect(copy)) as file:
            file.backup(connection.connection)
    return outcomes


def _let_go(started: list[subprocess.Popen[str]]) -> list[str]:
    for each in started:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in started:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    outcomes: list[str] = []
    for each in started:
        said, _nothing = each.communicate(timeout=120)
        assert each.returncode == 0
        outcomes += json.loads(said)
    return outcomes


def _one_process(work: Callable[..., str], *, threads: int, first: int, given: dict[str, Any]) -> list[str]:
    gate = threading.Barrier(threads)

    def one(number: int) -> str:
        try:
            _connect()
            gate.wait(timeout=60)
            return work(number=number, **given)
        except BaseException:
            gate.abort()  # who waits for one that never comes would wait for ever
            raise
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=threads) as pool:
        return list(pool.map(one, range(first, first + threads)))


def _connect() -> None:
    """A server that has given all its connections to the tests beside this one has some again when they end."""
    until = time.monotonic() + 30
    while True:
        try:
            return connection.ensure_connection()
        except OperationalError:
            if time.monotonic() > until:
                raise
            threading.Event().wait(0.1)


def main() -> None:
    import django

    django.setup()
    work = import_string(sys.argv[1])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    answers = _one_process(work, threads=int(sys.argv[2]), first=int(sys.argv[3]), given=json.loads(sys.argv[4]))
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    main()
