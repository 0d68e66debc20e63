"""Synthesis jobs as operators see them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from synthesis import services
from synthesis.models import SynthesisJob
from tests.worker import drain
from voiceclone_site.sandbox.remote import Sandbox
from voices.models import VoiceClone

State = SynthesisJob.State

JOBS = "/admin/synthesis/synthesisjob/"
WEATHER = "今天天气怎么样？"


@pytest.fixture
def job(ready_voice: VoiceClone) -> SynthesisJob:
    return services.submit(services.check(ready_voice.owner, voice=ready_voice, text=WEATHER))


def run(client: Client, action: str, *rows: SynthesisJob) -> list[str]:
    """What the operator is told after choosing rows and an action, and saying yes where that is asked."""
    chosen = [str(row.pk) for row in rows]
    form = {"action": action, "_selected_action": chosen}
    page = client.post(JOBS, form, follow=True)
    if "question" in page.context:
        page = client.post(JOBS, {**form, "confirmed": "yes"}, follow=True)
    return [str(message) for message in page.context["messages"]]


@pytest.mark.parametrize("model", ["synthesisjob", "jobevent"])
def test_it_lists_every_model_and_finds_in_it(dana_client: Client, job: SynthesisJob, model: str) -> None:
    drain()
    address = reverse(f"admin:synthesis_{model}_changelist")
    for query in ({}, {"q": "alice@example.com"}, {"q": str(job.pk)}):
        assert dana_client.get(address, query).status_code == 200


def test_it_shows_a_job_whole_but_not_to_be_edited(dana_client: Client, job: SynthesisJob) -> None:
    drain()
    address = f"{JOBS}{job.pk}/change/"
    page = dana_client.get(address).content.decode()
    assert WEATHER in page
    job.refresh_from_db()
    assert job.provider_request_id in page
    assert 'name="state"' not in page
    assert 'name="_save"' not in page
    assert dana_client.post(address, {"state": "Failed"}).status_code == 403
    assert dana_client.post(f"{JOBS}{job.pk}/delete/", {"post": "yes"}).status_code == 403
    assert SynthesisJob.objects.get().state == State.SUCCESS


def test_it_cancels_a_job_that_waits(dana_client: Client, job: SynthesisJob, sandbox: Sandbox) -> None:
    assert run(dana_client, "cancel", job) == [f"It is being cancelled. (1: {WEATHER})"]
    drain()
    assert SynthesisJob.objects.get().state == State.CANCELLED
    assert sandbox.ledger.calls("run-task") == []
    assert run(dana_client, "cancel", job) == [f"“{WEATHER}”: This has already ended; there is nothing left to cancel."]


def test_it_has_a_job_spoken_again_for_its_owner(dana_client: Client, job: SynthesisJob) -> None:
    drain()
    assert run(dana_client, "speak_again", job) == [f"It will be spoken again. (1: {WEATHER})"]
    drain()
    again = SynthesisJob.objects.exclude(pk=job.pk).get()
    assert (again.state, again.owner_id) == (State.SUCCESS, job.owner_id)


def test_it_lets_nobody_in_who_is_not_staff(alice_client: Client, visitor: Client) -> None:
    assert alice_client.get(JOBS).status_code in (302, 403)
    assert visitor.get(JOBS).status_code == 302


def test_it_asks_the_database_as_often_for_many_jobs_as_for_few(
    dana_client: Client, job: SynthesisJob, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    dana_client.get(JOBS)
    with CaptureQueriesContext(connection) as few:
        dana_client.get(JOBS)
    described: dict[str, Any] = {"owner": job.owner, "voice": job.voice, "provider": "aliyun", "model": job.model}
    for number in range(40):
        SynthesisJob.objects.create(
            **described,
            mode=SynthesisJob.Mode.BACKGROUND,
            text=f"Text {number}",
            audio_format="mp3",
            sample_rate=24000,
            characters_expected=7,
        )
    with django_assert_num_queries(len(few)):
        assert "Text 39" in dana_client.get(JOBS).content.decode()
