"""django-q2's queue in the database, which says what it takes out and what has been settled (`pulse.py`)."""

from __future__ import annotations

from typing import Any

from django_q.brokers.orm import ORM

from voiceclone_site.supervisor.pulse import SETTLED, TOOK, report


class ReportingORM(ORM):  # type: ignore[misc]
    def dequeue(self) -> Any:
        tasks = super().dequeue()
        if tasks:
            report(TOOK)
        return tasks

    def acknowledge(self, task_id: int) -> None:
        super().acknowledge(task_id)
        report(SETTLED)
