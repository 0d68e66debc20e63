"""What every portal makes when it starts for the first time, made once for a whole run: its tables, and the gathered static files.

Both take longer than all the rest of a start. The test's own database is filled from the same file, so that of all the processes
of a run one migrates; PostgreSQL's are migrated one by one. What asks about a first start itself begins with nothing
(tests/processes/test_starting.py).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core import management
from django.db import connection

from tests.environment import OF_THIS_RUN

ROOT = Path(__file__).resolve().parent.parent
DATABASE = OF_THIS_RUN / "portal.sqlite3"
STATIC = OF_THIS_RUN / "static"
GATHER = """
import django
django.setup()
from voiceclone_site.supervisor.management.commands.prepare import Command
Command().collect_static()
"""


def place(folder: Path) -> None:
    """A portal that starts in this folder finds its tables (in SQLite) and its static files there."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_database(), folder / DATABASE.name)
    shutil.copytree(_static(), folder / STATIC.name)


def database_in(folder: Path) -> dict[str, str]:
    """What to add to an environment for a migrated SQLite database in this folder."""
    return {"DATABASE_URL": f"sqlite:///{shutil.copyfile(_database(), folder / DATABASE.name)}"}


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """The first `migrate`, which is that of the test's database, is one for the whole run."""
    if connection.vendor != "sqlite":
        return
    real = management.call_command

    def once(name: Any, *arguments: Any, **options: Any) -> str:
        if name != "migrate":
            return str(real(name, *arguments, **options))
        management.call_command = real
        with _alone("database"):
            if DATABASE.exists():
                with contextlib.closing(sqlite3.connect(DATABASE)) as file:
                    connection.ensure_connection()
                    file.backup(connection.connection)
            else:
                real(name, *arguments, **options)
                _keep(connection.connection)
        return ""

    management.call_command = once  # type: ignore[assignment]


def _database() -> Path:
    with _alone("database"):
        if not DATABASE.exists():
            home = OF_THIS_RUN / "migrating"
            _run(["manage.py", "migrate", "-v", "0"], home)
            with contextlib.closing(sqlite3.connect(home / DATABASE.name)) as made:
                _keep(made)
    return DATABASE


def _keep(migrated: sqlite3.Connection) -> None:
    """Whole or not at all; in the mode that portals turn their database to."""
    unfinished = DATABASE.with_suffix(".unfinished")
    with contextlib.closing(sqlite3.connect(unfinished)) as file:
        migrated.backup(file)
        file.execute("PRAGMA journal_mode=WAL")
    unfinished.rename(DATABASE)


def _static() -> Path:
    with _alone("static"):
        if not STATIC.exists():
            home = OF_THIS_RUN / "gathering"
            _run(["-c", GATHER], home)
            (home / STATIC.name).rename(STATIC)
    return STATIC


def _run(arguments: list[str], home: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "voiceclone_site.settings"}
    subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment | {"DATA_DIR": str(home)}, check=True)


@contextlib.contextmanager
def _alone(name: str) -> Iterator[None]:
    """Of the processes of this run."""
    with (OF_THIS_RUN / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
