"""How far a voice has come, and when it says what: as the provider tells, on the page and in the API."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.test import Client
from rest_framework.test import APIClient

from synthesis import services
from synthesis.models import SynthesisJob
from synthesis.streaming import SpeechStream
from voiceclone_site.accounts.models import User
from voices import stock
from voices.models import ProviderAccount, VoiceClone

WEATHER = "今天天气怎么样？"


@pytest.fixture
def voice(iflytek_account: ProviderAccount) -> VoiceClone:
    stock.offer(iflytek_account)
    return VoiceClone.objects.get(remote_id="x5_lingxiaoxuan_flow")


@pytest.fixture
def stream(alice: User, voice: VoiceClone) -> Iterator[SpeechStream]:
    """Its first sound is there; the rest waits until it is asked for."""
    opened = services.speak(services.check(alice, voice=voice, text=WEATHER * 5, parameters={"rhy": "1"}))
    yield opened
    opened.close()


def percent_of(client: Client, job: SynthesisJob) -> int | None:
    percent: int | None = client.get(f"/history/{job.pk}/progress/").json()["percent"]
    return percent


def test_it_tells_how_far_the_voice_has_come(alice_client: Client, stream: SpeechStream) -> None:
    assert percent_of(alice_client, stream.job) is None
    chunks = iter(stream)
    next(chunks)
    next(chunks)
    percent = percent_of(alice_client, stream.job)
    assert percent is not None
    assert 0 < percent <= 100
    card = alice_client.get(f"/history/{stream.job.pk}/state/?seen=Running")
    assert f'value="{percent}"' in card.content.decode()
    assert alice_client.get(f"/history/{stream.job.pk}/state/?seen=Running.{percent}").status_code == 204
    for _chunk in chunks:
        pass
    assert percent_of(alice_client, stream.job) is None


def test_it_tells_a_stranger_nothing(charlie_client: Client, visitor: Client, stream: SpeechStream) -> None:
    assert charlie_client.get(f"/history/{stream.job.pk}/progress/").status_code == 404
    assert visitor.get(f"/history/{stream.job.pk}/progress/").status_code == 302


def test_it_shows_each_character_with_its_syllable_and_its_time(alice_client: Client, stream: SpeechStream) -> None:
    for _chunk in stream:
        pass
    page = alice_client.get(f"/history/{stream.job.pk}/").content.decode()
    line = re.findall(r'<ruby data-from="([\d.]+)" data-to="([\d.]+)">(.)<rt>(\w+)</rt></ruby>', page)
    assert "".join(sign for _from, _to, sign, _syllable in line) == WEATHER.replace("？", "") * 5
    assert [syllable for *_rest, syllable in line[:4]] == ["jin1", "tian1", "tian1", "qi4"]
    times = [float(moment) for began, ended, *_rest in line for moment in (began, ended)]
    assert times == sorted(times)


def test_it_gives_the_sounds_by_api(alice_api: APIClient, stream: SpeechStream) -> None:
    for _chunk in stream:
        pass
    marks = alice_api.get(f"/api/v1/jobs/{stream.job.pk}").json()["marks"]
    spoken = next(mark for mark in marks if mark["text"])
    assert spoken["syllable"] == "jin1"
    assert spoken["phonemes"][0]["begin_ms"] == spoken["begin_ms"]
    assert spoken["phonemes"][-1]["end_ms"] == spoken["end_ms"]
    assert all(mark["phonemes"] for mark in marks)
