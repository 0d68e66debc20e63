"""`manage.py work`: the queue's cluster, which looks first for what the last one left lying."""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connections
from django_q.tasks import async_task


class Command(BaseCommand):
    help = "Run the worker. Its first task is a sweep, so that work whose process died is found now and not within a minute."

    def handle(self, **_options: Any) -> None:
        async_task("synthesis.tasks.sweep")
        # The cluster forks: none of its processes may share our connection.
        connections.close_all()
        call_command("qcluster")
