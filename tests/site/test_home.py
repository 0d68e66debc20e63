"""The first page for a visitor, and the first page for somebody who is at home here."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from synthesis.models import SynthesisJob
from voiceclone_site.accounts.models import User
from voices import ledger
from voices.models import ProviderAccount, VoiceClone
from voices.providers import registry


@pytest.fixture
def account(db: None) -> ProviderAccount:
    return ProviderAccount.objects.create(provider="aliyun", name="quiet", voice_cap=10)


def voice_of(owner: User, account: ProviderAccount, **fields: Any) -> VoiceClone:
    described: dict[str, Any] = {
        "owner": owner,
        "account": account,
        "provider": "aliyun",
        "model": "cosyvoice-v3-flash",
        "language": "en",
        "name": "Annie",
        "state": VoiceClone.State.SUCCESS,
    }
    return VoiceClone.objects.create(**(described | fields))


def spoken(voice: VoiceClone, **fields: Any) -> SynthesisJob:
    described: dict[str, Any] = {
        "owner": voice.owner,
        "voice": voice,
        "provider": "aliyun",
        "model": voice.model,
        "mode": SynthesisJob.Mode.STREAM,
        "state": SynthesisJob.State.SUCCESS,
        "text": "Good morning!",
        "audio_format": "wav",
        "sample_rate": 24000,
        "characters_expected": 13,
        "characters": 1300,
        "seconds": 83.0,
    }
    job = SynthesisJob.objects.create(**(described | fields))
    claim = ledger.speech(
        job.pk,
        owner_id=job.owner_id,
        voice=voice,
        characters=job.characters,
        model=job.model,
        token_id=None,
    )
    ledger.add(claim)
    ledger.settle_speech(job.pk, characters=job.characters, milliseconds=round((job.seconds or 0) * 1000))
    return job


def test_it_says_what_this_is_and_names_every_provider(visitor: Client) -> None:
    page = visitor.get("/").content.decode()
    assert "Clone a voice. Hear it speak." in page
    for slug in registry.slugs():
        assert str(registry.traits(slug).label) in page
    assert 'href="/accounts/signup/"' in page


def test_it_says_that_the_sandbox_only_imitates_where_it_is_used(visitor: Client, account: ProviderAccount) -> None:
    notice = "it imitates pitch and timbre only"
    assert notice not in visitor.get("/").content.decode()
    ProviderAccount.objects.update(origin=ProviderAccount.Origin.SANDBOX)
    assert notice in visitor.get("/").content.decode()


def test_it_leads_a_newcomer_to_their_first_voice(alice_client: Client) -> None:
    page = alice_client.get("/dashboard/").content.decode()
    assert "Hello, Alice" in page
    assert "Your first voice is a few sentences away" in page


def test_it_counts_voices_characters_and_minutes(alice: User, alice_client: Client, account: ProviderAccount) -> None:
    voice = voice_of(alice, account)
    voice_of(alice, account, state=VoiceClone.State.TRAINING)
    voice_of(alice, account, state=VoiceClone.State.FAILED)
    spoken(voice)
    page = alice_client.get("/dashboard/").content.decode()
    for word in ("1 in work", "1 failed", "1,300", "1:23", "Good morning!", "Ready when you are"):
        assert word in page


def test_it_shows_nothing_of_anybody_else(alice: User, charlie_client: Client, account: ProviderAccount) -> None:
    spoken(voice_of(alice, account))
    page = charlie_client.get("/dashboard/").content.decode()
    assert "Annie" not in page
    assert "Good morning!" not in page


@pytest.mark.parametrize(
    ("state", "next_step"), [("Training", "Your voice is being made"), ("Failed", "Your voice needs another try")]
)
def test_it_names_the_next_step(
    alice: User, alice_client: Client, account: ProviderAccount, state: str, next_step: str
) -> None:
    voice_of(alice, account, state=state)
    assert next_step in alice_client.get("/dashboard/").content.decode()


@pytest.mark.parametrize("address", ["/", "/accounts/login/", "/nowhere/"])
def test_it_has_no_script_or_style_within_the_page(visitor: Client, address: str) -> None:
    page = visitor.get(address).content.decode()
    assert " style=" not in page
    assert "<style" not in page
    assert all(" src=" in tag.split(">")[0] for tag in page.split("<script")[1:])
    assert " onclick=" not in page
