"""A voice that has been silent for so long that its provider would remove it: an operator lets it speak one sign."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from synthesis.models import SynthesisJob
from tests.worker import drain
from voiceclone_site.accounts.models import User
from voiceclone_site.sandbox.remote import Sandbox
from voices import books, reconciling
from voices.findings import Finding
from voices.models import LedgerEntry, ProviderAccount, VoiceClone

FINDINGS, VOICES = "/admin/voices/finding/", "/admin/voices/voiceclone/"


@pytest.fixture
def idle(ready_voice: VoiceClone) -> Finding:
    VoiceClone.objects.update(ready_at=timezone.now() - timedelta(days=306), spoken_at=None)
    reconciling.run(ready_voice.account)
    return Finding.objects.get(kind=Finding.Kind.IDLE)


def act(client: Client, address: str, row: Any, **more: str) -> Any:
    return client.post(address, {"action": "keep_alive", "_selected_action": str(row.pk), **more}, follow=True)


def told(page: Any) -> str:
    return " ".join(str(message) for message in page.context["messages"])


def test_it_says_what_it_costs_before_anything_is_spoken(idle: Finding, dana_client: Client, sandbox: Sandbox) -> None:
    assert "Keep alive" in dana_client.get(f"{FINDINGS}{idle.pk}/change/").content.decode()
    preview = act(dana_client, FINDINGS, idle).content.decode()
    assert "It costs one synthesis" in preview
    assert "Annie" in preview or idle.remote_id in preview
    drain()
    assert not SynthesisJob.objects.exists()
    assert sandbox.ledger.calls("run-task") == []


def test_it_speaks_once_at_the_operators_cost_and_tells_the_owner(
    idle: Finding, dana: User, dana_client: Client, alice_client: Client, sandbox: Sandbox
) -> None:
    assert "It speaks one sign" in told(act(dana_client, FINDINGS, idle, confirmed="yes"))
    drain()
    job = SynthesisJob.objects.get()
    assert (job.state, job.characters, job.owner) == (SynthesisJob.State.SUCCESS, 1, dana)
    assert len(sandbox.ledger.calls("run-task")) == 1
    spoken = LedgerEntry.objects.filter(purpose=LedgerEntry.Purpose.SPEECH)
    assert {(line.owner_id, line.account_id) for line in spoken} == {(dana.pk, job.voice.account_id)}
    assert sum(line.characters for line in spoken) == 1
    assert books.discrepancies() == []
    assert job.voice.events.get(kind="kept_alive").detail == {"by": str(dana), "job": str(job.pk)}
    assert "let it speak one sign" in alice_client.get(f"/voices/{job.voice_id}/").content.decode()
    reconciling.run(job.voice.account)
    assert not Finding.objects.exists()


def test_it_is_not_paid_for_twice(idle: Finding, dana_client: Client) -> None:
    assert idle.voice is not None
    act(dana_client, FINDINGS, idle, confirmed="yes")
    assert "being spoken with just now" in told(act(dana_client, VOICES, idle.voice, confirmed="yes"))
    assert SynthesisJob.objects.count() == 1


def test_a_voice_has_the_button_only_where_its_provider_forgets(
    ready_voice: VoiceClone, iflytek_account: ProviderAccount, dana_client: Client
) -> None:
    address = f"{VOICES}{ready_voice.pk}/change/"
    assert 'value="keep_alive"' in dana_client.get(address).content.decode()
    VoiceClone.objects.update(provider="iflytek", account=iflytek_account, model=iflytek_account.traits.default_model)
    assert 'value="keep_alive"' not in dana_client.get(address).content.decode()
    assert "removes no voice" in told(act(dana_client, VOICES, ready_voice, confirmed="yes"))


def test_the_command_says_who_pays(idle: Finding, dana: User) -> None:
    with pytest.raises(CommandError, match="--by"):
        call_command("reconcile", apply="keep-alive", stdout=StringIO())
    call_command("reconcile", apply="keep-alive", by="dana@example.com", stdout=StringIO())
    assert SynthesisJob.objects.get().owner == dana


def test_a_stranger_keeps_nothing_alive(idle: Finding, charlie_client: Client, alice_client: Client) -> None:
    for client in (charlie_client, alice_client):
        client.post(FINDINGS, {"action": "keep_alive", "_selected_action": str(idle.pk), "confirmed": "yes"})
    assert not SynthesisJob.objects.exists()
