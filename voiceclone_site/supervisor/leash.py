"""When the supervisor is killed outright it can stop nobody. This process does it then: it holds the other end of a pipe, and
when that breaks it kills every group that it was told of.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Collection
from typing import NoReturn, Self

from voiceclone_site.supervisor.groups import kill_group


class Leash:
    def __init__(self) -> None:
        self._held: set[int] = set()
        self._tie()

    def hold(self, group_ids: Collection[int]) -> None:
        """These are the groups that must not outlive us. A leash that was itself killed is replaced."""
        wanted = set(group_ids)
        if os.waitpid(self._pid, os.WNOHANG)[0]:
            os.close(self._pipe)
            self._tie()
            self._held = set()
        if wanted != self._held:
            self._held = wanted
            os.write(self._pipe, f"{' '.join(str(group_id) for group_id in sorted(wanted))}\n".encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """Everything has been stopped; there is nothing left to hold."""
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._pipe)

    def _tie(self) -> None:
        theirs, self._pipe = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._pipe)
            _wait_for_the_end(theirs)
        os.close(theirs)


def _wait_for_the_end(pipe: int) -> NoReturn:
    # A session of its own: whatever kills the supervisor's group, or its terminal, does not reach us.
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.set_wakeup_fd(-1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nowhere, standard)
    told = b""
    while piece := os.read(pipe, 4096):
        told = (told + piece)[-4096:]
    complete = told.splitlines()
    for group_id in complete[-1].split() if complete else ():
        kill_group(int(group_id))
    os._exit(0)
