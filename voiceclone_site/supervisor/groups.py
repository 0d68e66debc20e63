"""A program and everything it forks, as one process group: they start, stop and die together.

A cluster whose main process was killed goes on working without it, and a new one beside it would make two (measured, django-q2
1.11.1). So whenever the leader is gone, what is left of its group is killed before anything is started again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LONGEST_PAUSE = 30.0
CALM_AFTER = 15.0
"""Seconds, several times what a start takes, after which a program that ran counts as healthy, and its next end is followed by an
immediate restart: what ends that late has worked, and whoever kills it again and again must not make us wait longer and longer."""
LARGEST_LOG = 10 * 1024 * 1024
# A log is read while it is written; and two cores are better spent on several tasks than on one array.
ENVIRONMENT = {"PYTHONUNBUFFERED": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Program:
    name: str
    arguments: Sequence[str]
    """What Python is to run."""
    log: Path
    patience: float
    """Seconds between being asked to stop and being killed."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What it gets beside our own."""


class Group:
    """One program's process group. `started_at` and `due_at` are of `time.monotonic()`."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.starts = 0
        self.started_at = 0.0
        self.due_at = 0.0
        self._quick_ends = 0
        self._leader: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def is_alive(self) -> bool:
        return self._leader is not None and self._leader.poll() is None

    @property
    def id(self) -> int:
        """Of the process group, while there is one; else 0."""
        return self._leader.pid if self._leader else 0

    def start(self) -> None:
        keep_small(self.program.log)
        with self.program.log.open("ab") as log:
            self._leader = subprocess.Popen(
                [sys.executable, *self.program.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**ENVIRONMENT, **os.environ, **self.program.environment},
                start_new_session=True,
            )
        self.starts += 1
        self.started_at = time.monotonic()

    def ask_to_stop(self) -> None:
        """Only the leader is asked: it knows in which order its own processes can go."""
        if self._leader and self._leader.poll() is None:
            self._leader.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End whatever is left of the group, and plan the next start: at once for a healthy program, else later and later."""
        if self._leader is None:
            return
        kill_group(self._leader.pid)
        self._leader.wait()
        self._leader = None
        calm = time.monotonic() - self.started_at > CALM_AFTER
        self._quick_ends = 0 if calm else self._quick_ends + 1
        pause = 0.0 if self._quick_ends <= 1 else min(2.0 ** (self._quick_ends - 2), LONGEST_PAUSE)
        self.due_at = time.monotonic() + pause

    def last_words(self, lines: int = 15) -> str:
        with self.program.log.open("rb") as log:
            log.seek(max(0, self.program.log.stat().st_size - 16_384))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])


def kill_group(group_id: int) -> None:
    try:
        os.killpg(group_id, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return  # nobody is left; macOS says EPERM when only zombies are


def keep_small(log: Path) -> None:
    """Past LARGEST_LOG a log becomes `….log.1` and begins anew. Its writer appends, and so goes on writing at the new beginning."""
    if log.exists() and log.stat().st_size > LARGEST_LOG:
        log.with_name(f"{log.name}.1").write_bytes(log.read_bytes())
        os.truncate(log, 0)
