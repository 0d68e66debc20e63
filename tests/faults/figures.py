"""What the programs here share: a portal of their own, and how they say what they found."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.processes.started import Started, database_of_its_own, free_port, portal


@contextlib.contextmanager
def portal_of_its_own(**environment: str) -> Iterator[Started]:
    """Gone with its folder and its database when the program ends."""
    with (
        tempfile.TemporaryDirectory(prefix="voiceclone-faults-") as folder,
        database_of_its_own(f"faults_{free_port()}") as database,
        portal(Path(folder), **(database | environment)) as started,
    ):
        yield started


def say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


def judged(figures: Mapping[str, object], *, none_of: tuple[str, ...]) -> int:
    """Print the figures; an exit code: 0 when all that may not happen did not."""
    for name, figure in figures.items():
        say(f"{name:<36} {figure}")
    return 1 if any(figures[name] for name in none_of) else 0
