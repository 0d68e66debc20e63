"""Signals as something to wait for, so that they are dealt with at one place and never in the middle of another."""

from __future__ import annotations

import os
import select
import signal

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(Exception):
    """Somebody asked us to stop."""


class Alarm:
    def __init__(self) -> None:
        self._rings, ours = os.pipe()
        os.set_blocking(self._rings, False)
        os.set_blocking(ours, False)
        # Python writes the number of every signal that it handles into this pipe.
        signal.set_wakeup_fd(ours, warn_on_full_buffer=False)
        for number in (*STOPPING, signal.SIGCHLD):
            # nohup has it ignored, and means it.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, _noted)

    def pause(self, seconds: float) -> None:
        """Until something happens: a child ends, or time passes. Raises Stopped when somebody asks us to stop."""
        rings, _, _ = select.select([self._rings], [], [], seconds)
        if rings and any(number in STOPPING for number in os.read(self._rings, 4096)):
            raise Stopped


def _noted(_number: int, _frame: object) -> None:
    """The pipe has it."""
