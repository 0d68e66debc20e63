from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from django_q.tasks import async_task
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries, Settings

from synthesis import services as synthesis
from synthesis.models import SynthesisJob
from tests.worker import finish
from voiceclone_site.accounts.models import User
from voices.models import ProviderAccount, QueueHeartbeat, VoiceClone

TOKEN = "m" * 32
Figures = Callable[..., float]

pytestmark = pytest.mark.django_db


@pytest.fixture
def figure(settings: Settings) -> Figures:
    """The value of one sample, as Prometheus reads it; 0 when it is not there."""
    settings.METRICS_TOKEN = TOKEN

    def look(name: str, **labels: str) -> float:
        answer = Client().get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
        for family in text_string_to_metric_families(answer.content.decode()):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return float(sample.value)
        return 0.0

    return look


@pytest.mark.parametrize("token", ["", "wrong", "ключ"])
def test_it_does_not_exist_for_strangers(settings: Settings, token: str, alice_client: Client) -> None:
    for known in ("", TOKEN):
        settings.METRICS_TOKEN = known
        headers = {"authorization": f"Bearer {token}".encode().decode("latin-1")}
        assert Client().get("/metrics", headers=headers).status_code == 404
        assert Client().get("/metrics").status_code == 404
        assert alice_client.get("/metrics").status_code == 404


def test_it_is_open_to_staff(dana_client: Client) -> None:
    assert dana_client.get("/metrics").status_code == 200
    assert dana_client.post("/metrics").status_code == 405


def test_it_tells_what_an_account_holds(figure: Figures, aliyun_account: ProviderAccount) -> None:
    ProviderAccount.objects.update(voices_held=7, voice_cap=1000, paused_at=timezone.now())
    labels = {"provider": aliyun_account.provider, "account": aliyun_account.name}
    assert figure("voiceclone_slots_used", **labels) == 7
    assert figure("voiceclone_slots_cap", **labels) == 1000
    assert figure("voiceclone_account_paused", **labels) == 1
    assert figure("voiceclone_circuit_open", **labels) == 0


def test_it_tells_how_the_queues_are(figure: Figures) -> None:
    QueueHeartbeat.objects.create(queue="default", beat_at=timezone.now() - timedelta(seconds=90))
    async_task("synthesis.tasks.heartbeat", cluster="slow")
    assert 90 <= figure("voiceclone_queue_heartbeat_age_seconds", queue="default") < 100
    assert figure("voiceclone_queue_heartbeat_age_seconds", queue="slow") == float("inf")
    assert figure("voiceclone_queue_length", queue="slow") == 1
    assert figure("voiceclone_queue_length", queue="default") == 0


def test_it_tells_how_long_the_oldest_row_has_waited(figure: Figures, order_voice: Callable[..., VoiceClone]) -> None:
    order_voice()
    VoiceClone.objects.update(due_at=timezone.now() - timedelta(seconds=300))
    order_voice()
    assert 300 <= figure("voiceclone_oldest_runnable_seconds", kind="voiceclone", state="Init") < 310
    assert figure("voiceclone_runnable", kind="voiceclone", state="Init") == 2


def test_it_tells_of_calls_without_an_outcome(figure: Figures, order_voice: Callable[..., VoiceClone]) -> None:
    order_voice()
    VoiceClone.objects.update(state="Unknown", intent_at=timezone.now() - timedelta(hours=1))
    assert figure("voiceclone_unknown") == 1
    assert 3600 <= figure("voiceclone_unknown_age_seconds") < 3610
    assert figure("voiceclone_voices", state="Unknown") == 1


def test_it_tells_what_became_of_the_days_jobs(figure: Figures, ready_voice: VoiceClone, alice: User) -> None:
    jobs = [
        synthesis.submit(synthesis.check(alice, voice=ready_voice, text=text)) for text in ("One.", "Two.", "Three.")
    ]
    finish(jobs[0])
    SynthesisJob.objects.filter(pk=jobs[0].pk).update(first_audio_ms=620)
    SynthesisJob.objects.filter(pk=jobs[1].pk).update(state="Failed", error_code="interrupted", due_at=None)
    SynthesisJob.objects.filter(pk=jobs[2].pk).update(created_at=timezone.now() - timedelta(days=2))
    VoiceClone.objects.update(state="Failed", error_code="too_noisy")
    assert figure("voiceclone_jobs_last_day", state="Success", mode="background") == 1
    assert figure("voiceclone_jobs_last_day", state="Failed") == 1
    assert figure("voiceclone_job_failures_last_day", code="interrupted") == 1
    assert figure("voiceclone_voice_failures_last_day", code="too_noisy") == 1


def test_it_tells_how_soon_the_first_audio_came(figure: Figures, ready_voice: VoiceClone, alice: User) -> None:
    for ms in (200, 620, 12_000):
        job = synthesis.submit(synthesis.check(alice, voice=ready_voice, text=f"{ms}"))
        SynthesisJob.objects.filter(pk=job.pk).update(first_audio_ms=ms)
    for below, number in {"0.25": 1, "0.5": 1, "0.75": 2, "10.0": 2, "+Inf": 3}.items():
        assert figure("voiceclone_first_audio_seconds_bucket", le=below) == number


def test_it_counts_requests_by_view_and_not_by_address(figure: Figures) -> None:
    labels = {"view": "livez", "method": "GET", "status": "200"}
    before = figure("voiceclone_http_request_seconds_count", **labels)
    Client().get("/livez")
    assert figure("voiceclone_http_request_seconds_count", **labels) == before + 1
    Client().generic("MADE-UP", "/made/up/4711")
    assert figure("voiceclone_http_request_seconds_count", view="", method="other", status="404") >= 1


def test_it_asks_as_much_of_a_thousand_rows_as_of_one(
    settings: Settings, ready_voice: VoiceClone, alice: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    settings.METRICS_TOKEN = TOKEN
    job = synthesis.submit(synthesis.check(alice, voice=ready_voice, text="One."))
    fields = {
        field.attname: getattr(job, field.attname)
        for field in SynthesisJob._meta.concrete_fields
        if not field.primary_key
    }
    SynthesisJob.objects.bulk_create(SynthesisJob(**fields) for _number in range(1000))
    with django_assert_max_num_queries(14):
        Client().get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
