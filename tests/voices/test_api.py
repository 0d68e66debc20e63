"""Voices by API: what a program sees of a voice from its recording to its end, and everything it is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django_q.models import OrmQ
from pytest_django import Settings
from rest_framework.test import APIClient

from tests.cast import program_with, token_of
from tests.listening import listen
from tests.recordings import MAN, WOMAN, recording, silence
from tests.worker import drain, finish
from voiceclone_site.accounts.models import User
from voiceclone_site.sandbox.remote import Sandbox
from voices import services
from voices.models import ProviderAccount, VoiceClone, VoiceConsent

State = VoiceClone.State

VOICES = "/api/v1/voices"
NOWHERE = "00000000-0000-4000-8000-000000000000"


def upload(content: bytes | None = None, name: str = "annie.wav") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, recording(WOMAN) if content is None else content)


def order(**changes: Any) -> dict[str, Any]:
    """What a voice is ordered with; None leaves a field out."""
    wanted = {"name": "Annie", "sample": upload(), "consent": "true", **changes}
    return {name: value for name, value in wanted.items() if value is not None}


def rows(owner: User, account: ProviderAccount, count: int, **fields: Any) -> list[VoiceClone]:
    """Voices without a recording, for whatever only reads them."""
    described: dict[str, Any] = {
        "owner": owner,
        "account": account,
        "provider": "aliyun",
        "model": "cosyvoice-v3-flash",
        "language": "en",
        "state": State.SUCCESS,
    }
    return [VoiceClone.objects.create(**{**described, "name": f"Voice {number}", **fields}) for number in range(count)]


def stored_files() -> list[Path]:
    return [path for path in Path(django_settings.MEDIA_ROOT).rglob("*") if path.is_file()]


# --- from a recording to a voice -------------------------------------------------------------------------------------


def test_it_clones_a_voice_from_a_recording(
    alice_api: APIClient, aliyun_account: ProviderAccount, public_address: str
) -> None:
    made = alice_api.post(VOICES, order(), format="multipart")
    assert made.status_code == 201
    assert made.json()["state"] == "Init"
    assert made["Location"] == made.json()["url"]

    finish(VoiceClone.objects.get())
    voice = alice_api.get(made["Location"]).json()
    assert voice["state"] == "Success"
    assert voice["provider_state"] == "OK"
    assert voice["remote_id"].startswith("cosyvoice-v3-flash-")
    assert voice["error"] is None
    assert voice["sample"]["seconds"] == pytest.approx(12, abs=0.1)
    assert voice["sample"]["format"] == "wav"


def test_it_chooses_what_was_not_said(alice_api: APIClient, aliyun_account: ProviderAccount) -> None:
    voice = alice_api.post(VOICES, order(), format="multipart").json()
    assert voice["provider"] == "aliyun"
    assert voice["model"] == aliyun_account.traits.default_model
    assert voice["language"] == "zh"


def test_it_trains_as_the_enrollment_parameters_say(
    alice_api: APIClient, aliyun_account: ProviderAccount, public_address: str, sandbox: Sandbox
) -> None:
    parameters = json.dumps({"enable_preprocess": True, "max_prompt_audio_length": 12})
    made = alice_api.post(VOICES, order(parameters=parameters, language="en"), format="multipart")
    assert made.json()["parameters"] == {"enable_preprocess": True, "max_prompt_audio_length": 12.0}
    drain()
    sent = sandbox.ledger.calls("create_voice")[0].body["input"]
    assert sent["enable_preprocess"] is True
    assert sent["language_hints"] == ["en"]


def test_it_keeps_who_consented_from_where(alice_api: APIClient, aliyun_account: ProviderAccount, alice: User) -> None:
    alice_api.post(VOICES, order(), format="multipart", headers={"user-agent": "studio/2.1"})
    consent = VoiceConsent.objects.get()
    assert consent.user == alice
    assert consent.channel == "api"
    assert consent.address == "127.0.0.1"
    assert consent.user_agent == "studio/2.1"
    assert consent.language == "en"
    assert "The voice in this recording is mine" in consent.statement


def test_it_tells_of_a_provider_that_cannot_be_reached(alice_api: APIClient, aliyun_account: ProviderAccount) -> None:
    closed = {"http": "http://127.0.0.1:1/api/v1", "websocket": "ws://127.0.0.1:1/"}
    ProviderAccount.objects.update(endpoints=closed)
    made = alice_api.post(VOICES, order(), format="multipart")
    drain()
    voice = alice_api.get(made["Location"]).json()
    assert voice["state"] == "Init"
    assert voice["error"]["code"] == "provider_unreachable"
    assert "We keep trying" in voice["error"]["message"]


def test_it_says_why_a_voice_failed_in_the_readers_language(
    alice_api: APIClient, aliyun_account: ProviderAccount, public_address: str, sandbox: Sandbox, alice: User
) -> None:
    sandbox.fail(operation="create_voice", how="error", status=400, code="Audio.AudioSilentError")
    made = alice_api.post(VOICES, order(), format="multipart")
    drain()
    error = alice_api.get(made["Location"]).json()["error"]
    assert error["code"] == "sample_rejected"
    assert error["action"] == "user"
    assert error["provider_code"] == "Audio.AudioSilentError"


def test_it_asks_the_provider_sooner_when_somebody_looks(
    alice_api: APIClient, aliyun_account: ProviderAccount, public_address: str
) -> None:
    made = alice_api.post(VOICES, order(), format="multipart")
    drain()
    assert VoiceClone.objects.get().state == State.TRAINING
    alice_api.get(made["Location"])
    drain()
    assert alice_api.get(made["Location"]).json()["state"] == "Success"


# --- lists -----------------------------------------------------------------------------------------------------------


def test_it_lists_my_voices_newest_first_page_by_page(
    alice_api: APIClient, alice: User, charlie: User, aliyun_account: ProviderAccount
) -> None:
    rows(alice, aliyun_account, 5)
    rows(charlie, aliyun_account, 3)
    seen: list[str] = []
    address: str | None = f"{VOICES}?page_size=2"
    while address:
        page = alice_api.get(address).json()
        assert len(page["results"]) <= 2
        seen += [voice["name"] for voice in page["results"]]
        address = page["next"]
    assert seen == [f"Voice {number}" for number in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("state=Failed", ["Broken"]),
        ("provider=aliyun&q=voi", ["Voice 0"]),
        ("q=BROK", ["Broken"]),
        ("q=nobody", []),
    ],
)
def test_it_filters_the_list(
    alice_api: APIClient, alice: User, aliyun_account: ProviderAccount, query: str, names: list[str]
) -> None:
    rows(alice, aliyun_account, 1)
    rows(alice, aliyun_account, 1, name="Broken", state=State.FAILED)
    found = alice_api.get(f"{VOICES}?{query}").json()["results"]
    assert [voice["name"] for voice in found] == names


@pytest.mark.parametrize(("query", "field"), [("state=Sleeping", "state"), ("provider=acme", "provider")])
def test_it_names_the_filter_that_is_wrong(alice_api: APIClient, query: str, field: str) -> None:
    refusal = alice_api.get(f"{VOICES}?{query}")
    assert refusal.status_code == 400
    assert list(refusal.json()["error"]["fields"]) == [field]


@pytest.mark.parametrize("cursor", ["x", "cD1ub25zZW5zZQ=="])
def test_it_refuses_a_cursor_it_did_not_give(
    alice_api: APIClient, alice: User, aliyun_account: ProviderAccount, cursor: str
) -> None:
    rows(alice, aliyun_account, 1)
    refusal = alice_api.get(VOICES, {"cursor": cursor})
    assert refusal.status_code in (400, 404)
    assert refusal.json()["error"]["code"] in ("invalid_input", "not_found")


# --- one voice -------------------------------------------------------------------------------------------------------


def test_it_renames_a_voice(alice_api: APIClient, alice: User, aliyun_account: ProviderAccount) -> None:
    (voice,) = rows(alice, aliyun_account, 1)
    renamed = alice_api.patch(f"{VOICES}/{voice.pk}", {"name": "  Annie   reading "}, format="json")
    assert renamed.status_code == 200
    assert renamed.json()["name"] == "Annie reading"


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "x" * 61}, {"name": ["x"]}, {"name": None}])
def test_it_names_what_is_wrong_with_a_name(
    alice_api: APIClient, alice: User, aliyun_account: ProviderAccount, body: dict[str, Any]
) -> None:
    (voice,) = rows(alice, aliyun_account, 1)
    refusal = alice_api.patch(f"{VOICES}/{voice.pk}", body, format="json")
    assert refusal.status_code == 400
    assert list(refusal.json()["error"]["fields"]) == ["name"]


def test_it_switches_repeats_on_and_off_and_renames_in_the_same_breath_or_not_at_all(
    alice_api: APIClient, alice: User, aliyun_account: ProviderAccount
) -> None:
    (voice,) = rows(alice, aliyun_account, 1)
    address = f"{VOICES}/{voice.pk}"

    def changed(**wish: Any) -> Any:
        return alice_api.patch(address, wish, format="json")

    assert alice_api.get(address).json()["answers_repeats"] is False
    assert changed(answers_repeats=True, name="x" * 61).status_code == 400
    assert alice_api.get(address).json()["answers_repeats"] is False
    assert changed(answers_repeats=None).status_code == 400
    assert changed(answers_repeats=True).json()["answers_repeats"] is True
    both = changed(answers_repeats=False, name="Anna").json()
    assert (both["answers_repeats"], both["name"]) == (False, "Anna")
    assert [event["kind"] for event in alice_api.get(f"{address}/events").json()["results"]] == [
        "repeats_on",
        "repeats_off",
        "renamed",
    ]


def test_a_voice_that_cannot_be_given_texts_has_no_repeats(
    alice_api: APIClient, alice: User, qiniu_account: ProviderAccount
) -> None:
    (voice,) = rows(alice, qiniu_account, 1, provider="qiniu", model=qiniu_account.traits.default_model)
    refusal = alice_api.patch(f"{VOICES}/{voice.pk}", {"answers_repeats": True}, format="json")
    assert (refusal.status_code, refusal.json()["error"]["code"]) == (422, "not_supported")


def test_it_tells_what_has_happened_to_a_voice(alice_api: APIClient, ready_voice: VoiceClone) -> None:
    alice_api.patch(f"{VOICES}/{ready_voice.pk}", {"name": "Anna"}, format="json")
    events = alice_api.get(f"{VOICES}/{ready_voice.pk}/events").json()["results"]
    assert [event["kind"] for event in events] == ["created", "training_started", "ready", "renamed"]
    assert events[1]["detail"]["remote_id"] == ready_voice.remote_id
    assert events[3]["message"] == "Renamed from “Annie” to “Anna”."


def test_it_plays_the_recording_back(alice_api: APIClient, order_voice: Callable[..., VoiceClone]) -> None:
    voice = order_voice()
    whole = alice_api.get(f"{VOICES}/{voice.pk}/sample", headers={"accept": "audio/wav"})
    assert whole["Content-Type"] == "audio/wav"
    assert whole.getvalue() == recording(WOMAN)
    part = alice_api.get(f"{VOICES}/{voice.pk}/sample", headers={"range": "bytes=0-3"})
    assert part.status_code == 206
    assert part.getvalue() == b"RIFF"


def test_it_trains_a_voice_anew_from_the_recording_it_has(
    alice_api: APIClient, ready_voice: VoiceClone, sandbox: Sandbox
) -> None:
    asked = alice_api.post(f"{VOICES}/{ready_voice.pk}/retrain")
    assert asked.status_code == 202
    assert asked.json()["state"] == "Init"
    voice = finish(ready_voice)
    assert voice.state == State.SUCCESS
    assert len(sandbox.ledger.calls("update_voice")) == 1
    assert len(sandbox.ledger.created()) == 1


def test_it_trains_a_voice_anew_from_another_recording(
    alice_api: APIClient, ready_voice: VoiceClone, sandbox: Sandbox
) -> None:
    body = {"sample": upload(recording(MAN), "max.wav"), "consent": "true"}
    asked = alice_api.post(f"{VOICES}/{ready_voice.pk}/retrain", body, format="multipart")
    assert asked.json()["sample"]["filename"] == "max.wav"
    assert finish(ready_voice).state == State.SUCCESS
    heard = alice_api.get(f"{VOICES}/{ready_voice.pk}/sample").getvalue()
    assert listen(heard).f0 == pytest.approx(listen(recording(MAN)).f0, rel=0.05)


def test_it_takes_no_other_recording_without_consent(alice_api: APIClient, ready_voice: VoiceClone) -> None:
    refusal = alice_api.post(f"{VOICES}/{ready_voice.pk}/retrain", {"sample": upload()}, format="multipart")
    assert refusal.status_code == 422
    assert refusal.json()["error"]["code"] == "consent_missing"
    assert ready_voice.samples.count() == 1


def test_it_does_not_train_anew_what_is_still_in_work(
    alice_api: APIClient, order_voice: Callable[..., VoiceClone]
) -> None:
    refusal = alice_api.post(f"{VOICES}/{order_voice().pk}/retrain")
    assert refusal.status_code == 409
    assert refusal.json()["error"]["code"] == "wrong_state"


def test_it_deletes_a_voice_here_and_at_the_provider(
    alice_api: APIClient, ready_voice: VoiceClone, sandbox: Sandbox
) -> None:
    address = f"{VOICES}/{ready_voice.pk}"
    asked = alice_api.delete(address)
    assert asked.status_code == 202
    assert asked.json()["state"] == "Deleting"
    assert alice_api.delete(address).status_code == 202
    drain()
    assert alice_api.get(address).status_code == 404
    assert sandbox.ledger.deleted() == [ready_voice.remote_id]
    assert stored_files() == []


def test_it_deletes_a_voice_that_moved_on_meanwhile(
    alice: User, aliyun_account: ProviderAccount, sandbox: Sandbox
) -> None:
    (seen,) = rows(alice, aliyun_account, 1, state=State.TRAINING)
    VoiceClone.objects.update(state=State.SUCCESS)
    services.request_delete(seen)
    assert VoiceClone.objects.get().state == State.DELETING


# --- what is refused, and leaves nothing behind ----------------------------------------------------------------------

PNG = b"\x89PNG\r\n\x1a\n" + bytes(4000)

BAD_ORDERS: dict[str, tuple[dict[str, Any], int, str, str]] = {
    "no name": ({"name": None}, 400, "invalid_input", "name"),
    "a name of blanks": ({"name": "   "}, 400, "invalid_input", "name"),
    "a name that is too long": ({"name": "x" * 61}, 400, "invalid_input", "name"),
    "no recording": ({"sample": None}, 400, "invalid_input", "sample"),
    "words in place of a recording": ({"sample": "annie.wav"}, 400, "invalid_input", "sample"),
    "an empty recording": ({"sample": upload(b"")}, 422, "sample_refused", "sample"),
    "a picture named .wav": ({"sample": upload(PNG)}, 422, "sample_refused", "sample"),
    "no consent": ({"consent": None}, 422, "consent_missing", ""),
    "consent refused": ({"consent": "false"}, 422, "consent_missing", ""),
    "consent in other words": ({"consent": "perhaps"}, 400, "invalid_input", "consent"),
    "another provider": ({"provider": "acme"}, 400, "invalid_input", "provider"),
    "another model": ({"model": "cosyvoice-v9"}, 400, "invalid_input", "model"),
    "another language": ({"language": "tlh"}, 400, "invalid_input", "language"),
    "a field nobody knows": ({"speaker": "x"}, 400, "invalid_input", "speaker"),
    "a parameter nobody knows": ({"parameters": '{"rate": 1}'}, 400, "invalid_input", "parameters.rate"),
    "a parameter out of range": (
        {"parameters": '{"max_prompt_audio_length": 31}'},
        400,
        "invalid_input",
        "parameters.max_prompt_audio_length",
    ),
    "a parameter beyond all numbers": (
        {"parameters": f'{{"max_prompt_audio_length": 1{"0" * 400}}}'},
        400,
        "invalid_input",
        "parameters.max_prompt_audio_length",
    ),
    "a parameter of another kind": (
        {"parameters": '{"enable_preprocess": {"a": 1}}'},
        400,
        "invalid_input",
        "parameters.enable_preprocess",
    ),
    "parameters that are no JSON": ({"parameters": "rate=1"}, 400, "invalid_input", "parameters"),
    "parameters that are a list": ({"parameters": "[1]"}, 400, "invalid_input", "parameters"),
    "parameters nested too deeply": ({"parameters": "[" * 50_000}, 400, "invalid_input", "parameters"),
}


@pytest.mark.parametrize(("changes", "status", "code", "field"), BAD_ORDERS.values(), ids=BAD_ORDERS)
def test_it_refuses_a_bad_order_and_keeps_nothing_of_it(
    alice_api: APIClient, aliyun_account: ProviderAccount, changes: dict[str, Any], status: int, code: str, field: str
) -> None:
    refusal = alice_api.post(VOICES, order(**changes), format="multipart")
    error = refusal.json()["error"]
    assert (refusal.status_code, error["code"]) == (status, code)
    assert field in error.get("fields", {"": []})
    assert_nothing_was_kept()


def test_it_refuses_a_silent_recording(alice_api: APIClient, aliyun_account: ProviderAccount) -> None:
    refusal = alice_api.post(VOICES, order(sample=upload(silence())), format="multipart")
    assert refusal.status_code == 422
    assert "is silent" in refusal.json()["error"]["message"]
    assert_nothing_was_kept()


def test_it_refuses_a_truncated_mp3(alice_api: APIClient, aliyun_account: ProviderAccount) -> None:
    whole = recording(WOMAN, format="mp3")
    refusal = alice_api.post(VOICES, order(sample=upload(whole[: len(whole) // 3], "annie.mp3")), format="multipart")
    assert refusal.status_code == 422
    assert refusal.json()["error"]["code"] == "sample_refused"
    assert_nothing_was_kept()


@pytest.mark.parametrize("times", [2, 12])
def test_it_refuses_a_recording_that_is_too_large(
    alice_api: APIClient, aliyun_account: ProviderAccount, settings: Settings, times: int
) -> None:
    """Twice the limit is read and dropped; twelve times is cut off."""
    settings.MAX_SAMPLE_BYTES = 1_000_000
    sample = upload(bytes(times * settings.MAX_SAMPLE_BYTES))
    refusal = alice_api.post(VOICES, order(sample=sample), format="multipart")
    assert refusal.status_code == 422
    assert refusal.json()["error"]["code"] == "sample_refused"
    assert "0 MB" in refusal.json()["error"]["message"]
    assert_nothing_was_kept()


def test_it_has_no_place_where_all_are_taken(alice_api: APIClient, aliyun_account: ProviderAccount) -> None:
    ProviderAccount.objects.update(voice_cap=0)
    refusal = alice_api.post(VOICES, order(), format="multipart")
    assert refusal.status_code == 429
    assert refusal.json()["error"]["code"] == "slots_exhausted"
    assert_nothing_was_kept()


def test_it_says_so_when_no_account_is_open(alice_api: APIClient, aliyun_account: ProviderAccount) -> None:
    ProviderAccount.objects.update(is_open=False)
    refusal = alice_api.post(VOICES, order(), format="multipart")
    assert refusal.status_code == 503
    assert refusal.json()["error"]["code"] == "no_provider_account"
    assert refusal.json()["error"]["action"] == "operator"


def assert_nothing_was_kept() -> None:
    assert not VoiceClone.objects.exists()
    assert not VoiceConsent.objects.exists()
    assert not OrmQ.objects.exists()
    assert stored_files() == []
    assert ProviderAccount.objects.get().voices_held == 0


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        ('{"name": "Annie"}', "application/json", 400, "invalid_input"),
        ("name=Annie", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        ("no boundary", "multipart/form-data", 400, "parse_error"),
    ],
)
def test_it_takes_a_recording_as_a_form_or_by_its_address(
    alice_api: APIClient, body: str, content_type: str, status: int, code: str
) -> None:
    refusal = alice_api.post(VOICES, body, content_type=content_type)
    assert refusal.status_code == status
    assert refusal.json()["error"]["code"] == code


# --- who may ---------------------------------------------------------------------------------------------------------

EVERYTHING = [
    ("get", "", "voices:read"),
    ("patch", "", "voices:write"),
    ("delete", "", "voices:write"),
    ("post", "/retrain", "voices:write"),
    ("get", "/events", "voices:read"),
    ("get", "/sample", "voices:read"),
]
LISTS = [("get", VOICES, "voices:read"), ("post", VOICES, "voices:write"), ("get", "/api/v1/providers", "voices:read")]


@pytest.mark.parametrize(("method", "rest", "_scope"), EVERYTHING)
@pytest.mark.parametrize("of", ["somebody else", "nobody", "no id"])
def test_it_finds_nothing_for_a_stranger(
    charlie_api: APIClient, alice: User, aliyun_account: ProviderAccount, method: str, rest: str, _scope: str, of: str
) -> None:
    (voice,) = rows(alice, aliyun_account, 1)
    pk = {"somebody else": str(voice.pk), "nobody": NOWHERE, "no id": "annie"}[of]
    answer = getattr(charlie_api, method)(f"{VOICES}/{pk}{rest}")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"
    voice.refresh_from_db()
    assert voice.state == State.SUCCESS


@pytest.mark.parametrize(
    ("method", "address", "scope"),
    [*((method, f"{VOICES}/{NOWHERE}{rest}", scope) for method, rest, scope in EVERYTHING), *LISTS],
)
def test_it_lets_in_who_has_a_token_with_the_scope(
    alice: User, nobody_api: APIClient, method: str, address: str, scope: str
) -> None:
    nameless = getattr(nobody_api, method)(address)
    assert nameless.status_code == 401
    assert nameless.json()["error"]["code"] == "token_missing"
    others = {"voices:read", "voices:write", "speech", "jobs:read", "usage:read"} - {scope}
    refused = getattr(program_with(token_of(alice, scopes=others)), method)(address)
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "scope_missing"
    assert scope in refused.json()["error"]["message"]


# --- the addresses ---------------------------------------------------------------------------------------------------


def test_it_answers_with_and_without_a_slash_and_redirects_nobody(
    alice_api: APIClient, aliyun_account: ProviderAccount
) -> None:
    assert alice_api.get(f"{VOICES}/").status_code == 200
    assert alice_api.post(f"{VOICES}/", order(), format="multipart").status_code == 201


def test_it_says_which_methods_there_are(alice_api: APIClient) -> None:
    refusal = alice_api.put(VOICES)
    assert refusal.status_code == 405
    assert refusal.json()["error"]["code"] == "method_not_allowed"
    assert refusal["Allow"] == "GET, POST, HEAD, OPTIONS"


def test_it_gives_every_answer_an_id(alice_api: APIClient) -> None:
    refusal = alice_api.get(f"{VOICES}/{NOWHERE}")
    assert refusal["X-Request-Id"] == refusal.json()["error"]["request_id"]


# --- what can be had -------------------------------------------------------------------------------------------------


def test_it_tells_all_that_an_order_is_checked_against(alice_api: APIClient, aliyun_account: ProviderAccount) -> None:
    told = alice_api.get("/api/v1/providers").json()
    (provider,) = (each for each in told["providers"] if each["slug"] == "aliyun")
    model = next(each for each in provider["models"] if each["slug"] == provider["default_model"])
    rate = next(each for each in model["speech_parameters"] if each["name"] == "rate")
    assert provider["open"]
    assert provider["sandbox"]
    assert (provider["sample"]["min_seconds"], provider["sample"]["max_seconds"]) == (10, 60)
    assert (rate["kind"], rate["minimum"], rate["maximum"], rate["default"]) == ("number", 0.5, 2.0, 1.0)
    assert {"value": "en", "label": "English"} in model["languages"]
    assert "mp3" in model["formats"]
    assert told["consent"]["version"]
    assert told["consent"]["statement"].startswith("The voice in this recording is mine")


def test_it_says_which_providers_are_closed(alice_api: APIClient, aliyun_account: ProviderAccount) -> None:
    ProviderAccount.objects.update(is_open=False)
    provider = alice_api.get("/api/v1/providers").json()["providers"][0]
    assert not provider["open"]
    assert not provider["sandbox"]
