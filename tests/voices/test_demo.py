"""A provider's demo of a voice, through the portal: fetched once, kept, and for its owner alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse

from tests.listening import listen
from tests.recordings import MAN, WOMAN, recording
from tests.sample_server import Answer, SampleServer
from tests.studio import ticked, trained
from tests.worker import finish
from voiceclone_site.accounts.models import User
from voiceclone_site.sandbox.remote import Sandbox
from voices import demo, services
from voices.models import ProviderAccount, VoiceClone

DEMO = Path("demos")


@pytest.fixture
def voice(alice: User, qiniu_account: ProviderAccount, public_address: str) -> VoiceClone:
    """A voice of Alice's at a provider that makes demos."""
    made = services.create_voice(
        alice,
        name="Annie",
        provider=qiniu_account.provider,
        model=qiniu_account.traits.default_model,
        language="zh",
        recording=ContentFile(recording(WOMAN), name="annie.wav"),
        filename="annie.wav",
        consent=ticked(),
    )
    return trained(made)


def url(voice: VoiceClone) -> str:
    return reverse("voice_demo", args=[voice.pk])


def heard(client: Client, voice: VoiceClone, **headers: str) -> tuple[int, bytes]:
    answer = client.get(url(voice), headers=headers)
    return answer.status_code, answer.getvalue()


def stored() -> list[str]:
    return [path.name for path in (Path(settings.MEDIA_ROOT) / DEMO).glob("*")]


def test_the_owner_hears_the_demo_in_that_voice(alice_client: Client, voice: VoiceClone) -> None:
    assert demo.has_demo(voice)
    answer = alice_client.get(url(voice))
    assert answer["Content-Type"] == "audio/wav"
    assert "no-store" in answer["Cache-Control"]
    assert listen(answer.getvalue()).f0 == pytest.approx(listen(recording(WOMAN)).f0, rel=0.1)
    assert voice.demo_url not in str(answer.headers)


def test_it_is_fetched_once_and_can_be_heard_in_parts(
    alice_client: Client, voice: VoiceClone, sandbox: Sandbox
) -> None:
    status, whole = heard(alice_client, voice)
    assert status == 200
    assert heard(alice_client, voice, range="bytes=4-7") == (206, whole[4:8])
    assert len(sandbox.ledger.calls("demo")) == 1
    sandbox.forget_voices()
    assert heard(alice_client, voice) == (200, whole)


def test_a_stranger_finds_nothing(charlie_client: Client, dana_client: Client, voice: VoiceClone) -> None:
    assert heard(charlie_client, voice)[0] == 404
    assert heard(dana_client, voice)[0] == 404
    assert stored() == []


def test_a_visitor_is_asked_to_log_in(visitor: Client, voice: VoiceClone) -> None:
    answer = visitor.get(url(voice))
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("account_login"))


def test_it_changes_nothing(alice_client: Client, voice: VoiceClone) -> None:
    assert alice_client.post(url(voice)).status_code == 405


def test_the_link_is_asked_for_anew_when_it_has_aged(alice_client: Client, voice: VoiceClone, sandbox: Sandbox) -> None:
    aged = re.sub(r"\w{4}\.wav$", "0000.wav", voice.demo_url)
    VoiceClone.objects.update(demo_url=aged)
    status, sound = heard(alice_client, voice)
    assert (status, sound[:4]) == (200, b"RIFF")


def test_another_training_brings_another_demo(alice_client: Client, voice: VoiceClone, sandbox: Sandbox) -> None:
    heard(alice_client, voice)
    services.retrain(
        voice, recording=ContentFile(recording(MAN), name="adam.wav"), filename="adam.wav", consent=ticked()
    )
    assert not demo.has_demo(voice)
    assert heard(alice_client, voice)[0] == 404
    trained(voice)
    _status, sound = heard(alice_client, voice)
    assert listen(sound).f0 == pytest.approx(listen(recording(MAN)).f0, rel=0.1)
    assert stored() == [str(voice.pk)]


def test_it_goes_with_the_voice(alice_client: Client, voice: VoiceClone) -> None:
    heard(alice_client, voice)
    assert stored() == [str(voice.pk)]
    services.request_delete(voice)
    assert heard(alice_client, voice)[0] == 404
    finish(voice)
    assert stored() == []
    assert heard(alice_client, voice)[0] == 404


def test_a_voice_without_a_demo_says_so(alice_client: Client, voice: VoiceClone) -> None:
    VoiceClone.objects.update(demo_url="")
    status, said = heard(alice_client, voice)
    assert (status, said.decode()) == (404, "The provider has no demo of this voice.\n")


@pytest.mark.parametrize("body", [b"<html>not a sound</html>", b"", b"RIFFxxxxAVI "])
def test_what_is_no_sound_is_not_kept(
    alice_client: Client, voice: VoiceClone, samples: SampleServer, body: bytes
) -> None:
    VoiceClone.objects.update(demo_url=samples.url(body, "audio/wav"))
    status, said = heard(alice_client, voice)
    assert status == 502
    assert "not a sound" in said.decode()
    assert stored() == []


@pytest.mark.parametrize(
    ("head", "content_type"),
    [
        (b"ID3\x04" + b"\0" * 20, "audio/mpeg"),
        (b"\xff\xfb\x90" + b"\0" * 20, "audio/mpeg"),
        (b"OggS" + b"\0" * 20, "audio/ogg"),
        (b"fLaC" + b"\0" * 20, "audio/flac"),
        (b"\0\0\0\x20ftypM4A ", "audio/mp4"),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
    ],
)
def test_it_says_what_kind_of_sound_it_is_by_its_content(
    alice_client: Client, voice: VoiceClone, samples: SampleServer, head: bytes, content_type: str
) -> None:
    VoiceClone.objects.update(demo_url=samples.url(head, "text/html"))
    answer = alice_client.get(url(voice))
    assert answer["Content-Type"] == content_type
    answer.close()


def test_it_follows_no_redirect_to_where_only_we_can_go(
    alice_client: Client, voice: VoiceClone, samples: SampleServer, sandbox: Sandbox
) -> None:
    sandbox.remove_qiniu_voice(voice.remote_id)
    inner = samples.url(b"ID3 secret")
    VoiceClone.objects.update(demo_url=samples.url_of(Answer(status=302, location=inner)))
    status, said = heard(alice_client, voice)
    assert (status, b"secret" in said) == (502, False)
    assert stored() == []


def test_two_who_ask_at_once_fetch_it_once(alice_client: Client, voice: VoiceClone, sandbox: Sandbox) -> None:
    cache.add(f"demo-being-fetched:{voice.pk}", 1, 60)
    answer = alice_client.get(url(voice))
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert sandbox.ledger.calls("demo") == []


def test_it_can_be_fetched_after_a_fetch_that_failed(alice_client: Client, voice: VoiceClone, sandbox: Sandbox) -> None:
    link = voice.demo_url
    VoiceClone.objects.update(demo_url="https://example.com/demo.wav")
    sandbox.fail(operation="get_clone", how="html")
    assert heard(alice_client, voice)[0] == 502
    VoiceClone.objects.update(demo_url=link)
    assert heard(alice_client, voice)[0] == 200
