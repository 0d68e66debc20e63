"""A worker inside the test: it runs what is queued as a cluster would, on the test's own connection, and hides no error."""

from __future__ import annotations

import pydoc
from collections.abc import Callable
from typing import Any, TypeVar

from django.utils import timezone
from django_q.models import OrmQ

from synthesis.models import SynthesisJob
from voices.durable import DurableRow, beat
from voices.models import ProviderAccount, RateBucket, VoiceClone, WebhookDelivery
from voices.queues import Queue

SWEEP = "synthesis.tasks.sweep"

Row = TypeVar("Row", bound=DurableRow)


class EndlessQueue(AssertionError):
    """Every task that ran left another one behind; look at what wakes whom."""


def drain(*, most: int = 100) -> list[str]:
    """Run every queued task, oldest first, until the queue is empty; the dotted names of what ran.

    What a task raises reaches the test. Raises EndlessQueue after `most` tasks.
    """
    ran: list[str] = []
    while named := run_one():
        ran.append(named)
        if len(ran) == most and _oldest() is not None:
            raise EndlessQueue(f"{most} tasks ran and more are queued; the last ones: {ran[-5:]}")
    return ran


def run_one() -> str:
    """Run the task that was queued first; its dotted name, empty when nothing is queued."""
    queued = _oldest()
    if queued is None:
        return ""
    task = _unpacked(queued)
    queued.delete()
    _function(task["func"])(*task["args"], **task["kwargs"])
    beat(Queue(queued.key))
    return str(task["func"])


def let_time_pass(*, most: int = 100) -> list[str]:
    """Everything that was planned for later is due now, every slot, pause and open circuit has had its time, and the minute's
    sweep comes by; what ran."""
    RateBucket.objects.update(next_at=0, held_until=0)
    ProviderAccount.objects.filter(circuit_next_at__gt=timezone.now()).update(circuit_next_at=timezone.now())
    for model in (VoiceClone, SynthesisJob, WebhookDelivery):
        model._default_manager.filter(due_at__gt=timezone.now()).update(due_at=timezone.now())
    _function(SWEEP)()
    return drain(most=most)


def finish(row: Row, *, rounds: int = 20) -> Row:
    """Let time pass until nothing is left to do for `row`, and read it anew. Raises AssertionError after `rounds`."""
    drain()
    for _round in range(rounds):
        row.refresh_from_db()
        if row.due_at is None:
            return row
        let_time_pass()
    raise AssertionError(f"{row!r} is {row.state} and still due after {rounds} rounds: {row.error_code or 'no error'}")


def _oldest() -> OrmQ | None:
    found: OrmQ | None = OrmQ.objects.order_by("id").first()
    return found


def _unpacked(queued: OrmQ) -> dict[str, Any]:
    """The signed package; a broken one has nothing but an id."""
    task: dict[str, Any] = queued.task
    assert "func" in task, f"The queue holds a package that cannot be read: {task}"
    return task


def _function(named: str | Callable[..., Any]) -> Callable[..., Any]:
    """As django-q2's worker finds it, by its dotted name."""
    if callable(named):
        return named
    found = pydoc.locate(named)
    assert callable(found), f"No function is called {named}; a cluster would fail this task"
    return found
