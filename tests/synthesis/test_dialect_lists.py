"""The lists of the other dialects: who may see them."""

from __future__ import annotations

from pytest_django import Settings
from rest_framework.test import APIClient

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
