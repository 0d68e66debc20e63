"""Whether a django-q2 cluster still works, told by its own processes through a pipe.

A cluster can be alive and deaf (measured, django-q2 1.11.1): an idle worker that is killed takes the queue's lock with it (its
issue 23), a killed worker may leave the lock on the results taken (339), and a pusher may hang on a dead connection. From outside
all of them look the same: something was taken out of the queue, or waits in it, and nothing comes out.

A pipe, for a write of a few bytes is whole or not at all, and a process that dies leaves no lock on it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

DEAF_AFTER = 20.0
"""Seconds in which a task must have come through a cluster that has a free worker."""
GRACE = 60.0
"""Seconds that a deaf cluster's busy workers get to end what they are at: a synthesis that is cut off may have been billed."""

TOOK = "took"
SETTLED = "settled"
BEGAN = "began"
ENDED = "ended"

_writes: int | None = None


def open_pipe() -> int:
    """The end to read from. From now on this process, and all that it forks, report into the other one."""
    global _writes
    reads, _writes = os.pipe()
    os.set_blocking(reads, False)
    # Whoever reads may have been stopped; nobody waits for it.
    os.set_blocking(_writes, False)
    return reads


def report(what: str) -> None:
    """Say what happened in this process of the cluster: TOOK, SETTLED, BEGAN or ENDED. Outside a cluster nobody listens."""
    if _writes is not None:
        try:
            os.write(_writes, f"{what} {os.getpid()}\n".encode())
        except BlockingIOError:
            return


def heard(reads: int) -> Iterator[tuple[str, int]]:
    """What was reported since the last time, and by which process."""
    try:
        text = os.read(reads, 65536).decode()
    except BlockingIOError:
        return
    for line in text.splitlines():
        what, _, pid = line.partition(" ")
        if pid.isdigit():
            yield what, int(pid)


class Pulse:
    """What is known of a cluster of so many workers. Times are of `time.monotonic()`."""

    def __init__(self, *, workers: int, now: float) -> None:
        self.workers = workers
        self.proved_at = now
        """When a task last came all the way through, or every worker was at one."""
        self._busy: set[int] = set()
        self._taken_since: float | None = None
        self._untaken_since: float | None = None

    def note(self, what: str, pid: int, *, now: float) -> None:
        if what == BEGAN:
            self._busy.add(pid)
        elif what == ENDED:
            self._busy.discard(pid)
        elif what == TOOK:
            self._taken_since = self._taken_since or now
            self._untaken_since = None
        elif what == SETTLED:
            self._taken_since = None
            self.proved_at = now

    def see_queue(self, *, waits: bool, now: float) -> None:
        """Whether something lies in the queue that anybody could take."""
        self._untaken_since = (self._untaken_since or now) if waits else None

    def excuse(self, *, now: float) -> None:
        """Nothing could come through until now: the database did not answer, or every worker was at something."""
        self._taken_since = self._taken_since and now
        self._untaken_since = self._untaken_since and now

    def look(self, *, now: float) -> None:
        self._busy = {pid for pid in self._busy if _is_alive(pid)}
        if len(self._busy) >= self.workers:
            self.proved_at = now
            self.excuse(now=now)

    def must_end(self, *, now: float) -> bool:
        """Whether the cluster is deaf, and has nothing in hand that is worth waiting for."""
        waiting = [since for since in (self._taken_since, self._untaken_since) if since is not None]
        silence = now - min(waiting, default=now)
        return silence > (DEAF_AFTER + GRACE if self._busy else DEAF_AFTER)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
