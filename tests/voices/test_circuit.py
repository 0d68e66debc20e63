"""An account whose provider is unwell, or that an operator has paused: nothing leaves, everything waits and says why."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from synthesis import services as speech
from synthesis.models import SynthesisJob
from tests.studio import make_due, trained
from tests.synthesis.test_speaking import heard, order, speak
from tests.worker import drain, finish, let_time_pass
from voiceclone_site.sandbox.remote import Sandbox
from voices import advancing, circuit
from voices.errors import AccountPaused, CircuitOpen
from voices.models import ProviderAccount, VoiceClone
from voices.providers.errors import ProviderError

State = VoiceClone.State
Circuit = ProviderAccount.Circuit
Order = Callable[..., VoiceClone]


def its_time_has_come(account: ProviderAccount) -> None:
    ProviderAccount.objects.filter(pk=account.pk).update(circuit_next_at=timezone.now())


def fail_speaking(voice: VoiceClone, *, times: int) -> None:
    for _time in range(times):
        with pytest.raises(ProviderError):
            speak(VoiceClone.objects.get(pk=voice.pk))


@pytest.fixture
def unwell(ready_voice: VoiceClone, sandbox: Sandbox) -> VoiceClone:
    """Its provider has broken off five times in a row, and goes on doing so."""
    sandbox.fail(operation="synthesis", how="drop", at="start", times=0)
    fail_speaking(ready_voice, times=circuit.OPENS_AFTER)
    return VoiceClone.objects.get(pk=ready_voice.pk)


def test_it_leaves_a_provider_alone_that_failed_five_times_in_a_row(unwell: VoiceClone, sandbox: Sandbox) -> None:
    account = unwell.account
    assert (account.circuit, account.circuit_failures) == (Circuit.OPEN, 5)
    assert account.circuit_sentence
    assert account.circuit_since is not None
    assert account.circuit_next_at is not None
    sandbox.ledger.clear()
    with pytest.raises(CircuitOpen) as refused:
        speak(unwell)
    assert 0 < refused.value.retry_after <= 15
    assert sandbox.ledger.entries() == []


def test_it_stands_open_for_training_too(unwell: VoiceClone, order_voice: Order, sandbox: Sandbox) -> None:
    sandbox.ledger.clear()
    voice = order_voice()
    drain()
    voice.refresh_from_db()
    assert (voice.state, voice.error_code) == (State.INIT, "provider_resting")
    assert sandbox.ledger.entries() == []


def test_it_makes_one_try_and_closes_when_that_is_answered(unwell: VoiceClone, sandbox: Sandbox) -> None:
    sandbox.clear_faults()
    its_time_has_come(unwell.account)
    stream = speak(VoiceClone.objects.get(pk=unwell.pk))
    heard(stream)
    account = ProviderAccount.objects.get()
    assert (account.circuit, account.circuit_failures, account.circuit_code) == (Circuit.CLOSED, 0, "")


def test_it_lets_only_one_of_many_try(unwell: VoiceClone) -> None:
    its_time_has_come(unwell.account)
    first, second = ProviderAccount.objects.get(), ProviderAccount.objects.get()
    circuit.begin_try(first)
    with pytest.raises(CircuitOpen):
        circuit.begin_try(second)


def test_it_waits_twice_as_long_after_a_try_in_vain(unwell: VoiceClone) -> None:
    its_time_has_come(unwell.account)
    fail_speaking(unwell, times=1)
    account = ProviderAccount.objects.get()
    assert account.circuit == Circuit.OPEN
    assert account.circuit_next_at is not None
    assert account.circuit_next_at > timezone.now() + timedelta(seconds=25)
    assert account.circuit_since == unwell.account.circuit_since


def test_a_refusal_that_is_the_users_does_not_count(ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    sandbox.fail(operation="synthesis", how="error", at="start", code="DataInspectionFailed", times=0)
    fail_speaking(ready_voice, times=circuit.OPENS_AFTER + 1)
    assert ProviderAccount.objects.get().circuit == Circuit.CLOSED


def test_an_answer_in_between_begins_the_count_anew(ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    for _round in range(2):
        sandbox.fail(operation="synthesis", how="error", at="start", times=circuit.OPENS_AFTER - 1)
        fail_speaking(ready_voice, times=circuit.OPENS_AFTER - 1)
        heard(speak(VoiceClone.objects.get(pk=ready_voice.pk)))
    assert ProviderAccount.objects.get().circuit == Circuit.CLOSED


def test_a_refused_key_waits_for_the_operator(order_voice: Order, sandbox: Sandbox) -> None:
    ProviderAccount.objects.update(credentials={"api_key": "sk-revoked"})
    for name in "abc":
        order_voice(name=name)
    drain()
    account = ProviderAccount.objects.get()
    assert (account.circuit, account.circuit_code) == (Circuit.OPEN, "credentials_rejected")
    assert account.circuit_next_at is not None
    assert account.circuit_next_at > timezone.now() + timedelta(minutes=14)
    assert "operator" in account.circuit_sentence
    waiting = order_voice(name="d")
    ProviderAccount.objects.update(credentials={"api_key": "sk-sandbox-aliyun-1"})
    circuit.try_now(account)
    trained(waiting)
    assert ProviderAccount.objects.get().circuit == Circuit.CLOSED


def test_nothing_leaves_a_paused_account(order_voice: Order, ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    account = ready_voice.account
    assert circuit.pause(account, because="an invoice is late")
    sandbox.ledger.clear()
    voice = order_voice()
    job = speech.submit(order(ready_voice))
    let_time_pass()
    with pytest.raises(AccountPaused):
        speak(VoiceClone.objects.get(pk=ready_voice.pk))
    for row in (voice, job):
        row.refresh_from_db()
        assert row.error_code == "account_paused"
        assert row.due_at is not None
    assert (voice.state, job.state) == (State.INIT, SynthesisJob.State.QUEUED)
    assert sandbox.ledger.entries() == []

    assert circuit.resume(account)
    trained(voice)
    finish(job)
    assert (job.state, job.error_code) == (SynthesisJob.State.SUCCESS, "")


def test_a_pause_does_not_count_towards_the_deadline(order_voice: Order, aliyun_account: ProviderAccount) -> None:
    voice = order_voice()
    circuit.pause(aliyun_account, because="")
    long_ago = timezone.now() - timedelta(days=2)
    ProviderAccount.objects.update(paused_at=long_ago)
    VoiceClone.objects.update(deadline=long_ago + timedelta(minutes=10))
    make_due(voice)
    advancing.advance(voice.pk)
    voice.refresh_from_db()
    assert voice.state == State.INIT
    circuit.resume(aliyun_account)
    trained(voice)


def test_it_says_so_in_the_api(ready_voice: VoiceClone, alice_api: object) -> None:
    circuit.pause(ready_voice.account, because="")
    answer = alice_api.post("/api/v1/speech", {"voice": str(ready_voice.pk), "text": "Hello."}, format="json")  # type: ignore[attr-defined]
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "account_paused"
    assert answer.json()["error"]["action"] == "operator"
    assert int(answer["Retry-After"]) > 0
