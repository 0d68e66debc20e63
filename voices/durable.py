"""What VoiceClone and SynthesisJob rows share: they are the durable work itself (docs/decisions/0001).

A row says what it is (`state`), when it is next due (`due_at`), and who is at it (`lease_token`, `lease_until`). `claim` takes
a due row by one conditional update; whoever holds the lease works outside any transaction and writes back with `write_back`,
which does nothing once the lease has been lost. Every transition writes an event in the same transaction.

`intent` names a call to a provider that may have been sent and has no outcome yet. It is committed before the call. A row found
with an intent and an expired lease died in the middle of it: the outcome is unknown, and the call is not blindly repeated.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self, TypeVar

from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_q.brokers import Broker
from django_q.models import OrmQ, Task
from django_q.tasks import async_task

from voices import logbook, plain_sql
from voices.plain_driver import writing
from voices.queues import Queue

RESULTS_KEPT = timedelta(days=7)


class DurableRow(models.Model):
    state: models.CharField[str, str]
    provider: models.CharField[str, str]

    id = models.UUIDField(_("id"), primary_key=True, default=uuid.uuid4, editable=False)
    due_at = models.DateTimeField(_("due at"), null=True, blank=True, help_text=_("Empty: nothing is left to do."))
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    deadline = models.DateTimeField(_("deadline"), null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(_("in work until"), null=True, blank=True, editable=False)
    intent = models.CharField(_("call without an outcome"), max_length=20, blank=True, editable=False)
    intent_at = models.DateTimeField(_("call sent"), null=True, blank=True, editable=False)

    error_code = models.CharField(_("error"), max_length=60, blank=True)
    error_sentence = models.TextField(_("what happened"), blank=True)
    error_detail = models.TextField(_("provider's words"), blank=True)
    error_provider_code = models.CharField(_("provider's code"), max_length=120, blank=True)
    error_action = models.CharField(_("who must act"), max_length=20, blank=True)
    provider_request_id = models.CharField(_("provider's request id"), max_length=120, blank=True)

    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    class Meta:
        abstract = True


class EventRow(models.Model):
    """One transition of a durable row, for its owner to read. The concrete class adds the foreign key `row`."""

    at = models.DateTimeField(_("at"), default=timezone.now)
    kind = models.CharField(_("event"), max_length=40)
    from_state = models.CharField(_("state before"), max_length=20, blank=True)
    to_state = models.CharField(_("state after"), max_length=20, blank=True)
    detail = models.JSONField(_("details"), default=dict, blank=True)

    class Meta:
        abstract = True

    def announce(self) -> None:
        """Tell whoever waits for such a transition. Called inside its transaction, once the row has been written: both are kept
        or neither."""


Row = TypeVar("Row", bound=DurableRow)


class DurableQuerySet(models.QuerySet[Row]):
    def due(self) -> Self:
        """Rows that somebody should take now: due, and not in anybody's hands."""
        now = timezone.now()
        return self.filter(Q(lease_until__isnull=True) | Q(lease_until__lt=now), due_at__lte=now)


def claim(model: type[Row], pk: uuid.UUID | str, *, lease: timedelta) -> Row | None:
    """The row, now ours for `lease`; None when it is not due, in other hands, or gone.

    `attempts` is counted here, so that an attempt that ends in a crash counts too.
    """
    now = timezone.now()
    token = uuid.uuid4()
    taken = (
        DurableQuerySet(model)
        .due()
        .filter(pk=pk)
        .update(lease_token=token, lease_until=now + lease, attempts=F("attempts") + 1, updated_at=now)
    )
    return model._default_manager.filter(pk=pk, lease_token=token).first() if taken else None


def renew(row: DurableRow, *, lease: timedelta) -> bool:
    """Ask for more time. False: the lease is lost, somebody else has the row; stop."""
    until = timezone.now() + lease
    kept = type(row)._default_manager.filter(pk=row.pk, lease_token=row.lease_token).update(lease_until=until)
    if kept:
        row.lease_until = until
    return bool(kept)


def declare_intent(row: DurableRow, intent: str, *, lease: timedelta) -> bool:
    """Commit that a call is about to be sent, with `lease` from now to make it in. False: the row is not ours; do not send."""
    now = timezone.now()
    return write_back(row, release=False, intent=intent, intent_at=now, lease_until=now + lease)


def write_back(row: Row, *, release: bool = True, event: EventRow | None = None, **fields: Any) -> bool:
    """Store what a step has found, and its event. False, and nothing is written, when the row is no longer as we took it.

    That is so when the lease has passed to somebody else, or was given back before, or when the row was moved meanwhile (its
    owner deletes or cancels). `release` gives the row back; the next step happens at `due_at`.
    """
    logbook.note(provider_request_id=fields.get("provider_request_id"))
    return write_back_together([WriteBack(row, fields, event, release=release)])


@dataclass(frozen=True, slots=True)
class WriteBack:
    """What a step has found of one row, as `write_back` takes it."""

    row: DurableRow
    fields: Mapping[str, Any]
    event: EventRow | None = None
    release: bool = True


def write_back_together(found: Sequence[WriteBack]) -> bool:
    """The same of several rows of one model, whose `fields` have the same names: all of them, or none. Then the transaction around
    it, if there is one, is rolled back as a whole."""
    if any(each.row.lease_token is None for each in found):
        return False
    now = timezone.now()
    changes = [
        (
            {"id": each.row.pk, "lease_token": each.row.lease_token, "state": each.row.state},
            {**each.fields, **({"lease_token": None, "lease_until": None} if each.release else {}), "updated_at": now},
        )
        for each in found
    ]
    with writing(savepoint=False):
        if plain_sql.update(type(found[0].row), *changes) < len(found):
            if len(found) > 1:
                transaction.set_rollback(True)
            return False
        events = [_told_of(each) for each in found if each.event is not None]
        if events:
            plain_sql.insert(*events)
        for event in events:
            event.announce()
    for each, (_where, values) in zip(found, changes, strict=True):
        for name, value in values.items():
            if name != "updated_at":
                setattr(each.row, name, value)
    return True


def _told_of(found: WriteBack) -> EventRow:
    event = found.event
    assert event is not None
    event.from_state = event.from_state or found.row.state
    event.to_state = event.to_state or found.fields.get("state", event.from_state)
    return event


def move(row: Row, *, states: Collection[str], event: EventRow, **fields: Any) -> bool:
    """Move a row from outside, whoever holds it: only if it still stands in one of `states`. Its owner's wish, or an operator's."""
    event.from_state, event.to_state = row.state, fields.get("state", row.state)
    with transaction.atomic():
        if not (
            type(row)
            ._default_manager.filter(pk=row.pk, state=row.state, state__in=states)
            .update(**fields, updated_at=timezone.now())
        ):
            return False
        event.save()
        event.announce()
    for name, value in fields.items():
        setattr(row, name, value)
    return True


def give_back(row: DurableRow, **fields: Any) -> None:
    """Let go of a row that was moved while we worked on it, leaving what must not be lost (an id, a cleared intent)."""
    type(row)._default_manager.filter(pk=row.pk, lease_token=row.lease_token).update(
        **fields, lease_token=None, lease_until=None, updated_at=timezone.now()
    )


def wake(task: str, pk: uuid.UUID | str, *, queue: Queue = Queue.DEFAULT, **q_options: Any) -> None:
    """Queue a wake-up for a row. Inside a transaction both are stored or neither; lost or doubled, it does no harm."""
    async_task(task, str(pk), cluster=queue.value, **q_options)


def wake_all(task: str, pks: Iterable[uuid.UUID], *, queue: Queue = Queue.DEFAULT) -> None:
    """`wake` for many rows, by one statement."""
    gathered = _Gathered(queue.value)
    for pk in pks:
        async_task(task, str(pk), cluster=queue.value, broker=gathered)
    OrmQ.objects.bulk_create(gathered.rows)


class _Gathered(Broker):  # type: ignore[misc]  # django-q2 has no types
    """What django-q2 would put into the queue one by one."""

    def __init__(self, list_key: str) -> None:
        super().__init__(list_key)
        self.rows: list[OrmQ] = []

    def enqueue(self, task: str) -> None:
        self.rows.append(OrmQ(key=self.list_key, payload=task, lock=timezone.now()))


def room_in_queue(queue: Queue = Queue.DEFAULT, *, most: int = 500) -> int:
    """How many wake-ups a sweep may add. A row that waits for its turn stays due, and must not be queued anew each minute."""
    queued: int = OrmQ.objects.filter(key=queue.value).count()
    return max(0, most - queued)


def forget_results() -> None:
    """What django-q2 notes of tasks that ran, tracebacks too, it keeps for ever; what matters stands in the rows."""
    Task.objects.filter(stopped__lt=timezone.now() - RESULTS_KEPT).delete()


def back_off(attempts: int, *, base: float = 3.0, factor: float = 1.6, most: float = 60.0) -> timedelta:
    """How long to wait before the next try: `base` x `factor`^n seconds, at most `most`, give or take a fifth."""
    seconds = min(most, base * factor ** min(max(attempts - 1, 0), 20))
    return timedelta(seconds=seconds * random.uniform(0.8, 1.2))  # noqa: S311 — jitter, not a secret


class QueueHeartbeat(models.Model):
    """When a task last came all the way through a queue: the only proof that a cluster is alive end to end."""

    queue = models.CharField(_("queue"), max_length=40, primary_key=True)
    beat_at = models.DateTimeField(_("last sign of life"))

    class Meta:
        app_label = "voices"
        verbose_name = _("heartbeat of a queue")
        verbose_name_plural = _("heartbeats of queues")

    def __str__(self) -> str:
        return f"{self.queue} {self.beat_at:%Y-%m-%d %H:%M:%S}"


def beat(queue: Queue) -> None:
    """A task has come all the way through the queue, or every worker of a cluster is at one."""
    now = timezone.now()
    if not QueueHeartbeat.objects.filter(queue=queue.value).update(beat_at=now):
        QueueHeartbeat.objects.bulk_create([QueueHeartbeat(queue=queue.value, beat_at=now)], ignore_conflicts=True)


def last_beat(queue: Queue) -> datetime | None:
    return QueueHeartbeat.objects.filter(queue=queue.value).values_list("beat_at", flat=True).first()
