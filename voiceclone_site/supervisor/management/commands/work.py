"""`manage.py work`: one queue's cluster, which knows when it has gone deaf, and then ends so that another can be started."""

from __future__ import annotations

import logging
import math
import os
import signal
import sys
import time
from typing import Any, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import Error as DatabaseError
from django.db import connection, connections
from django.utils import timezone
from django_q.cluster import Cluster
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.signals import post_execute_in_worker, pre_execute
from django_q.tasks import async_task

from synthesis.settling import clear_spool
from voiceclone_site.supervisor import pulse
from voiceclone_site.supervisor.alarm import Alarm, Stopped
from voiceclone_site.supervisor.pulse import BEGAN, ENDED, Pulse, report
from voices.durable import beat
from voices.queues import Queue

logger = logging.getLogger(__name__)

HEARTBEAT = "synthesis.tasks.heartbeat"
HEARTBEAT_EVERY = 5.0
TICK = 1.0
TIDY_EVERY = 3600.0


class Command(BaseCommand):
    help = (
        "Run the workers of one queue. The default queue's first task is a sweep, so that work whose process died is found "
        "now and not within a minute. A cluster through which nothing comes any more ends itself, with all its processes: "
        "have it started again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("queue", nargs="?", choices=[str(queue) for queue in Queue], default=str(Queue.DEFAULT))

    def handle(self, *, queue: str, **_options: Any) -> None:
        if queue != Conf.CLUSTER_NAME:
            _start_again_for(queue)
        if queue == Queue.DEFAULT:
            async_task("synthesis.tasks.sweep")
        logging.getLogger("django-q").addFilter(_is_worth_a_line)
        # The cluster forks: none of its processes may share our connection.
        connections.close_all()
        _lead_a_group()
        reads = pulse.open_pipe()
        pre_execute.connect(_began)
        post_execute_in_worker.connect(_ended)
        cluster = Cluster()
        cluster.start()
        alarm = Alarm()
        try:
            _watch(cluster, Queue(queue), reads, alarm)
        except Stopped:
            _stop(cluster)


def _start_again_for(queue: str) -> NoReturn:
    """django-q2 reads its queue's name when it is imported, which has happened."""
    environment = {**os.environ, "Q_CLUSTER_NAME": queue}
    os.execve(sys.executable, sys.orig_argv, environment)  # noqa: S606 — ourselves, once more


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """A heartbeat every five seconds is not, nor that a nameless task was queued."""
    said = record.getMessage()
    return HEARTBEAT not in said and not said.startswith("Enqueued [")


def _lead_a_group() -> None:
    """Whoever ends this process ends the cluster, and the other way round."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)


def _began(**_signal: Any) -> None:
    report(BEGAN)


def _ended(**_signal: Any) -> None:
    report(ENDED)


def _watch(cluster: Cluster, queue: Queue, reads: int, alarm: Alarm) -> None:
    """Until somebody asks us to stop (Stopped). Ends the whole group when it can do nothing any more."""
    state = Pulse(workers=Conf.WORKERS, now=time.monotonic())
    beaten = told = tidied = -math.inf
    while True:
        now = time.monotonic()
        for what, pid in pulse.heard(reads):
            state.note(what, pid, now=now)
        state.look(now=now)
        try:
            if state.proved_at > told:
                beat(queue)
                told = now
            if now - beaten > HEARTBEAT_EVERY:
                _send_heartbeat(queue, state, now=now)
                beaten = now
        except DatabaseError as error:
            logger.warning("the database does not answer the worker's heartbeat: %s", type(error).__name__)
            connection.close()
            state.excuse(now=now)
        if now - tidied > TIDY_EVERY:
            clear_spool()
            tidied = now
        if not cluster.sentinel.is_alive():
            _end_group("Its guard has died.")
        if state.must_end(now=now):
            _end_group("It has a free worker, and no task comes through.")
        alarm.pause(TICK)


def _send_heartbeat(queue: Queue, state: Pulse, *, now: float) -> None:
    """There is always something that should come through: one of its own while nothing else waits."""
    waits = OrmQ.objects.filter(key=queue.value, lock__lte=timezone.now()).exists()
    state.see_queue(waits=waits, now=now)
    if not waits:
        async_task(HEARTBEAT, cluster=queue.value)


def _stop(cluster: Cluster) -> None:
    """What runs may end; what was taken and not begun is found by the next sweep."""
    cluster.stop_event.set()
    cluster.sentinel.join(settings.STOP_SECONDS)
    if cluster.sentinel.is_alive():
        _end_group(f"It did not end within {settings.STOP_SECONDS} s.")


def _end_group(why: str) -> NoReturn:
    logger.error("the worker of queue %s is ended with all its processes: %s", Conf.CLUSTER_NAME, why)
    for handler in logging.getLogger().handlers:
        handler.flush()
    os.killpg(0, signal.SIGKILL)
    raise AssertionError("killed")
