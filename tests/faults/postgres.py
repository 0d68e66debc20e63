"""A PostgreSQL of our own, in a temporary folder, to be stopped and started at will. Needs `initdb` and `pg_ctl`."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.processes.started import free_port


@dataclass(frozen=True)
class Postgres:
    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"postgres://portal@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}"
        self._control("start", "-o", options, "-l", str(self.folder / "log"))

    def stop(self) -> None:
        """As a crash: nobody is waited for, and connections break."""
        self._control("stop", "-m", "immediate")

    def _control(self, *arguments: str) -> None:
        _as_its_user([_program("pg_ctl"), "-D", str(self.folder / "data"), "-w", *arguments])


@contextlib.contextmanager
def postgres_of_our_own() -> Iterator[Postgres]:
    with tempfile.TemporaryDirectory(prefix="voiceclone-postgres-") as name:
        server = Postgres(Path(name), free_port())
        if os.geteuid() == 0:
            shutil.chown(name, "postgres")
        _as_its_user([_program("initdb"), "-D", f"{name}/data", "-U", "portal", "-A", "trust", "-E", "UTF8"])
        server.start()
        try:
            yield server
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):
                server.stop()


def _program(name: str) -> str:
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = str(installed[-1]) if installed else shutil.which(name)
    if not found:
        raise SystemExit(f"{name} is missing. Install PostgreSQL's server programs, such as postgresql on Debian.")
    return found


def _as_its_user(command: list[str]) -> None:
    """PostgreSQL's server refuses to run as root."""
    if os.geteuid() == 0:
        command = ["runuser", "-u", "postgres", "--", *command]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
