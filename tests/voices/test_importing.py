"""Taking over voices that were trained elsewhere, by page and by API: nothing is believed that the provider does not confirm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from tests.portal import iflytek_account_at
from tests.recordings import CHINESE_WOMAN, WOMAN, recording
from tests.sample_server import SampleServer
from tests.worker import finish
from voiceclone_site.accounts.models import User
from voiceclone_site.sandbox.remote import Sandbox
from voices.models import ProviderAccount, VoiceClone
from voices.providers.base import RemoteVoice, VoiceOrder

State = VoiceClone.State
PAGE, API = "/voices/import/", "/api/v1/voices/import"
ENGINE, OTHER_ENGINE = "iflytek/omni_v1", "iflytek/standard"


def trained_at(account: ProviderAccount, *, model: str = "", url: str = "") -> str:
    """A voice that somebody made at the provider, without the portal; its id there."""
    cloning = account.client().cloning
    texts = cloning.reading_texts()
    order = VoiceOrder(
        tag="elsewhere",
        name="Elsewhere",
        model=model or account.traits.default_model,
        language=account.traits.model(model or account.traits.default_model).languages[0].value,
        sample_url=url,
        sample=lambda: recording(CHINESE_WOMAN, 12),
        reading=texts[0].id if texts else "",
    )
    made: RemoteVoice = cloning.create(order)
    if account.traits.trains_in_two_steps:
        cloning.train(made.remote_id, order)
    return cloning.statuses([made.remote_id])[made.remote_id].remote_id


def filled(remote_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": "Mine now",
        "remote_id": remote_id,
        "engine": ENGINE,
        "language": "zh",
        "consent": "on",
        **changes,
    }


def asked(remote_id: str, **changes: Any) -> dict[str, Any]:
    return {"name": "Mine now", "provider": "iflytek", "remote_id": remote_id, "consent": True, **changes}


@pytest.fixture
def elsewhere(iflytek_account: ProviderAccount) -> str:
    return trained_at(iflytek_account)


# --- by page ---------------------------------------------------------------------------------------------------------


def test_it_takes_over_a_voice_that_the_provider_confirms(
    alice_client: Client, alice: User, elsewhere: str, sandbox: Sandbox
) -> None:
    sandbox.ledger.clear()
    answer = alice_client.post(PAGE, filled(f"  {elsewhere} "))
    voice = VoiceClone.objects.get(owner=alice)
    assert answer.headers["Location"] == f"/voices/{voice.pk}/"
    assert voice.state == State.INIT
    finish(voice)
    assert (voice.state, voice.remote_id, voice.kind) == (State.SUCCESS, elsewhere, "imported")
    assert voice.consents.get().sample is None
    assert len(sandbox.ledger.calls("ifly:clone")) == 1
    page = alice_client.get(f"/voices/{voice.pk}/").content.decode()
    assert "You asked for it to be taken over from the provider." in page
    assert elsewhere in page


def test_it_offers_only_engines_that_voices_are_trained_with(alice_client: Client, iflytek_account: Any) -> None:
    page = alice_client.get(PAGE).content.decode()
    assert f'value="{ENGINE}"' in page
    assert "iflytek/super_humanoid" not in page


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"consent": ""}, "accept the consent statement"),
        ({"name": " "}, "give the voice a name"),
        ({"remote_id": "两个 words"}, "exactly as the provider shows it"),
        ({"engine": "iflytek/super_humanoid"}, "Select a valid choice"),
        ({"language": "tlh"}, "Select a valid choice"),
    ],
)
def test_it_refuses_a_form_in_words(
    alice_client: Client, iflytek_account: ProviderAccount, changes: dict[str, str], complaint: str
) -> None:
    answer = alice_client.post(PAGE, {**filled("a-voice"), **changes})
    assert answer.status_code == 422
    assert complaint in answer.content.decode()
    assert not VoiceClone.objects.exists()


def test_it_has_nothing_for_a_visitor(visitor: Client, iflytek_account: ProviderAccount) -> None:
    assert visitor.get(PAGE).headers["Location"].startswith("/accounts/login/")
    assert visitor.post(PAGE, filled("x")).status_code == 302
    assert not VoiceClone.objects.exists()


# --- by API ----------------------------------------------------------------------------------------------------------


def imported(program: APIClient, body: dict[str, Any]) -> VoiceClone:
    answer = program.post(API, body, format="json")
    assert answer.status_code == 201, answer.content
    return finish(VoiceClone.objects.get(pk=answer.json()["id"]))


def test_it_takes_over_a_voice_by_api(alice_api: APIClient, charlie_api: APIClient, elsewhere: str) -> None:
    voice = imported(alice_api, asked(elsewhere))
    assert voice.state == State.SUCCESS
    assert alice_api.get(f"/api/v1/voices/{voice.pk}").json()["remote_id"] == elsewhere
    assert charlie_api.get(f"/api/v1/voices/{voice.pk}").status_code == 404


def test_it_fails_for_an_id_that_nobody_has(alice_api: APIClient, iflytek_account: ProviderAccount) -> None:
    voice = imported(alice_api, asked("a1b2c3d_ttsclone-a1b2c3d4-never"))
    assert (voice.state, voice.error_provider_code) == (State.FAILED, "26004")
    error = alice_api.get(f"/api/v1/voices/{voice.pk}").json()["error"]
    assert error["help_url"].endswith("#iflytek-synthesis-26004")
    assert "does not know this voice" in error["message"]
    iflytek_account.refresh_from_db()
    assert iflytek_account.voices_held == 0


def test_it_fails_for_the_other_edition(alice_api: APIClient, elsewhere: str) -> None:
    assert imported(alice_api, asked(elsewhere, model="standard")).state == State.FAILED


def test_it_fails_for_a_voice_of_another_account(
    alice_api: APIClient, iflytek_account: ProviderAccount, sandbox: Sandbox
) -> None:
    credentials = {"app_id": "b2c3d4e5", "api_key": "m" * 32, "api_secret": "t" * 32}
    other = iflytek_account_at(sandbox, credentials=credentials, name="other")
    foreign = trained_at(other)
    other.delete()
    assert imported(alice_api, asked(foreign)).state == State.FAILED


def test_it_refuses_a_voice_that_somebody_here_has(
    alice_api: APIClient, charlie_api: APIClient, charlie: User, elsewhere: str
) -> None:
    imported(alice_api, asked(elsewhere))
    for program in (alice_api, charlie_api):
        refused = program.post(API, asked(elsewhere), format="json")
        assert refused.status_code == 409
        assert refused.json()["error"]["code"] == "wrong_state"
    assert VoiceClone.objects.count() == 1


def test_it_can_be_taken_over_again_once_it_was_deleted(
    alice_api: APIClient, charlie_api: APIClient, elsewhere: str
) -> None:
    voice = imported(alice_api, asked(elsewhere))
    alice_api.delete(f"/api/v1/voices/{voice.pk}")
    finish(voice)
    assert imported(charlie_api, asked(elsewhere)).state == State.SUCCESS


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"consent": False}, 422, ""),
        ({"provider": "nobody"}, 400, "provider"),
        ({"model": "super_humanoid"}, 400, "model"),
        ({"language": "tlh"}, 400, "language"),
        ({"remote_id": "x" * 201}, 400, "remote_id"),
        ({"name": ""}, 400, "name"),
        ({"sample": "x"}, 400, "sample"),
    ],
)
def test_it_refuses_a_body_in_words(
    alice_api: APIClient, iflytek_account: ProviderAccount, changes: dict[str, Any], status: int, field: str
) -> None:
    refused = alice_api.post(API, {**asked("a-voice"), **changes}, format="json")
    assert refused.status_code == status
    assert field in refused.json()["error"].get("fields", {"": []})
    assert not VoiceClone.objects.exists()


def test_it_needs_a_token(nobody_api: APIClient, iflytek_account: ProviderAccount) -> None:
    assert nobody_api.post(API, asked("x"), format="json").status_code == 401


# --- the other providers ---------------------------------------------------------------------------------------------


def test_it_takes_over_voices_of_every_provider(
    alice_api: APIClient, aliyun_account: ProviderAccount, qiniu_account: ProviderAccount, samples: SampleServer
) -> None:
    for account in (aliyun_account, qiniu_account):
        remote_id = trained_at(account, url=samples.url(recording(WOMAN)))
        voice = imported(alice_api, asked(remote_id, provider=account.provider))
        assert (voice.state, voice.remote_id) == (State.SUCCESS, remote_id)
        unknown = imported(alice_api, asked("a1b2c3d4e5f6a7b8", provider=account.provider))
        assert unknown.state == State.FAILED
        assert unknown.error_code == "voice_not_found_at_provider"


def test_it_names_the_model_that_a_voice_was_made_for(
    alice_api: APIClient, aliyun_account: ProviderAccount, samples: SampleServer
) -> None:
    remote_id = trained_at(aliyun_account, model="cosyvoice-v2", url=samples.url(recording(WOMAN)))
    voice = imported(alice_api, asked(remote_id, provider="aliyun"))
    assert (voice.state, voice.error_code) == (State.FAILED, "voice_not_usable")
    assert "cosyvoice-v2" in alice_api.get(f"/api/v1/voices/{voice.pk}").json()["error"]["message"]


# --- what nobody may change ------------------------------------------------------------------------------------------


@pytest.fixture
def stock_voice(iflytek_account: ProviderAccount) -> VoiceClone:
    return VoiceClone.objects.create(
        owner=None,
        kind=VoiceClone.Kind.STOCK,
        account=iflytek_account,
        provider="iflytek",
        remote_id="x5_lingxiaoxuan_flow",
        name="Lingxiaoxuan",
        language="zh",
        model="super_humanoid",
        state=State.SUCCESS,
    )


def test_it_shows_a_stock_voice_and_lets_nobody_change_it(
    alice_client: Client, alice_api: APIClient, stock_voice: VoiceClone
) -> None:
    page = alice_client.get(f"/voices/{stock_voice.pk}/")
    assert page.status_code == 200
    assert f"/voices/{stock_voice.pk}/delete/" not in page.content.decode()
    changes: list[Callable[[], Any]] = [
        lambda: alice_client.post(f"/voices/{stock_voice.pk}/delete/"),
        lambda: alice_client.post(f"/voices/{stock_voice.pk}/rename/", {"name": "Mine"}),
        lambda: alice_client.post(f"/voices/{stock_voice.pk}/repeats/", {"on": "yes"}),
        lambda: alice_client.post(f"/voices/{stock_voice.pk}/retrain/", {"recording": "same"}),
        lambda: alice_client.get(f"/voices/{stock_voice.pk}/recording/"),
        lambda: alice_api.delete(f"/api/v1/voices/{stock_voice.pk}"),
        lambda: alice_api.patch(f"/api/v1/voices/{stock_voice.pk}", {"name": "Mine"}, format="json"),
        lambda: alice_api.patch(f"/api/v1/voices/{stock_voice.pk}", {"answers_repeats": True}, format="json"),
        lambda: alice_api.post(f"/api/v1/voices/{stock_voice.pk}/retrain"),
        lambda: alice_api.get(f"/api/v1/voices/{stock_voice.pk}/sample"),
    ]
    assert {change().status_code for change in changes} == {404}
    stock_voice.refresh_from_db()
    assert (stock_voice.state, stock_voice.name) == (State.SUCCESS, "Lingxiaoxuan")
    assert not stock_voice.answers_repeats
