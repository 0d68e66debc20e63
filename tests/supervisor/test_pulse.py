"""When a cluster is called deaf. That it really goes deaf, and is replaced, `tests/faults/idle_worker.py` shows."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from voiceclone_site.supervisor.pulse import BEGAN, DEAF_AFTER, ENDED, GRACE, SETTLED, TOOK, Pulse

US = os.getpid()


@pytest.fixture
def pulse() -> Pulse:
    return Pulse(workers=2, now=0.0)


@pytest.fixture
def dead() -> int:
    """The id of a process that has ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def test_it_is_well_while_nothing_waits(pulse: Pulse) -> None:
    assert not pulse.must_end(now=1e6)


def test_it_is_deaf_when_what_was_taken_does_not_come_through(pulse: Pulse) -> None:
    pulse.note(TOOK, US, now=100.0)
    pulse.note(TOOK, US, now=115.0)
    assert not pulse.must_end(now=100.0 + DEAF_AFTER)
    assert pulse.must_end(now=100.5 + DEAF_AFTER)


def test_it_is_deaf_when_results_are_not_settled(pulse: Pulse) -> None:
    pulse.note(TOOK, US, now=100.0)
    pulse.note(BEGAN, US, now=100.1)
    pulse.note(ENDED, US, now=100.2)
    assert pulse.must_end(now=101.0 + DEAF_AFTER)


def test_it_is_deaf_when_nobody_takes_what_lies_in_the_queue(pulse: Pulse) -> None:
    pulse.see_queue(waits=True, now=100.0)
    pulse.see_queue(waits=True, now=105.0)
    assert pulse.must_end(now=101.0 + DEAF_AFTER)


def test_it_is_well_when_another_host_took_it(pulse: Pulse) -> None:
    pulse.see_queue(waits=True, now=100.0)
    pulse.see_queue(waits=False, now=105.0)
    assert not pulse.must_end(now=101.0 + DEAF_AFTER)


def test_it_is_well_again_with_the_first_task_that_comes_through(pulse: Pulse) -> None:
    pulse.note(TOOK, US, now=100.0)
    pulse.note(SETTLED, US, now=119.0)
    assert not pulse.must_end(now=1e6)
    assert pulse.proved_at == 119.0


def test_it_is_well_while_every_worker_is_at_something(pulse: Pulse) -> None:
    for pid in (US, os.getppid()):
        pulse.note(BEGAN, pid, now=100.0)
    pulse.note(TOOK, US, now=100.0)
    pulse.look(now=900.0)
    assert pulse.proved_at == 900.0
    assert not pulse.must_end(now=900.0 + DEAF_AFTER)


def test_it_lets_a_busy_worker_end_what_it_is_at(pulse: Pulse) -> None:
    pulse.note(BEGAN, US, now=100.0)
    pulse.note(TOOK, US, now=100.0)
    pulse.look(now=101.0)
    assert not pulse.must_end(now=101.0 + DEAF_AFTER)
    assert pulse.must_end(now=101.0 + DEAF_AFTER + GRACE)


def test_it_does_not_wait_for_a_worker_that_has_died(pulse: Pulse, dead: int) -> None:
    pulse.note(BEGAN, dead, now=100.0)
    pulse.note(TOOK, US, now=100.0)
    pulse.look(now=101.0)
    assert pulse.must_end(now=101.0 + DEAF_AFTER)


def test_it_excuses_what_could_not_come_through_without_a_database(pulse: Pulse) -> None:
    pulse.note(TOOK, US, now=100.0)
    pulse.excuse(now=150.0)
    assert not pulse.must_end(now=150.0 + DEAF_AFTER)
    assert pulse.must_end(now=151.0 + DEAF_AFTER)
