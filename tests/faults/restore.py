"""The backup of docs/operating.md, and everything else gone: restored into an empty place, a voice still speaks.

    python -m tests.faults.restore

On SQLite; on PostgreSQL where DATABASE_URL names one (with pg_dump and psql). That the voice speaks shows that the provider's
credentials were decrypted; that the token still opens the door, that the rows are there; that the recording is the same, the files.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import requests

from tests.faults.figures import judged, say
from tests.processes.alice import Alice
from tests.processes.started import ROOT, Started, database_of_its_own, free_port, portal

SQLITE = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).backup(sqlite3.connect(sys.argv[2]))"


def main() -> int:
    with (
        tempfile.TemporaryDirectory(prefix="voiceclone-faults-") as name,
        database_of_its_own(f"faults_{free_port()}") as database,
        database_of_its_own(f"faults_{free_port()}") as empty_database,
    ):
        folder, backup, place = (Path(name) / part for part in ("portal", "backup", "place"))
        with portal(folder, **database) as started:
            alice = Alice(started)
            started.sandbox.configure(train_seconds=0.5)
            voice = alice.order_voice()
            alice.sees("voices", voice, "Success")
            recording = sample(started, alice, voice)
            began = time.monotonic()
            back_up(started, backup)
            say(f"Backed up while it ran, in {time.monotonic() - began:.1f} s.")
        began = time.monotonic()
        restore(backup, place, empty_database)
        # The sandbox stands for the provider, whose voices are no part of our backup and not lost with us.
        shutil.copytree(folder / "sandbox", place / "sandbox")
        shutil.rmtree(folder)
        with portal(place, **empty_database) as again:
            alice.started = again
            spoken = alice.sees("jobs", alice.submit(voice), "Success", "Failed")
            figures = {
                "restored and spoken again after, s": f"{time.monotonic() - began:.1f}",
                "database": "PostgreSQL" if database else "SQLite",
                "voice speaks": spoken["state"],
                "recording differs": sample(again, alice, voice) != recording,
                "voice is silent": spoken["state"] != "Success",
            }
    return judged(figures, none_of=("recording differs", "voice is silent"))


def sample(started: Started, alice: Alice, voice: str) -> bytes:
    answer = requests.get(f"{started.address}/api/v1/voices/{voice}/sample", headers=alice.headers, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.content


def back_up(started: Started, backup: Path) -> None:
    """The database first and the files after it, so that every row has its file."""
    backup.mkdir()
    if url := started.environment.get("DATABASE_URL"):
        run("pg_dump", "--no-owner", f"--dbname={url}", f"--file={backup / 'database.sql'}")
    else:
        run(sys.executable, "-c", SQLITE, str(started.data_dir / "portal.sqlite3"), str(backup / "portal.sqlite3"))
    shutil.copytree(started.data_dir / "media", backup / "media")
    shutil.copytree(started.data_dir / "keys", backup / "keys")


def restore(backup: Path, place: Path, database: dict[str, str]) -> None:
    place.mkdir()
    if database:
        url = database["DATABASE_URL"]
        run("psql", "--quiet", "--set=ON_ERROR_STOP=1", f"--dbname={url}", f"--file={backup / 'database.sql'}")
    else:
        shutil.copy(backup / "portal.sqlite3", place)
    for part in ("media", "keys"):
        shutil.copytree(backup / part, place / part)


def run(program: str, *arguments: str) -> None:
    subprocess.run([program, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL, env=os.environ)


if __name__ == "__main__":
    sys.exit(main())
