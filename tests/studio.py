"""A voice studio in a few words: voices that Alice has, or is getting, at the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone

from tests.recordings import WOMAN, recording
from tests.worker import finish
from voiceclone_site.accounts.models import User
from voices import consent, services
from voices.models import ProviderAccount, VoiceClone


@pytest.fixture
def order_voice(alice: User, aliyun_account: ProviderAccount, public_address: str) -> Callable[..., VoiceClone]:
    """Take in a recording for Alice; nothing has been sent to the provider yet."""

    def order(*, owner: User = alice, voice: str = WOMAN, **changes: Any) -> VoiceClone:
        wanted: dict[str, Any] = {
            "name": "Annie",
            "provider": aliyun_account.provider,
            "model": aliyun_account.traits.default_model,
            "language": "en",
            "recording": ContentFile(recording(voice), name="annie.wav"),
            "filename": "annie.wav",
            "consent": ticked(),
        }
        return services.create_voice(owner, **(wanted | changes))

    return order


@pytest.fixture
def ready_voice(order_voice: Callable[..., VoiceClone]) -> VoiceClone:
    """A voice of Alice's that can speak."""
    voice = order_voice()
    return trained(voice)


def trained(voice: VoiceClone) -> VoiceClone:
    finish(voice)
    assert voice.state == VoiceClone.State.SUCCESS, voice.error_detail
    return voice


def make_due(row: Any) -> None:
    """Let the time pass that the row would wait: for its next step, or for a dead process's lease to run out."""
    now = timezone.now()
    changes: dict[str, Any] = {"due_at": now - timedelta(seconds=1)}
    if row.__class__.objects.filter(pk=row.pk, lease_until__isnull=False).exists():
        changes["lease_until"] = now - timedelta(seconds=1)
    row.__class__.objects.filter(pk=row.pk).update(**changes)


def ticked() -> consent.Consent:
    return consent.accepted(ticked=True, channel="page", address="127.0.0.1", user_agent="a test")
