"""kill -9 of the idle worker that reads the queue: it dies with the queue's lock, and the cluster is deaf (django-q2 issue 23).

    python -m tests.faults.idle_worker [--rounds 3]

For each queue: how long from the kill until work that was ordered right after it is done.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.faults.figures import judged, portal_of_its_own, say
from tests.processes.alice import Alice
from tests.processes.eventually import eventually
from tests.processes.started import Started

PATIENCE = 240.0
WORKER = r"(?:ready for work at|已准备好在) (\d+)"
"""django-q2's own line about a worker, in either language."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds: int = parser.parse_args().rounds
    figures: dict[str, object] = {}
    with portal_of_its_own() as started:
        alice = Alice(started)
        started.sandbox.configure(train_seconds=0.5)
        voice = alice.order_voice()
        alice.sees("voices", voice, "Success")
        for name, work in {"worker": training(alice), "worker_slow": speaking(alice, voice)}.items():
            seconds = [recovery(started, name, work) for _round in range(rounds)]
            figures[f"{name}: recovered, s"] = ", ".join(f"{each:.1f}" for each in seconds)
        figures["not recovered"] = 0
    return judged(figures, none_of=("not recovered",))


def recovery(started: Started, name: str, work: Callable[[], None]) -> float:
    """Seconds from the kill until `work`, which needs this queue, is done. Raises AssertionError when it never is."""
    reader = eventually(lambda: reads_the_queue(started, name), what=f"a worker of {name} reads the queue")
    group = started.leader(name)
    os.kill(reader, signal.SIGKILL)
    began = time.monotonic()
    work()
    took = time.monotonic() - began
    say(f"{name}: process {reader} killed; work done after {took:.1f} s; group {group} is now {started.leader(name)}")
    eventually(lambda: started.readyz()[0] == 200, what="the portal is well again")
    return took


def reads_the_queue(started: Started, name: str) -> int:
    """The idle worker that holds the lock: of all that are idle, the one that waits inside read(), not for the lock."""
    log = (started.data_dir / "logs" / f"{name}.log").read_text()
    for pid in re.findall(WORKER, log):
        process = Path("/proc") / pid
        if process.exists() and os.getpgid(int(pid)) == started.leader(name) and _reads(process):
            return int(pid)
    return 0


def _reads(process: Path) -> bool:
    # x86-64 and arm64 number read() 0 and 63
    return (process / "syscall").read_text().split(" ", 1)[0] in {"0", "63"}


def training(alice: Alice) -> Callable[[], None]:
    """A voice whose training ends now: only a poll can tell."""

    def work() -> None:
        sandbox = alice.started.sandbox
        sandbox.configure(train_seconds=0.5)
        voice = alice.order_voice()
        alice.sees("voices", voice, "Success", seconds=PATIENCE)

    return work


def speaking(alice: Alice, voice: str) -> Callable[[], None]:
    def work() -> None:
        alice.sees("jobs", alice.submit(voice), "Success", seconds=PATIENCE)

    return work


if __name__ == "__main__":
    sys.exit(main())
