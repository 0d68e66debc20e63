"""What nobody foresaw: a row that meets it says so and comes to an end, instead of going round unseen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.base import ContentFile

from tests.recordings import recording
from tests.worker import drain, finish
from voiceclone_site.accounts.models import User
from voiceclone_site.sandbox.remote import Sandbox
from voices import services
from voices.models import ProviderAccount, VoiceClone

State = VoiceClone.State
Order = Callable[..., VoiceClone]

ANOTHER_KEY = "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA="


def test_it_ends_a_voice_whose_account_cannot_be_used(order_voice: Order, aliyun_account: ProviderAccount) -> None:
    voice = order_voice()
    ProviderAccount.objects.update(endpoints={})
    finish(voice)
    aliyun_account.refresh_from_db()
    assert (voice.state, voice.error_code, voice.error_action) == (State.FAILED, "internal", "operator")
    assert aliyun_account.voices_held == 0


def test_it_says_so_when_the_key_of_the_credentials_is_lost(order_voice: Order, settings: Any) -> None:
    voice = order_voice()
    settings.ENCRYPTION_KEYS = [ANOTHER_KEY]
    drain()
    voice = VoiceClone.objects.get(pk=voice.pk)
    assert voice.state == State.INIT
    assert voice.error_code == "internal"
    assert voice.due_at is not None
    assert voice.lease_token is None


def test_it_goes_on_once_the_operator_has_put_it_right(order_voice: Order, aliyun_account: ProviderAccount) -> None:
    voice = order_voice()
    ProviderAccount.objects.update(endpoints={})
    drain()
    ProviderAccount.objects.update(endpoints=aliyun_account.endpoints)
    finish(voice)
    assert (voice.state, voice.error_code) == (State.SUCCESS, "")


def test_it_goes_on_owing_a_delete(ready_voice: VoiceClone, aliyun_account: ProviderAccount) -> None:
    ProviderAccount.objects.update(endpoints={})
    services.request_delete(ready_voice)
    drain()
    ready_voice.refresh_from_db()
    assert (ready_voice.state, ready_voice.error_code) == (State.DELETING, "internal")
    ProviderAccount.objects.update(endpoints=aliyun_account.endpoints)
    finish(ready_voice)
    assert ready_voice.state == State.DELETED


def test_it_stops_asking_about_a_ready_voice_when_the_key_no_longer_opens(
    ready_voice: VoiceClone, sandbox: Sandbox
) -> None:
    ProviderAccount.objects.update(credentials={"api_key": "sk-revoked"})
    services.poll_now(ready_voice)
    drain()
    ready_voice.refresh_from_db()
    assert ready_voice.state == State.SUCCESS
    assert ready_voice.due_at is None


def test_it_keeps_nothing_of_a_recording_that_the_disk_had_no_room_for(
    order_voice: Order, aliyun_account: ProviderAccount
) -> None:
    media = Path(settings.MEDIA_ROOT)
    media.mkdir()
    (media / "samples").write_bytes(b"")  # where a directory should be
    with pytest.raises(OSError, match="samples"):
        order_voice()
    aliyun_account.refresh_from_db()
    assert not VoiceClone.objects.exists()
    assert aliyun_account.voices_held == 0


def test_it_leaves_no_half_of_a_recording(order_voice: Order, alice: User) -> None:
    class FullDisk(ContentFile):  # type: ignore[type-arg]  # Django has no subscript at run time
        """Its bytes can be read, but not to the end when they are stored."""

        told = 0

        def chunks(self, chunk_size: int | None = None) -> Any:
            self.told += 1
            yield self.read(1000)
            if self.told > 1:
                raise OSError(28, "No space left on device")
            yield self.read()

    with pytest.raises(OSError, match="No space"):
        order_voice(recording=FullDisk(recording("en-us+f3"), name="annie.wav"))
    assert [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()] == []
    assert not VoiceClone.objects.exists()
