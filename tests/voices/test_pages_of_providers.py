"""What the pages of voices say and ask differently from provider to provider; nothing of it is said for one by name."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from rest_framework.test import APIClient

from tests.recordings import CHINESE_WOMAN, recording
from voiceclone_site.accounts.models import User
from voiceclone_site.sandbox.remote import Sandbox
from voices import stock
from voices.models import ProviderAccount, VoiceClone, VoiceSample

State = VoiceClone.State

TEXTS = "/voices/new/texts/iflytek/"
BY_HTMX = {"HX-Request": "true"}


def upload() -> SimpleUploadedFile:
    return SimpleUploadedFile("me.wav", recording(CHINESE_WOMAN))


def filled(**changes: Any) -> dict[str, Any]:
    form = {
        "name": "小明",
        "engine": "iflytek/omni_v1",
        "language": "zh",
        "consent": "on",
        "sample": upload(),
        "reading": "5001-2",
        **changes,
    }
    return {name: value for name, value in form.items() if value is not None}


def voice_at(account: ProviderAccount, owner: User, **fields: Any) -> VoiceClone:
    described: dict[str, Any] = {
        "owner": owner,
        "account": account,
        "provider": account.provider,
        "model": account.traits.default_model,
        "language": "zh",
        "name": "小明",
        "remote_id": "remote-1",
        "state": State.SUCCESS,
    }
    return VoiceClone.objects.create(**(described | fields))


def page_of(client: Client, voice: VoiceClone) -> str:
    return client.get(f"/voices/{voice.pk}/").content.decode()


# --- a text to read aloud --------------------------------------------------------------------------------------------


def test_it_asks_for_the_texts_only_once_the_form_is_shown(
    alice_client: Client, iflytek_account: ProviderAccount, sandbox: Sandbox
) -> None:
    sandbox.ledger.clear()
    page = alice_client.get("/voices/new/").content.decode()
    assert f'hx-get="{TEXTS}"' in page
    assert sandbox.ledger.entries(direction="in") == []


def test_it_offers_the_provider_s_texts_and_keeps_them_for_the_next_one_who_asks(
    alice_client: Client, charlie_client: Client, iflytek_account: ProviderAccount, sandbox: Sandbox
) -> None:
    texts = iflytek_account.client().cloning.reading_texts()
    sandbox.ledger.clear()
    part = alice_client.get(TEXTS).content.decode()
    for text in texts:
        assert f'data-text="{text.id}"' in part
        assert text.text in part
    charlie_client.get(TEXTS)
    assert len(sandbox.ledger.calls("ifly:traintext")) == 1


def test_it_says_why_there_are_no_texts_and_offers_to_ask_again(
    alice_client: Client, iflytek_account: ProviderAccount, sandbox: Sandbox
) -> None:
    sandbox.fail(operation="ifly:traintext", how="error", code="10021", message="no", status=200)
    part = alice_client.get(TEXTS).content.decode()
    assert 'role="alert"' in part
    assert "tell" in part
    assert f'hx-get="{TEXTS}"' in part
    assert "data-text-choice" in alice_client.get(TEXTS).content.decode()


def test_it_says_that_no_account_is_open(alice_client: Client) -> None:
    assert "No provider account is open" in alice_client.get(TEXTS).content.decode()


@pytest.mark.parametrize("slug", ["aliyun", "nobody"])
def test_it_has_no_texts_where_none_is_compared(alice_client: Client, slug: str) -> None:
    assert alice_client.get(f"/voices/new/texts/{slug}/").status_code == 404


def test_it_shows_a_visitor_no_texts(visitor: Client) -> None:
    assert visitor.get(TEXTS)["Location"].startswith("/accounts/login/")


def test_it_keeps_which_text_was_read(alice_client: Client, iflytek_account: ProviderAccount) -> None:
    answer = alice_client.post("/voices/new/", filled())
    assert answer.status_code == 302
    sample = VoiceSample.objects.get()
    texts = {text.id: text.text for text in iflytek_account.client().cloning.reading_texts()}
    assert (sample.reading_id, sample.reading_text) == ("5001-2", texts["5001-2"])
    assert texts["5001-2"] in page_of(alice_client, VoiceClone.objects.get())


@pytest.mark.parametrize("reading", [None, "", "5001-99", "5002-1"])
def test_it_refuses_a_form_without_a_text_that_is_offered(
    alice_client: Client, iflytek_account: ProviderAccount, reading: str | None
) -> None:
    answer = alice_client.post("/voices/new/", filled(reading=reading))
    assert answer.status_code == 422
    assert "choose one of the texts offered" in answer.content.decode()
    assert not VoiceClone.objects.exists()


def test_it_puts_a_provider_s_refusal_into_the_form_instead_of_losing_it(
    alice_client: Client, iflytek_account: ProviderAccount, sandbox: Sandbox
) -> None:
    sandbox.fail(operation="ifly:traintext", how="error", code="10021", message="no", status=200)
    answer = alice_client.post("/voices/new/", filled(), headers=BY_HTMX)
    assert answer.status_code == 422
    assert 'value="小明"' in answer.content.decode()


def test_it_takes_another_text_with_another_recording(
    alice: User, alice_client: Client, iflytek_account: ProviderAccount
) -> None:
    voice = voice_at(iflytek_account, alice, state=State.FAILED, error_action="user", error_sentence="No.")
    page = page_of(alice_client, voice)
    assert f'hx-get="{TEXTS}"' in page
    again = f"/voices/{voice.pk}/retrain/"
    refused = alice_client.post(again, {"sample": upload(), "consent": "on"})
    assert refused.status_code == 422
    assert "choose one of the texts offered" in refused.content.decode()
    assert alice_client.post(again, {"sample": upload(), "consent": "on", "reading": "5001-3"}).status_code == 302
    assert VoiceSample.objects.get().reading_id == "5001-3"


# --- what a provider can do with a voice -----------------------------------------------------------------------------


def test_it_says_before_it_is_made_what_a_voice_will_not_do(
    alice_client: Client, iflytek_account: ProviderAccount, qiniu_account: ProviderAccount
) -> None:
    page = alice_client.get("/voices/new/").content.decode()
    for account in (iflytek_account, qiniu_account):
        assert str(account.traits.delete_note) in page
    assert str(qiniu_account.traits.speech_note) in page


def test_it_plays_the_demo_of_a_voice_that_cannot_speak(
    alice: User, alice_client: Client, qiniu_account: ProviderAccount
) -> None:
    voice = voice_at(qiniu_account, alice, demo_url="http://127.0.0.1:9/demo.wav")
    page = page_of(alice_client, voice)
    assert str(voice.traits.speech_note) in page
    assert f'src="/voices/{voice.pk}/demo/"' in page
    assert "127.0.0.1:9" not in page
    assert "Give it something to say" not in page
    assert "data-stream" not in page
    assert f"/speak/?voice={voice.pk}" not in alice_client.get("/voices/").content.decode()


def test_it_offers_no_silent_voice_to_speak_with(
    alice: User, alice_client: Client, qiniu_account: ProviderAccount, iflytek_account: ProviderAccount
) -> None:
    silent, speaking = voice_at(qiniu_account, alice), voice_at(iflytek_account, alice)
    page = alice_client.get("/speak/").content.decode()
    assert str(silent.pk) not in page
    assert str(speaking.pk) in page
    asked = alice_client.get(f"/speak/?voice={silent.pk}").content.decode()
    assert str(silent.traits.speech_note) in asked


def test_it_says_that_deleting_is_of_this_site_alone(
    alice: User, alice_client: Client, iflytek_account: ProviderAccount
) -> None:
    page = page_of(alice_client, voice_at(iflytek_account, alice))
    assert str(iflytek_account.traits.delete_note) in page
    assert "deleted here and at the provider" not in page
    assert 'action="/voices/' in page.split("Change it")[1]


@pytest.mark.parametrize(("state", "offered"), [(State.SUCCESS, False), (State.FAILED, True), (State.EXPIRED, True)])
def test_it_offers_another_training_where_there_can_be_one(
    alice: User, alice_client: Client, iflytek_account: ProviderAccount, state: str, offered: bool
) -> None:
    voice = voice_at(iflytek_account, alice, state=state)
    assert (f'action="/voices/{voice.pk}/retrain/"' in page_of(alice_client, voice)) == offered


def failed_at(order: ProviderAccount, owner: User) -> VoiceClone:
    return voice_at(
        order,
        owner,
        state=State.FAILED,
        error_code="slots_exhausted",
        error_sentence="The number of trainings that this site has bought is used up. Please tell its operator.",
        error_provider_code="10021",
        error_action="operator",
        provider_request_id="req-7",
    )


def test_it_says_why_it_failed_what_helps_and_whose_turn_it_is(
    alice: User, alice_client: Client, iflytek_account: ProviderAccount
) -> None:
    page = page_of(alice_client, failed_at(iflytek_account, alice))
    assert "No trainings are left." in page
    assert "Buy trainings for the application at the provider." in page
    assert "The operator of this site" in page
    assert 'href="/help/errors/?q=10021#' in page
    assert "Service:" not in page


def test_it_has_a_ticket_for_staff_to_copy(dana: User, dana_client: Client, iflytek_account: ProviderAccount) -> None:
    voice = failed_at(iflytek_account, dana)
    page = page_of(dana_client, voice)
    ticket = page.split("<textarea", 1)[1].split("</textarea>")[0]
    assert "Code: 10021" in ticket
    assert f"Our id: voiceclone {voice.pk}" in ticket
    assert not any(secret in page for secret in iflytek_account.credentials.values())


# --- stock voices ----------------------------------------------------------------------------------------------------


@pytest.fixture
def stock_voice(iflytek_account: ProviderAccount) -> VoiceClone:
    stock.offer(iflytek_account)
    return VoiceClone.objects.get(remote_id="x5_lingxiaoxuan_flow")


def test_it_lists_stock_voices_apart_from_one_s_own(
    alice: User, alice_client: Client, iflytek_account: ProviderAccount, stock_voice: VoiceClone
) -> None:
    mine = voice_at(iflytek_account, alice, name="My own voice")
    own, others = (alice_client.get(address).content.decode() for address in ("/voices/", "/voices/stock/"))
    assert mine.name in own
    assert stock_voice.name not in own
    assert stock_voice.name in others
    assert mine.name not in others


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=grant", ["x5_EnUs_Grant_flow"]),
        ("language=en", ["x5_EnUs_Grant_flow", "x5_EnUs_Lila_flow"]),
        ("provider=iflytek&q=lila", ["x5_EnUs_Lila_flow"]),
        ("q=nobody+of+that+name", []),
    ],
)
def test_it_finds_a_stock_voice(alice_client: Client, stock_voice: VoiceClone, query: str, found: list[str]) -> None:
    answer = alice_client.get(f"/voices/stock/?{query}")
    assert [voice.remote_id for voice in answer.context["voices"]] == found
    assert ("No stock voice fits that." in answer.content.decode()) == (not found)


@pytest.mark.parametrize("query", ["language=tlh", "provider=nobody", "q=" + "x" * 500, "q=%00"])
def test_it_takes_a_wish_that_makes_no_sense_for_none(
    alice_client: Client, stock_voice: VoiceClone, query: str
) -> None:
    assert stock_voice in alice_client.get(f"/voices/stock/?{query}").context["voices"]


def test_it_says_of_a_stock_voice_what_it_is_and_lets_nobody_change_it(
    alice_client: Client, stock_voice: VoiceClone
) -> None:
    page = page_of(alice_client, stock_voice)
    assert "A stock voice of iFlytek" in page
    assert 'data-stream="/speak/stream/"' in page
    for place in ("rename", "retrain", "delete"):
        assert f"/voices/{stock_voice.pk}/{place}/" not in page
        answer = alice_client.post(f"/voices/{stock_voice.pk}/{place}/", {"name": "Mine", "recording": "same"})
        assert answer.status_code == 404
    stock_voice.refresh_from_db()
    assert (stock_voice.name, stock_voice.state) != ("Mine", State.DELETING)


def test_it_lets_somebody_without_a_voice_of_their_own_speak_with_one(
    alice_client: Client, stock_voice: VoiceClone
) -> None:
    page = alice_client.get("/speak/").content.decode()
    assert '<optgroup label="Stock voices">' in page
    assert f'<option value="{stock_voice.pk}"' in page
    assert "Try a stock voice" in alice_client.get("/voices/").content.decode()
    assert "Try a stock voice" in alice_client.get("/dashboard/").content.decode()


def test_it_puts_one_s_own_voices_first(
    alice: User, alice_client: Client, iflytek_account: ProviderAccount, stock_voice: VoiceClone
) -> None:
    mine = voice_at(iflytek_account, alice)
    page = alice_client.get("/speak/").content.decode()
    assert page.index(str(mine.pk)) < page.index(str(stock_voice.pk))


def test_it_counts_as_the_provider_does_for_a_stock_voice(alice_client: Client, stock_voice: VoiceClone) -> None:
    answer = alice_client.post("/speak/count/", {"voice": str(stock_voice.pk), "text": "你好"})
    assert "2 of 20,000 characters" in answer.content.decode()


def test_an_operator_withdraws_a_stock_voice_and_offers_it_again(
    alice_client: Client, dana_client: Client, stock_voice: VoiceClone
) -> None:
    def do(action: str) -> None:
        asked = {"action": action, "_selected_action": [str(stock_voice.pk)], "confirmed": "yes"}
        assert dana_client.post("/admin/voices/voiceclone/", asked).status_code == 302

    do("withdraw")
    assert stock_voice.name not in alice_client.get("/voices/stock/").content.decode()
    assert alice_client.get(f"/voices/{stock_voice.pk}/").status_code == 404
    do("delete_at_provider")
    do("offer_again")
    assert alice_client.get(f"/voices/{stock_voice.pk}/").status_code == 200


def test_it_asks_a_visitor_to_log_in_first(visitor: Client, stock_voice: VoiceClone) -> None:
    assert visitor.get("/voices/stock/")["Location"].startswith("/accounts/login/")


# --- the same by API -------------------------------------------------------------------------------------------------


def test_the_api_gives_the_texts(alice_api: APIClient, iflytek_account: ProviderAccount) -> None:
    texts = alice_api.get("/api/v1/providers/iflytek/reading-texts").json()["texts"]
    assert texts[0]["id"] == "5001-1"
    assert texts[0]["text"]


def test_the_api_has_no_texts_where_any_speech_will_do(alice_api: APIClient, nobody_api: APIClient) -> None:
    assert alice_api.get("/api/v1/providers/aliyun/reading-texts").json() == {"texts": []}
    assert alice_api.get("/api/v1/providers/nobody/reading-texts").status_code == 404
    assert nobody_api.get("/api/v1/providers/iflytek/reading-texts").status_code == 401


def test_the_api_says_why_there_are_no_texts(
    alice_api: APIClient, iflytek_account: ProviderAccount, sandbox: Sandbox
) -> None:
    sandbox.fail(operation="ifly:traintext", how="error", code="10021", message="no", status=200)
    answer = alice_api.get("/api/v1/providers/iflytek/reading-texts")
    assert answer.status_code == 429
    assert answer.json()["error"]["provider_code"] == "10021"


def asked(**changes: Any) -> dict[str, Any]:
    body = {
        "name": "小明",
        "provider": "iflytek",
        "consent": "true",
        "sample": upload(),
        "reading": "5001-2",
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


def test_the_api_takes_which_text_was_read(alice_api: APIClient, iflytek_account: ProviderAccount) -> None:
    answer = alice_api.post("/api/v1/voices", asked(), format="multipart")
    assert answer.status_code == 201
    assert answer.json()["kind"] == "cloned"
    assert answer.json()["sample"]["reading_text"]
    assert VoiceSample.objects.get().reading_id == "5001-2"


@pytest.mark.parametrize("reading", [None, "", "5001-99"])
def test_the_api_refuses_a_voice_without_a_text_that_is_offered(
    alice_api: APIClient, iflytek_account: ProviderAccount, reading: str | None
) -> None:
    answer = alice_api.post("/api/v1/voices", asked(reading=reading), format="multipart")
    assert answer.status_code == 400
    assert "choose one of the texts offered" in answer.json()["error"]["fields"]["reading"][0]
    assert not VoiceClone.objects.exists()


def test_the_api_takes_another_text_for_another_training(
    alice: User, alice_api: APIClient, charlie_api: APIClient, iflytek_account: ProviderAccount
) -> None:
    voice = voice_at(iflytek_account, alice, state=State.FAILED)
    place = f"/api/v1/voices/{voice.pk}/retrain"
    body = {"consent": "true", "sample": upload(), "reading": "5001-3"}
    assert charlie_api.post(place, body, format="multipart").status_code == 404
    refused = alice_api.post(place, {"consent": "true", "sample": upload()}, format="multipart")
    assert list(refused.json()["error"]["fields"]) == ["reading"]
    assert alice_api.post(place, body | {"sample": upload()}, format="multipart").status_code == 202
    assert VoiceSample.objects.get().reading_id == "5001-3"


def test_the_api_tells_stock_voices_from_one_s_own(
    alice: User, alice_api: APIClient, iflytek_account: ProviderAccount, stock_voice: VoiceClone
) -> None:
    mine = voice_at(iflytek_account, alice)
    own = alice_api.get("/api/v1/voices?kind=cloned").json()["results"]
    assert [voice["id"] for voice in own] == [str(mine.pk)]
    assert {voice["kind"] for voice in alice_api.get("/api/v1/voices?kind=stock").json()["results"]} == {"stock"}


def test_the_api_says_what_should_be_known_of_a_provider(alice_api: APIClient) -> None:
    told = {each["slug"]: each for each in alice_api.get("/api/v1/providers").json()["providers"]}
    assert {slug: each["needs_reading_text"] for slug, each in told.items()} == {
        "aliyun": False,
        "iflytek": True,
        "qiniu": False,
    }
    assert "demo" in told["qiniu"]["notes"][0]
