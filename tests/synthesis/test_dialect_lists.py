"""The lists of the other dialects: who may see them, and how far a search looks."""

from __future__ import annotations

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from synthesis.elevenlabs_api import history
from synthesis.models import SynthesisJob
from tests.crowd import a_voice, spoken
from voiceclone_site.accounts.models import User
from voices import stock
from voices.models import ProviderAccount, VoiceClone


def test_it_shows_without_a_key_only_what_is_everybodys_and_only_where_it_may(
    nobody_api: APIClient,
    alice: User,
    aliyun_account: ProviderAccount,
    iflytek_account: ProviderAccount,
    settings: Settings,
) -> None:
    hers = VoiceClone.objects.create(
        owner=alice, account=aliyun_account, provider="aliyun", remote_id="v-1", name="Annie", state="Success"
    )
    stock.offer(iflytek_account)
    for path in ("/v1/audio/voices", "/v1/audio/models"):
        assert nobody_api.get(path).status_code == 401
    settings.PUBLIC_VOICE_LIST = True
    listed = nobody_api.get("/v1/audio/voices").json()["voices"]
    assert {voice["vendor"] for voice in listed} == {"iflytek"}
    assert nobody_api.get("/v1/audio/models").status_code == 200
    assert nobody_api.post("/v1/audio/voices").status_code == 401
    assert nobody_api.get("/v1/models").status_code == 401
    assert nobody_api.get(f"/v1/audio/voices/{hers.pk}").status_code == 401


def test_a_search_goes_on_where_it_stopped_looking(
    alice_api: APIClient, alice: User, aliyun_account: ProviderAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_SEARCHED", 2)
    voice = a_voice(alice, aliyun_account)
    oldest, *others = [spoken(voice) for _each in range(5)]
    SynthesisJob.objects.filter(pk=oldest.pk).update(text="The needle")
    found, after, pages = [], "", 0
    while True:
        page = alice_api.get("/v1/history", {"search": "needle", "start_after_history_item_id": after}).json()
        found += [item["history_item_id"] for item in page["history"]]
        after, pages = page["last_history_item_id"], pages + 1
        if not page["has_more"]:
            break
    assert (found, pages) == ([str(oldest.pk)], 3)
    forwards = alice_api.get("/v1/history", {"search": "needle", "sort_direction": "asc"}).json()
    assert [item["history_item_id"] for item in forwards["history"]] == [str(oldest.pk)]
    assert (forwards["has_more"], forwards["last_history_item_id"]) == (True, str(others[0].pk))
