"""The lists of the other dialects: how many queries they cost whatever they hold, and who may see them."""

from __future__ import annotations

import pytest
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from synthesis.models import SynthesisJob
from voiceclone_site.accounts.models import User
from voices import stock
from voices.models import ProviderAccount, VoiceClone

TOKEN = 2
"""Queries for the token: read, and its use noted once a minute."""


@pytest.fixture
def many(alice: User, aliyun_account: ProviderAccount) -> list[VoiceClone]:
    described = {
        "owner": alice,
        "account": aliyun_account,
        "provider": "aliyun",
        "model": "cosyvoice-v3-flash",
        "language": "zh",
        "state": VoiceClone.State.SUCCESS,
    }
    voices = [VoiceClone.objects.create(name=f"Voice {n}", remote_id=f"v-{n}", **described) for n in range(30)]
    for voice in voices:
        SynthesisJob.objects.create(
            owner=alice,
            voice=voice,
            provider="aliyun",
            model=voice.model,
            mode=SynthesisJob.Mode.STREAM,
            state=SynthesisJob.State.SUCCESS,
            text="你好",
            audio_format="mp3",
            sample_rate=24_000,
            characters_expected=4,
            characters=4,
            audio="speech/nowhere.mp3",
        )
    return voices


@pytest.mark.parametrize(
    ("path", "queries"),
    [
        ("/v1/audio/voices", 2),
        ("/openai/v1/models", 1),
        ("/v1/audio/voice_consents", 1),
        ("/v1/voices", 2),
        ("/v2/voices?page_size=20", 3),
        ("/v2/voices?page_size=20&include_total_count=false", 2),
        ("/v1/history", 1),
        ("/elevenlabs/v1/models", 1),
    ],
)
def test_it_lists_by_a_constant_number_of_queries(
    alice_api: APIClient,
    many: list[VoiceClone],
    path: str,
    queries: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(TOKEN + queries):
        assert alice_api.get(path).status_code == 200


def test_it_shows_without_a_key_only_what_is_everybodys_and_only_where_it_may(
    nobody_api: APIClient, many: list[VoiceClone], iflytek_account: ProviderAccount, settings: Settings
) -> None:
    stock.offer(iflytek_account)
    for path in ("/v1/audio/voices", "/v1/audio/models"):
        assert nobody_api.get(path).status_code == 401
    settings.PUBLIC_VOICE_LIST = True
    listed = nobody_api.get("/v1/audio/voices").json()["voices"]
    assert {voice["vendor"] for voice in listed} == {"iflytek"}
    assert nobody_api.get("/v1/audio/models").status_code == 200
    assert nobody_api.post("/v1/audio/voices").status_code == 401
    assert nobody_api.get("/v1/models").status_code == 401
    assert nobody_api.get(f"/v1/audio/voices/{many[0].pk}").status_code == 401
