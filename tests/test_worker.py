from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from django.conf import settings
from django.core.files.base import ContentFile
from django.utils import timezone
from django_q.models import OrmQ, Task
from django_q.tasks import async_task

from synthesis import tasks
from synthesis.models import SynthesisJob
from synthesis.services import check, submit
from tests.recordings import recording
from tests.worker import EndlessQueue, drain, finish
from voiceclone_site.accounts.models import User
from voiceclone_site.sandbox.remote import Sandbox
from voices.consent import accepted
from voices.durable import last_beat
from voices.models import ProviderAccount, VoiceClone
from voices.queues import Queue
from voices.services import create_voice


def again(name: str) -> None:
    async_task(name, name)


@pytest.mark.django_db
def test_it_runs_what_is_queued_and_says_what_ran() -> None:
    async_task("synthesis.tasks.heartbeat")
    assert drain() == ["synthesis.tasks.heartbeat"]
    assert last_beat(Queue.DEFAULT) is not None
    assert drain() == []


@pytest.mark.django_db
def test_it_stops_a_queue_that_never_empties() -> None:
    name = f"{__name__}.again"
    async_task(name, name)
    with pytest.raises(EndlessQueue, match="3 tasks ran"):
        drain(most=3)


@pytest.mark.django_db
def test_it_lets_an_error_of_a_task_reach_the_test() -> None:
    async_task("voices.tasks.advance_voice", "no uuid")
    with pytest.raises(Exception, match="no uuid"):
        drain()


def test_it_serves_rows_that_the_test_has_not_committed(public_address: str, alice: User) -> None:
    assert requests.get(f"{public_address}/readyz", timeout=10).json()["checks"]["worker"]["status"] == "failed"
    async_task("synthesis.tasks.heartbeat")
    drain()
    assert requests.get(f"{public_address}/readyz", timeout=10).json()["checks"]["worker"]["status"] == "ok"
    assert User.objects.filter(pk=alice.pk).exists()


def test_it_takes_a_voice_and_a_job_to_their_ends(
    public_address: str, sandbox: Sandbox, aliyun_account: ProviderAccount, alice: User
) -> None:
    voice = create_voice(
        alice,
        name="Morning radio",
        provider="aliyun",
        model="cosyvoice-v3-flash",
        language="en",
        recording=ContentFile(recording()),
        filename="morning.wav",
        consent=accepted(ticked=True, channel="page", address="127.0.0.1", user_agent=""),
    )
    assert finish(voice).state == VoiceClone.State.SUCCESS
    job = submit(check(alice, voice=voice, text="Good morning."))
    assert finish(job).state == SynthesisJob.State.SUCCESS
    assert len(sandbox.ledger.created()) == 1
    assert len(sandbox.ledger.calls("run-task")) == 1


@pytest.mark.django_db
@pytest.mark.parametrize(("days", "left"), [(6, 1), (8, 0)])
def test_it_forgets_what_the_queue_noted_of_old_tasks(days: int, left: int) -> None:
    at = timezone.now() - timedelta(days=days)
    Task.objects.create(id="1", name="old", func="nothing", started=at, stopped=at, success=False, result="a traceback")
    async_task("synthesis.tasks.sweep")
    drain()
    assert Task.objects.count() == left


@pytest.mark.parametrize(("name", "fails"), [("slow", False), ("default", False), ("slwo", True)])
def test_it_starts_no_cluster_for_a_queue_that_does_not_exist(tmp_path: Path, name: str, fails: bool) -> None:
    ended = subprocess.run(
        [sys.executable, "manage.py", "check"],
        env={**os.environ, "Q_CLUSTER_NAME": name, "DATA_DIR": str(tmp_path)},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    assert bool(ended.returncode) is fails
    assert ("There is no queue called 'slwo'" in ended.stderr) is fails


@pytest.mark.django_db
def test_it_wakes_slow_work_through_the_slow_queue(
    order_voice: Callable[..., VoiceClone],
) -> None:
    order_voice()
    assert [row.key for row in OrmQ.objects.all()] == ["slow"]
    OrmQ.objects.all().delete()
    tasks.sweep()
    assert [row.key for row in OrmQ.objects.all()] == ["slow"]
