"""A database and a data directory of a benchmark's own, gone when it ends."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

ROOT = Path(__file__).resolve().parent.parent.parent


@contextmanager
def scratch(server: str = "") -> Iterator[Mapping[str, str]]:
    """The environment of a portal that is migrated and empty: on SQLite, or at a PostgreSQL server given as postgres://…/any."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "DATA_DIR": folder, "LOG_LEVEL": "ERROR"}
        if not server:
            yield _migrated({**environment, "DATABASE_URL": f"sqlite:///{folder}/portal.sqlite3"})
            return
        name = f"benchmark_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
            try:
                address = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
                yield _migrated({**environment, "DATABASE_URL": address})
            finally:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _migrated(environment: Mapping[str, str]) -> Mapping[str, str]:
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    return environment
