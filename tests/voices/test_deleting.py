"""Deleting a voice: gone for its owner at once, and owed to the provider until it is gone there too."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from tests.studio import make_due
from tests.worker import drain
from voiceclone_site.sandbox.remote import Sandbox
from voices import advancing, services
from voices.models import ProviderAccount, VoiceClone, VoiceConsent

State = VoiceClone.State


def test_it_deletes_at_the_provider_and_erases_the_recordings(
    ready_voice: VoiceClone, sandbox: Sandbox, aliyun_account: ProviderAccount
) -> None:
    services.request_delete(ready_voice)
    drain()
    ready_voice.refresh_from_db()
    aliyun_account.refresh_from_db()
    assert ready_voice.state == State.DELETED
    assert sandbox.ledger.deleted("aliyun-1") == [ready_voice.remote_id]
    assert [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()] == []
    assert aliyun_account.voices_held == 0


def test_it_keeps_the_consent_as_evidence(ready_voice: VoiceClone) -> None:
    services.request_delete(ready_voice)
    drain()
    consent = VoiceConsent.objects.get(voice=ready_voice)
    assert consent.sample is not None
    assert consent.sample.erased_at is not None


def test_it_hides_a_deleted_voice_from_its_owner(ready_voice: VoiceClone) -> None:
    services.request_delete(ready_voice)
    drain()
    assert not VoiceClone.objects.visible_to(ready_voice.owner).exists()


def test_it_owes_a_delete_that_failed_until_it_is_done(
    ready_voice: VoiceClone, sandbox: Sandbox, aliyun_account: ProviderAccount
) -> None:
    sandbox.fail(operation="delete_voice", how="error", status=500, code="InternalError.Algo")
    services.request_delete(ready_voice)
    drain()
    ready_voice.refresh_from_db()
    aliyun_account.refresh_from_db()
    assert ready_voice.state == State.DELETING
    assert ready_voice.due_at is not None
    assert ready_voice.due_at > timezone.now()
    assert aliyun_account.voices_held == 1

    make_due(ready_voice)
    advancing.advance(ready_voice.pk)
    ready_voice.refresh_from_db()
    assert ready_voice.state == State.DELETED


def test_it_erases_the_recordings_however_long_the_provider_cannot_delete(
    ready_voice: VoiceClone, sandbox: Sandbox
) -> None:
    sandbox.fail(operation="delete_voice", how="error", status=500, code="InternalError.Algo", times=0)
    services.request_delete(ready_voice)
    drain()
    ready_voice.refresh_from_db()
    assert ready_voice.state == State.DELETING
    assert [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()] == []


def test_it_waits_for_a_voice_that_the_provider_may_still_be_making(
    order_voice: Callable[..., VoiceClone], sandbox: Sandbox
) -> None:
    sandbox.fail(operation="create_voice", how="drop", at="before")
    voice = order_voice()
    drain()
    services.request_delete(voice)
    drain()
    voice.refresh_from_db()
    assert voice.state == State.DELETING
    assert voice.due_at is not None
    assert voice.due_at > timezone.now()

    VoiceClone.objects.update(intent_at=timezone.now() - timedelta(minutes=2))
    make_due(voice)
    advancing.advance(voice.pk)
    voice.refresh_from_db()
    assert voice.state == State.DELETED


def test_it_takes_a_voice_that_is_already_gone_as_deleted(ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    sandbox.forget_voices()
    services.request_delete(ready_voice)
    drain()
    ready_voice.refresh_from_db()
    assert ready_voice.state == State.DELETED


def test_it_calls_no_provider_for_a_voice_that_was_never_sent(
    order_voice: Callable[..., VoiceClone], sandbox: Sandbox
) -> None:
    voice = order_voice()
    services.request_delete(voice)
    drain()
    voice.refresh_from_db()
    assert voice.state == State.DELETED
    assert [entry for entry in sandbox.ledger.entries(direction="in") if entry.operation != "handshake"] == []


def test_it_is_deleted_once_however_often_it_is_asked_for(ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    services.request_delete(ready_voice)
    services.request_delete(VoiceClone.objects.get(pk=ready_voice.pk))
    drain()
    drain()
    assert len(sandbox.ledger.calls("delete_voice")) == 1
