"""The provider's list against ours: seen, decided upon one by one, and nothing deleted that is not ours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from tests.sample_server import SampleServer
from tests.sandbox.enrolling import enroll
from tests.studio import trained
from tests.worker import drain, finish
from voiceclone_site.accounts.models import User
from voiceclone_site.sandbox.remote import Sandbox
from voices import deciding, reconciling, services
from voices.errors import InvalidInput, WrongState
from voices.findings import Finding
from voices.models import ProviderAccount, VoiceClone

State, Kind = VoiceClone.State, Finding.Kind
Order = Callable[..., VoiceClone]


def found(account: ProviderAccount) -> list[tuple[str, bool]]:
    reconciling.run(account)
    return [(finding.kind, finding.is_ours) for finding in Finding.objects.all()]


def only() -> Finding:
    return Finding.objects.select_related("voice", "account").get()


def test_it_finds_nothing_where_both_agree(ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    sandbox.ledger.clear()
    comparison = reconciling.run(ready_voice.account)
    assert (comparison.listed, comparison.held, comparison.disagreements) == (True, 1, ())
    assert {entry.operation for entry in sandbox.ledger.entries(direction="in")} == {"list_voice"}


def test_it_never_deletes_what_others_made(
    aliyun_account: ProviderAccount, sandbox: Sandbox, samples: SampleServer
) -> None:
    theirs = enroll(sandbox, samples, prefix="theirs")
    assert found(aliyun_account) == [(Kind.ORPHAN, False)]
    with pytest.raises(WrongState):
        reconciling.delete_there(only())
    assert [voice["voice_id"] for voice in sandbox.voices()] == [theirs]


def test_it_deletes_what_we_made_and_nobody_has(ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    VoiceClone.objects.filter(pk=ready_voice.pk).update(state=State.DELETED)
    assert found(ready_voice.account) == [(Kind.ORPHAN, True)]
    assert reconciling.delete_there(only())
    assert sandbox.voices() == []
    assert not Finding.objects.exists()


def test_a_deletion_that_fails_is_owed_and_tried_again(ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    VoiceClone.objects.filter(pk=ready_voice.pk).update(state=State.DELETED)
    found(ready_voice.account)
    sandbox.fail(operation="delete_voice", how="error")
    assert not reconciling.delete_there(only())
    assert only().delete_wanted_at is not None
    assert "InternalError" in only().error
    reconciling.run(ready_voice.account)
    assert sandbox.voices() == []
    assert not Finding.objects.exists()


def test_it_does_not_delete_what_has_found_its_row_meanwhile(ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    VoiceClone.objects.filter(pk=ready_voice.pk).update(state=State.DELETED)
    found(ready_voice.account)
    VoiceClone.objects.filter(pk=ready_voice.pk).update(state=State.SUCCESS)
    with pytest.raises(WrongState):
        reconciling.delete_there(only())
    assert len(sandbox.voices()) == 1


def test_it_gives_an_orphan_to_the_row_it_was_made_for(ready_voice: VoiceClone) -> None:
    remote_id = ready_voice.remote_id
    VoiceClone.objects.filter(pk=ready_voice.pk).update(state=State.FAILED, remote_id="", holds_slot=False)
    ProviderAccount.objects.update(voices_held=0)
    assert found(ready_voice.account) == [(Kind.ORPHAN, True)]
    voice = reconciling.adopt(only(), by="Dana")
    finish(voice)
    assert (voice.state, voice.remote_id) == (State.SUCCESS, remote_id)
    assert ProviderAccount.objects.get().voices_held == 1
    assert found(voice.account) == []


def test_it_knows_what_was_made_twice(ready_voice: VoiceClone, sandbox: Sandbox, samples: SampleServer) -> None:
    twice = enroll(sandbox, samples, prefix=ready_voice.tag, model=ready_voice.model)
    assert found(ready_voice.account) == [(Kind.DUPLICATE, True)]
    assert reconciling.delete_there(only())
    assert sandbox.ledger.deleted() == [twice]


def test_a_ghost_is_believed_only_after_another_look(ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    sandbox.forget_voices()
    assert found(ready_voice.account) == [(Kind.GHOST, True)]
    ready_voice.refresh_from_db()
    assert ready_voice.state == State.SUCCESS
    reconciling.believe(only())
    drain()
    ready_voice.refresh_from_db()
    assert ready_voice.state == State.EXPIRED
    assert ProviderAccount.objects.get().voices_held == 0


def test_it_sees_a_voice_that_the_provider_took_out_of_use(ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    sandbox.set_status(ready_voice.remote_id, "UNDEPLOYED")
    assert found(ready_voice.account) == [(Kind.EXPIRED, True)]
    reconciling.believe(only())
    drain()
    ready_voice.refresh_from_db()
    assert ready_voice.state == State.FAILED


def test_it_shows_a_deletion_that_is_owed(ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    sandbox.fail(operation="delete_voice", how="error")
    services.request_delete(ready_voice)
    drain()
    assert found(ready_voice.account) == [(Kind.DEBT, True)]
    reconciling.believe(only())
    drain()
    ready_voice.refresh_from_db()
    assert ready_voice.state == State.DELETED
    assert found(ready_voice.account) == []


def test_it_flags_a_voice_that_has_been_silent_for_ten_months(ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    since = timezone.now() - timedelta(days=306)
    VoiceClone.objects.update(ready_at=since, spoken_at=None)
    assert found(ready_voice.account) == [(Kind.IDLE, True)]
    assert sandbox.ledger.calls("run-task") == []


def test_what_is_left_as_it_is_stays_known(ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    sandbox.forget_voices()
    found(ready_voice.account)
    reconciling.dismiss(only())
    found(ready_voice.account)
    assert only().dismissed_at is not None


def test_it_says_where_a_provider_cannot_list(iflytek_account: ProviderAccount) -> None:
    comparison = reconciling.run(iflytek_account)
    assert not comparison.listed
    out = StringIO()
    call_command("reconcile", account=iflytek_account.pk, stdout=out)
    assert "cannot list" in out.getvalue()


def test_the_command_shows_before_it_does(ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    VoiceClone.objects.filter(pk=ready_voice.pk).update(state=State.DELETED)
    out = StringIO()
    call_command("reconcile", stdout=out)
    assert "orphan" in out.getvalue()
    assert "delete" in out.getvalue()
    assert len(sandbox.voices()) == 1
    call_command("reconcile", apply="delete", stdout=out)
    assert sandbox.voices() == []


def test_the_command_deletes_nothing_of_others(
    aliyun_account: ProviderAccount, sandbox: Sandbox, samples: SampleServer
) -> None:
    enroll(sandbox, samples, prefix="theirs")
    out = StringIO()
    call_command("reconcile", apply="delete", stdout=out)
    assert len(sandbox.voices()) == 1


def test_every_account_is_compared_once_a_night(ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    yesterday = timezone.now() - timedelta(days=1, hours=1)
    ProviderAccount.objects.update(reconciled_at=yesterday)
    sandbox.forget_voices()
    sandbox.ledger.clear()
    for _sweep in range(3):
        reconciling.nightly()
    drain()
    reconciling.nightly()
    drain()
    assert len(sandbox.ledger.calls("list_voice")) == 1
    assert only().kind == Kind.GHOST


@pytest.fixture
def undecided(alice: User, iflytek_account: ProviderAccount, order_voice: Order, settings: Settings) -> VoiceClone:
    """A voice at a provider that neither lists nor takes a mark; the answer to its making was lost."""
    voice = order_voice()
    VoiceClone.objects.filter(pk=voice.pk).update(
        provider="iflytek",
        account=iflytek_account,
        model=iflytek_account.traits.default_model,
        state=State.UNKNOWN,
        due_at=None,
        intent_at=timezone.now(),
    )
    return VoiceClone.objects.get(pk=voice.pk)


def test_the_operator_decides_that_it_was_made(undecided: VoiceClone) -> None:
    assert found(undecided.account) == [(Kind.UNDECIDED, True)]
    with pytest.raises(InvalidInput):
        deciding.it_was_made(undecided, remote_id=" ", by="Dana")
    deciding.it_was_made(undecided, remote_id="4711", by="Dana")
    undecided.refresh_from_db()
    assert (undecided.state, undecided.remote_id) == (State.TRAINING, "4711")
    assert undecided.events.get(kind="operator_found_it").detail == {"remote_id": "4711", "by": "Dana"}
    assert found(undecided.account) == []


def test_the_operator_decides_that_nothing_happened(undecided: VoiceClone) -> None:
    deciding.nothing_happened(undecided, by="Dana")
    undecided.refresh_from_db()
    assert (undecided.state, undecided.intent_at) == (State.INIT, None)
    with pytest.raises(WrongState):
        deciding.nothing_happened(undecided, by="Dana")


def test_nothing_is_decided_about_what_clears_itself_up(order_voice: Order, sandbox: Sandbox) -> None:
    sandbox.fail(operation="create_voice", how="drop", at="after")
    voice = order_voice()
    drain()
    voice.refresh_from_db()
    with pytest.raises(WrongState):
        deciding.nothing_happened(voice, by="Dana")
    trained(voice)


ADMIN = "/admin/voices/finding/"


def test_the_operator_sees_and_decides_in_the_admin(
    ready_voice: VoiceClone, sandbox: Sandbox, dana_client: Client
) -> None:
    VoiceClone.objects.filter(pk=ready_voice.pk).update(state=State.DELETED)
    accounts = {"action": "compare", "_selected_action": [ready_voice.account_id]}
    dana_client.post("/admin/voices/provideraccount/", accounts, follow=True)
    assert ready_voice.remote_id in dana_client.get(ADMIN).content.decode()
    dana_client.post(
        ADMIN, {"action": "delete_there", "_selected_action": [only().pk], "confirmed": "yes"}, follow=True
    )
    assert sandbox.voices() == []


def test_it_tells_the_operator_why_something_is_not_deleted(
    aliyun_account: ProviderAccount, sandbox: Sandbox, samples: SampleServer, dana_client: Client
) -> None:
    enroll(sandbox, samples, prefix="theirs")
    found(aliyun_account)
    page = dana_client.post(
        ADMIN, {"action": "delete_there", "_selected_action": [only().pk], "confirmed": "yes"}, follow=True
    )
    assert "not ours to delete" in page.content.decode()


def test_it_says_that_a_deletion_failed_and_is_owed(
    ready_voice: VoiceClone, sandbox: Sandbox, dana_client: Client
) -> None:
    VoiceClone.objects.filter(pk=ready_voice.pk).update(state=State.DELETED)
    found(ready_voice.account)
    sandbox.fail(operation="delete_voice", how="error")
    form = {"action": "delete_there", "_selected_action": [only().pk], "confirmed": "yes"}
    page = dana_client.post(ADMIN, form, follow=True).content.decode()
    assert "It is not deleted yet" in page
    assert "It is deleted at the provider." not in page
    assert len(sandbox.voices()) == 1


def test_what_was_decided_waits_for_nobody(undecided: VoiceClone) -> None:
    found(undecided.account)
    deciding.nothing_happened(undecided, by="Dana")
    assert not Finding.objects.exists()


def test_it_offers_to_adopt_only_what_somebody_waits_for(ready_voice: VoiceClone, dana_client: Client) -> None:
    VoiceClone.objects.filter(pk=ready_voice.pk).update(state=State.FAILED, remote_id="")
    found(ready_voice.account)
    address = f"{ADMIN}{only().pk}/change/"
    assert 'value="adopt"' in dana_client.get(address).content.decode()
    VoiceClone.objects.filter(pk=ready_voice.pk).update(state=State.DELETED)
    assert 'value="adopt"' not in dana_client.get(address).content.decode()


def test_a_user_sees_no_findings(ready_voice: VoiceClone, sandbox: Sandbox, alice_client: Client) -> None:
    sandbox.forget_voices()
    found(ready_voice.account)
    assert alice_client.get(ADMIN).status_code == 302


def test_the_operator_pauses_and_resumes_an_account(ready_voice: VoiceClone, dana_client: Client) -> None:
    for action, paused in (("pause", True), ("resume", False)):
        form = {"action": action, "_selected_action": [ready_voice.account_id]}
        dana_client.post("/admin/voices/provideraccount/", form, follow=True)
        assert ProviderAccount.objects.get().is_paused == paused
    page = dana_client.get(f"/admin/voices/provideraccount/{ready_voice.account_id}/change/")
    assert "circuit" in page.content.decode()
