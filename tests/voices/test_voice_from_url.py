"""A voice whose recording is fetched from its address, in the worker: what comes of it, and what is never fetched."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings
from rest_framework.test import APIClient

from tests.recordings import WOMAN, recording
from tests.sample_server import Answer, SampleServer
from tests.worker import drain, finish, let_time_pass
from voiceclone_site.sandbox.remote import Sandbox
from voices.models import ProviderAccount, SampleSource, VoiceClone, VoiceConsent, VoiceSample

VOICES = "/api/v1/voices"
State = VoiceClone.State


@pytest.fixture(autouse=True)
def _a_provider_on_this_machine(settings: Settings, aliyun_account: ProviderAccount, public_address: str) -> None:
    settings.OUTWARD_LOOPBACK = True


def ordered(api: APIClient, url: str, **changes: Any) -> VoiceClone:
    body = {"name": "Annie", "sample_url": url, "consent": True, "language": "en", **changes}
    answer = api.post(VOICES, body, format="json")
    assert answer.status_code == 201, answer.json()
    assert answer.json()["state"] == "Init"
    return VoiceClone.objects.get(pk=answer.json()["id"])


def test_it_trains_from_what_it_fetched(alice_api: APIClient, samples: SampleServer, sandbox: Sandbox) -> None:
    voice = ordered(alice_api, samples.url(recording(WOMAN)))
    assert VoiceConsent.objects.get(voice=voice).sample is None
    finish(voice)
    assert voice.state == State.SUCCESS, voice.error_sentence
    sample = VoiceSample.objects.get(voice=voice)
    assert VoiceConsent.objects.get(voice=voice).sample == sample
    assert sample.size == len(recording(WOMAN))
    assert not SampleSource.objects.exists()
    kinds = [event["kind"] for event in alice_api.get(f"{VOICES}/{voice.pk}/events").json()["results"]]
    assert kinds[:3] == ["recording_ordered", "recording_fetched", "training_started"]


def test_it_keeps_the_address_encrypted_and_shows_it_to_nobody(alice_api: APIClient, samples: SampleServer) -> None:
    url = samples.url(recording(WOMAN)) + "?key=secret-key"
    voice = ordered(alice_api, url)
    with connection.cursor() as cursor:
        cursor.execute("SELECT url FROM voices_samplesource")
        assert "secret-key" not in str(cursor.fetchall())
    assert "secret-key" not in alice_api.get(f"{VOICES}/{voice.pk}").content.decode()


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(b"<html>not here</html>", "text/html"), "sample_refused"),
        (Answer(status=302, location="http://10.0.0.1/voice.wav"), "address_refused"),
    ],
    ids=["no sound", "a private address behind a redirect"],
)
def test_it_says_in_the_voice_why_the_recording_will_not_do(
    alice_api: APIClient, samples: SampleServer, answer: Answer, code: str
) -> None:
    voice = finish(ordered(alice_api, samples.url_of(answer)))
    shown = alice_api.get(f"{VOICES}/{voice.pk}").json()
    assert (shown["state"], shown["error"]["code"]) == ("Failed", code)
    assert shown["error"]["message"]
    assert not VoiceClone.objects.get(pk=voice.pk).holds_slot
    assert not SampleSource.objects.exists()


def test_it_tries_again_when_nothing_answers(alice_api: APIClient, samples: SampleServer) -> None:
    url = samples.url_of(Answer(status=503))
    voice = ordered(alice_api, url)
    drain()
    voice.refresh_from_db()
    assert (voice.state, voice.error_code) == (State.INIT, "address_unreachable")
    samples.answers["/" + url.rpartition("/")[2]] = Answer(recording(WOMAN))
    finish(voice)
    assert voice.state == State.SUCCESS


def test_it_gives_up_when_nothing_ever_answers(alice_api: APIClient, samples: SampleServer) -> None:
    voice = finish(ordered(alice_api, samples.url_of(Answer(status=404))))
    assert (voice.state, voice.error_code) == (State.FAILED, "address_unreachable")


def test_it_fetches_no_more_than_a_recording_may_be(
    alice_api: APIClient, samples: SampleServer, settings: Settings
) -> None:
    settings.MAX_SAMPLE_BYTES = 1000
    voice = finish(ordered(alice_api, samples.url(b"x" * 2000)))
    assert voice.state == State.FAILED
    assert "too large" in voice.error_sentence


def test_it_fetches_nothing_for_a_voice_that_was_deleted(
    alice_api: APIClient, samples: SampleServer, sandbox: Sandbox
) -> None:
    voice = ordered(alice_api, samples.url(recording(WOMAN)))
    alice_api.delete(f"{VOICES}/{voice.pk}")
    finish(voice)
    let_time_pass()
    assert voice.state == State.DELETED
    assert not VoiceSample.objects.exists()
    assert not SampleSource.objects.exists()
    assert sandbox.ledger.calls("create_voice") == []


@pytest.mark.parametrize(
    "url",
    ["http://10.0.0.1/a.wav", "file:///etc/passwd", "http://[::ffff:10.0.0.1]/", "ftp://example.com/a.wav", "a.wav"],
)
def test_it_refuses_an_address_that_leads_nowhere_public(alice_api: APIClient, url: str) -> None:
    body = {"name": "Annie", "sample_url": url, "consent": True}
    refusal = alice_api.post(VOICES, body, format="json")
    assert refusal.status_code == 400
    assert list(refusal.json()["error"]["fields"]) == ["sample_url"]
    assert not VoiceClone.objects.exists()


def test_it_wants_consent_first(alice_api: APIClient) -> None:
    body = {"name": "Annie", "sample_url": "https://example.com/a.wav"}
    assert alice_api.post(VOICES, body, format="json").json()["error"]["code"] == "consent_missing"


def test_it_refuses_what_belongs_to_the_other_form(alice_api: APIClient) -> None:
    fields = alice_api.post(VOICES, {"name": "Annie", "sample": "x", "consent": True}, format="json").json()["error"][
        "fields"
    ]
    assert set(fields) == {"sample", "sample_url"}


def test_it_finds_voices_by_language_and_name(alice_api: APIClient) -> None:
    for name, language in (("Annie", "en"), ("小安", "zh")):
        ordered(alice_api, "https://example.com/a.wav", name=name, language=language)
    assert [voice["name"] for voice in alice_api.get(f"{VOICES}?language=zh").json()["results"]] == ["小安"]
    assert [voice["name"] for voice in alice_api.get(f"{VOICES}?q=安&kind=cloned").json()["results"]] == ["小安"]
    assert alice_api.get(f"{VOICES}?language=zh&q=annie").json()["results"] == []
