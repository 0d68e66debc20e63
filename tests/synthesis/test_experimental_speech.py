"""A provider whose speech is an experiment, through the portal's own doors: marked as such, guarded, and counted."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from synthesis import services
from synthesis.models import SynthesisJob
from tests.cast import token_of
from tests.front import Portal
from tests.listening import listen
from tests.portal import speaking_qiniu
from tests.recordings import WOMAN, recording
from tests.studio import ticked, trained
from tests.synthesis.command_line import CommandLine, at_the_sandbox, voiceclone
from tests.worker import drain
from voiceclone_site.accounts.models import User
from voiceclone_site.sandbox.remote import Sandbox
from voices import books
from voices import services as voices
from voices.models import ProviderAccount, VoiceClone

__all__ = ["at_the_sandbox", "voiceclone"]

State = SynthesisJob.State
WEATHER = "今天天气怎么样？"


@pytest.fixture
def voice(alice: User, speaking_qiniu_account: ProviderAccount, public_address: str) -> VoiceClone:
    account = speaking_qiniu_account
    made = voices.create_voice(
        alice,
        name="Annie",
        provider=account.provider,
        model=account.traits.default_model,
        language="zh",
        recording=ContentFile(recording(WOMAN), name="annie.wav"),
        filename="annie.wav",
        consent=ticked(),
    )
    return trained(made)


def note_of(account: ProviderAccount) -> str:
    return str(account.traits.speech_note)


def off_again(settings: Settings) -> None:
    block = {name: value for name, value in settings.PROVIDERS["qiniu"].items() if name != "experiment"}
    settings.PROVIDERS = settings.PROVIDERS | {"qiniu": block}


def test_its_longest_text_is_told_as_what_it_speaks_in_one_go(
    alice_api: APIClient, speaking_qiniu_account: ProviderAccount
) -> None:
    models = alice_api.get("/elevenlabs/v1/models").json()
    assert {each["maximum_text_length_per_request"] for each in models} == {
        speaking_qiniu_account.traits.max_characters
    }


@pytest.mark.parametrize("path", ["/api/v1/speech", "/v1/audio/speech"])
def test_it_speaks_through_the_relay_and_counts_a_sign_as_one(
    portal: Portal, alice: User, voice: VoiceClone, path: str
) -> None:
    body = {"voice": str(voice.pk), "text": WEATHER, "input": WEATHER, "model": "tts-1"}
    named = ("voice", "text") if path.startswith("/api") else ("voice", "input", "model")
    answer = portal.ask(path, {name: body[name] for name in named}, token=token_of(alice))
    assert (answer.status, answer.broken, answer.headers["content-type"]) == (200, False, "audio/mpeg")
    assert listen(answer.body).f0 == pytest.approx(listen(recording(WOMAN)).f0, rel=0.10)
    portal.until_quiet()
    job = SynthesisJob.objects.get()
    assert (job.state, job.characters) == (State.SUCCESS, len(WEATHER))
    assert job.provider_request_id
    assert list(books.discrepancies()) == []


def test_it_says_that_nothing_was_sent_where_the_voice_is_not_listed(
    portal: Portal, alice: User, voice: VoiceClone, sandbox: Sandbox
) -> None:
    sandbox.configure(qiniu_listed="stock", qiniu_unknown_voice="stranger")
    answer = portal.ask("/api/v1/speech", {"voice": str(voice.pk), "text": WEATHER}, token=token_of(alice))
    assert answer.status >= 400
    assert answer.json()["error"]["code"] == "voice_not_usable"
    assert answer.json()["error"]["provider_code"] == "not-listed"
    portal.until_quiet()
    job = SynthesisJob.objects.get()
    assert (job.state, job.characters) == (State.FAILED, 0)
    assert sandbox.ledger.calls("qiniu:handshake") == []
    assert list(books.discrepancies()) == []


def test_a_job_speaks_it_too_and_fails_without_a_voice_in_the_list(voice: VoiceClone, sandbox: Sandbox) -> None:
    def job() -> SynthesisJob:
        order = services.check(voice.owner, voice=voice, text=WEATHER)
        submitted = services.submit(order)
        drain()
        submitted.refresh_from_db()
        return submitted

    said = job()
    assert (said.state, said.audio_format, said.characters) == (State.SUCCESS, "mp3", len(WEATHER))
    sandbox.remove_qiniu_voice(voice.remote_id)
    gone = job()
    assert (gone.state, gone.error_code) == (State.FAILED, "voice_not_usable")
    assert list(books.discrepancies()) == []


def test_what_waits_when_it_is_switched_off_is_not_sent(
    voice: VoiceClone, sandbox: Sandbox, settings: Settings
) -> None:
    job = services.submit(services.check(voice.owner, voice=voice, text=WEATHER))
    off_again(settings)
    drain()
    job.refresh_from_db()
    assert (job.state, job.error_code) == (State.FAILED, "not_supported")
    assert sandbox.ledger.calls("qiniu:list") == []


def test_the_pages_and_the_api_call_it_an_experiment(
    alice_client: Client, alice_api: APIClient, speaking_qiniu_account: ProviderAccount, alice: User, settings: Settings
) -> None:
    account = speaking_qiniu_account
    voice = VoiceClone.objects.create(
        owner=alice,
        account=account,
        provider=account.provider,
        model=account.traits.default_model,
        language="zh",
        name="Annie",
        remote_id="remote-1",
        demo_url="http://127.0.0.1:9/demo.wav",
        state=VoiceClone.State.SUCCESS,
    )
    detail = alice_client.get(f"/voices/{voice.pk}/").content.decode()
    assert detail.count(note_of(account)) == 1
    assert "data-stream" in detail
    assert f'src="/voices/{voice.pk}/demo/"' in detail
    for path in ("/voices/new/", f"/speak/?voice={voice.pk}"):
        assert note_of(account) in alice_client.get(path).content.decode()
    assert told(alice_api) == (True, True, [note_of(account), str(account.traits.delete_note)])
    off_again(settings)
    assert told(alice_api) == (False, False, [note_of(account), str(account.traits.delete_note)])
    assert "data-stream" not in alice_client.get(f"/voices/{voice.pk}/").content.decode()


def told(api: APIClient) -> tuple[Any, ...]:
    (provider,) = (each for each in api.get("/api/v1/providers").json()["providers"] if each["slug"] == "qiniu")
    return provider["can"]["synthesize"], provider["speech_is_experimental"], provider["notes"]


def test_the_command_line_speaks_with_it(
    voiceclone: CommandLine, voice: VoiceClone, settings: Settings, sandbox: Sandbox, tmp_path: Any
) -> None:
    settings.PROVIDERS = speaking_qiniu(settings)
    block = settings.PROVIDERS["qiniu"]
    block["sandbox_credentials"] = voice.account.credentials
    block["sandbox_endpoints"] = voice.account.endpoints
    target = tmp_path / "said.mp3"
    ran = voiceclone("synth", "--provider", "qiniu", "--res-id", voice.remote_id, WEATHER, "-o", target)
    assert ran.status == 0, ran.err
    assert listen(target.read_bytes()).f0 == pytest.approx(listen(recording(WOMAN)).f0, rel=0.10)
