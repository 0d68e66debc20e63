"""A program that ends is started again: when depends on whether it had worked or could not even start."""

from __future__ import annotations

import time
from pathlib import Path

from voiceclone_site.supervisor.groups import CALM_AFTER, Group, Program

SLEEPS = ("-S", "-c", "import time; time.sleep(60)")


def pauses(tmp_path: Path, *, lived: float) -> list[int]:
    """Seconds until each next start of a program that was killed four times, `lived` seconds after it had started."""
    group = Group(Program("sleeper", SLEEPS, tmp_path / "log", patience=1.0))
    found = []
    for _end in range(4):
        group.start()
        group.started_at -= lived
        group.kill()
        found.append(round(group.due_at - time.monotonic()))
    return found


def test_it_waits_longer_and_longer_for_what_does_not_start(tmp_path: Path) -> None:
    assert pauses(tmp_path, lived=0.0) == [0, 1, 2, 4]


def test_it_starts_what_has_worked_at_once_however_often_it_is_killed(tmp_path: Path) -> None:
    assert pauses(tmp_path, lived=CALM_AFTER + 1) == [0, 0, 0, 0]
