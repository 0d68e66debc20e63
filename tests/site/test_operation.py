"""The operator's status page: what it says of each thing that can go wrong, to whom, and at what price."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from synthesis.models import SynthesisJob
from tests.studio import make_due
from tests.worker import drain, finish
from voiceclone_site.accounts.models import User
from voiceclone_site.sandbox.remote import Sandbox
from voices import circuit, ledger, reconciling, services
from voices.durable import beat
from voices.models import ProviderAccount, QueueHeartbeat, RateBucket, VoiceClone
from voices.queues import Queue

State = VoiceClone.State
STATUS = "/admin/status/"
ACCOUNTS = "/admin/voices/provideraccount/"


def shown(client: Client) -> str:
    answer = client.get(STATUS)
    assert answer.status_code == 200
    return answer.content.decode()


def failed_job(voice: VoiceClone, **changes: Any) -> SynthesisJob:
    described: dict[str, Any] = {
        "owner": voice.owner,
        "voice": voice,
        "provider": voice.provider,
        "model": voice.model,
        "mode": SynthesisJob.Mode.BACKGROUND,
        "state": SynthesisJob.State.FAILED,
        "text": "Hello",
        "audio_format": "mp3",
        "sample_rate": 24000,
        "characters_expected": 5,
        "error_code": "account_blocked",
        "error_provider_code": "Arrearage",
        "error_action": "operator",
    }
    return SynthesisJob.objects.create(**{**described, **changes})


@pytest.fixture
def voice(alice: User, aliyun_account: ProviderAccount) -> VoiceClone:
    return VoiceClone.objects.create(
        owner=alice,
        account=aliyun_account,
        provider="aliyun",
        name="Annie",
        model="cosyvoice-v3-flash",
        language="zh",
        state=State.SUCCESS,
        remote_id="cosyvoice-v3-flash-annie-1",
    )


# --- who may look ----------------------------------------------------------------------------------------------------


def test_it_is_for_staff_alone(visitor: Client, alice_client: Client, dana_client: Client) -> None:
    assert visitor.get(STATUS, follow=True).request["PATH_INFO"] == "/accounts/login/"
    assert alice_client.get(STATUS, follow=True).status_code == 403
    assert dana_client.get(STATUS).status_code == 200
    assert dana_client.post(STATUS).status_code == 405
    assert STATUS in dana_client.get("/admin/").content.decode()


def test_it_offers_no_buttons_to_staff_who_may_only_look(
    aliyun_account: ProviderAccount, django_user_model: type[User], client: Client
) -> None:
    client.force_login(django_user_model.objects.create_user("erin@example.com", is_staff=True))
    assert 'value="pause"' not in shown(client)


# --- what it says ----------------------------------------------------------------------------------------------------


def test_it_says_that_all_is_well(aliyun_account: ProviderAccount, dana_client: Client) -> None:
    for queue in Queue:
        beat(queue)
    page = shown(dana_client)
    for sentence in ("Nothing waits for a worker.", "Nothing waits for you.", "Nothing has failed.", "Calls leave."):
        assert sentence in page
    assert 'class="bad"' not in page


def test_it_says_which_queue_is_deaf(dana_client: Client) -> None:
    beat(Queue.DEFAULT)
    QueueHeartbeat.objects.create(queue=Queue.SLOW, beat_at=timezone.now() - timedelta(minutes=3))
    page = shown(dana_client)
    assert page.count("No worker comes through.") == 1
    assert "manage.py work slow" in page


def test_it_shows_what_is_used_today_next_to_the_caps(
    aliyun_account: ProviderAccount, voice: VoiceClone, dana_client: Client
) -> None:
    ProviderAccount.objects.update(voice_cap=2, trainings_per_day=4, spend_per_day=10)
    aliyun_account.refresh_from_db()
    ledger.add(ledger.place(voice, aliyun_account), ledger.training(voice, aliyun_account, token_id=None))
    page = shown(dana_client)
    assert "1 / 2" in page
    assert "1 / 4" in page
    assert "¥0.00 / ¥10.00" in page


def test_it_shows_the_row_that_is_due_for_longest(
    voice: VoiceClone, order_voice: Callable[..., VoiceClone], dana_client: Client
) -> None:
    waiting = order_voice(name="Max")
    VoiceClone.objects.filter(pk=waiting.pk).update(due_at=timezone.now() - timedelta(minutes=20))
    page = shown(dana_client)
    assert f"/admin/voices/voiceclone/{waiting.pk}/change/" in page
    assert "20\xa0minutes ago" in page


def test_it_shows_an_open_circuit_and_tries_the_account_at_a_click(
    order_voice: Callable[..., VoiceClone], sandbox: Sandbox, dana_client: Client, aliyun_account: ProviderAccount
) -> None:
    sandbox.fail(operation="create_voice", how="drop", at="before", times=1)
    ProviderAccount.objects.update(circuit_failures=circuit.OPENS_AFTER - 1)
    order_voice()
    drain()
    page = shown(dana_client)
    assert "No calls leave" in page
    assert "broken since" in page
    assert "next try" in page
    answer = dana_client.post(
        ACCOUNTS,
        {"action": "test_credentials", "_selected_action": [aliyun_account.pk], "_back": "status"},
        follow=True,
    )
    assert answer.request["PATH_INFO"] == STATUS
    assert "The provider knows these credentials" in answer.content.decode()
    assert "Calls leave." in answer.content.decode()


def test_it_pauses_and_resumes_an_account(aliyun_account: ProviderAccount, dana_client: Client) -> None:
    form = {"_selected_action": [aliyun_account.pk], "_back": "status"}
    page = dana_client.post(ACCOUNTS, {**form, "action": "pause"}, follow=True).content.decode()
    assert "since" in page
    assert "by Dana" in page or "by dana@example.com" in page
    assert 'value="resume"' in page
    assert (
        'value="resume"' not in dana_client.post(ACCOUNTS, {**form, "action": "resume"}, follow=True).content.decode()
    )


def test_it_says_that_the_provider_asked_for_a_pause(aliyun_account: ProviderAccount, dana_client: Client) -> None:
    until = (timezone.now() + timedelta(minutes=5)).timestamp()
    RateBucket.objects.create(key=f"{aliyun_account.pk}:synthesis", next_at=0, held_until=until)
    assert "The provider asked for a pause until" in shown(dana_client)


def test_it_shows_what_waits_for_the_operator(voice: VoiceClone, dana_client: Client) -> None:
    VoiceClone.objects.update(state=State.UNKNOWN, due_at=None, intent_at=timezone.now())
    assert "Only the provider's console can say." in shown(dana_client)
    VoiceClone.objects.update(state=State.DELETING, error_code="provider_trouble", due_at=timezone.now())
    assert "still owed to the provider" in shown(dana_client)


def test_it_shows_a_call_without_an_answer_that_is_not_cleared_up(voice: VoiceClone, dana_client: Client) -> None:
    asked = timezone.now() - timedelta(minutes=5)
    VoiceClone.objects.update(state=State.UNKNOWN, due_at=timezone.now(), intent_at=asked, error_code="unreachable")
    assert "Nothing waits for you." in shown(dana_client)
    VoiceClone.objects.update(intent_at=asked - timedelta(minutes=30))
    page = shown(dana_client)
    assert "for more than half an hour" in page
    assert f"/admin/voices/voiceclone/{voice.pk}/change/" in page
    assert "Nothing waits for you." not in page


def test_it_does_not_say_that_calls_leave_a_paused_account(
    aliyun_account: ProviderAccount, dana_client: Client
) -> None:
    circuit.pause(aliyun_account, because="Dana")
    page = shown(dana_client)
    assert "Paused" in page
    assert "Calls leave." not in page


def test_it_shows_a_paid_debt_no_longer(ready_voice: VoiceClone, sandbox: Sandbox, dana_client: Client) -> None:
    sandbox.fail(operation="delete_voice", how="error")
    services.request_delete(ready_voice)
    drain()
    reconciling.run(ready_voice.account)
    assert "still owed to the provider" in shown(dana_client)
    finish(ready_voice)
    assert "Nothing waits for you." in shown(dana_client)


def test_it_counts_what_the_lists_do_not_agree_about(
    ready_voice: VoiceClone, sandbox: Sandbox, dana_client: Client
) -> None:
    sandbox.forget_voices()
    reconciling.run(ready_voice.account)
    page = shown(dana_client)
    assert "a row here, and nothing at the provider" in page
    assert "1 finding" in page


def test_it_says_what_failed_and_what_to_do_about_it(voice: VoiceClone, dana_client: Client) -> None:
    for _time in range(3):
        failed_job(voice)
    failed_job(voice, error_code="interrupted", error_provider_code="", error_action="")
    failed_job(voice, created_at=timezone.now() - timedelta(days=2), error_code="long_ago")
    page = shown(dana_client)
    assert "long_ago" not in page
    assert "<code>interrupted</code>" in page
    assert "Arrearage" in page
    assert "You, the operator" in page
    assert "/help/errors/?q=Arrearage" in page
    linked = "/admin/synthesis/synthesisjob/?state__exact=Failed&amp;error_code=account_blocked"
    assert linked in page
    assert dana_client.get(linked.replace("&amp;", "&")).context["cl"].result_count == 3


def test_it_asks_the_database_as_often_for_much_as_for_little(
    voice: VoiceClone, dana_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    failed_job(voice)
    shown(dana_client)
    with CaptureQueriesContext(connection) as few:
        shown(dana_client)
    for number in range(5):
        account = ProviderAccount.objects.create(provider="aliyun", name=f"number {number}")
        undecided = VoiceClone.objects.create(
            owner=voice.owner, account=account, provider="aliyun", name="x", model=voice.model, language="zh",
            state=State.UNKNOWN,
        )  # fmt: skip
        make_due(VoiceClone.objects.create(
            owner=voice.owner, account=account, provider="aliyun", name="y", model=voice.model, language="zh",
            state=State.DELETING, error_code="provider_trouble",
        ))  # fmt: skip
        failed_job(undecided, error_code=f"code_{number}")
    with django_assert_num_queries(len(few)):
        assert "code_4" in shown(dana_client)
    assert len(few) <= 20
