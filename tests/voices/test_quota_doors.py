"""Limits through the doors: the page and the API of everybody, the pages, API and admin of staff."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from synthesis import services as speech
from tests.cast import program_with, token_of
from tests.crowd import a_voice, spoken
from voiceclone_site.accounts.models import User
from voiceclone_site.accounts.scopes import Scope, StaffScope
from voices import books, plans
from voices.errors import LimitReached
from voices.models import LimitChange, Measure, Plan, ProviderAccount, VoiceClone

QUOTA, SPEECH, VOICES = "/api/v1/quota", "/api/v1/speech", "/api/v1/voices"
WEATHER = "今天天气怎么样？"


@pytest.fixture
def dana_api(dana: User) -> APIClient:
    return program_with(token_of(dana, scopes=[*Scope.values, *StaffScope.values]))


@pytest.fixture
def voice(alice: User, aliyun_account: ProviderAccount) -> VoiceClone:
    return VoiceClone.objects.create(
        owner=alice,
        account=aliyun_account,
        provider="aliyun",
        name="Annie",
        model="cosyvoice-v3-flash",
        language="zh",
        remote_id="cosyvoice-v3-flash-annie-1",
        state=VoiceClone.State.SUCCESS,
    )


def meter(answer: Any, measure: str) -> dict[str, Any]:
    (found,) = [each for each in answer.json()["meters"] if each["measure"] == measure]
    return dict(found)


def test_it_shows_what_is_used_and_what_is_left(alice_api: APIClient, voice: VoiceClone) -> None:
    speech.submit(speech.check(voice.owner, voice=voice, text=WEATHER))
    characters = meter(alice_api.get(QUOTA), "characters")
    limit = plans.DEFAULT["characters_per_month"]
    assert (characters["used"], characters["limit"], characters["left"]) == (15, limit, limit - 15)
    assert characters["resets_at"].endswith("+08:00")
    assert meter(alice_api.get(QUOTA), "jobs")["used"] == 1
    assert meter(alice_api.get(QUOTA), "storage")["resets_at"] is None


def test_a_stranger_sees_their_own_meters_alone(charlie_api: APIClient, voice: VoiceClone) -> None:
    speech.submit(speech.check(voice.owner, voice=voice, text=WEATHER))
    assert meter(charlie_api.get(QUOTA), "characters")["used"] == 0


def test_a_refusal_says_what_is_left_and_when_it_begins_anew(alice_api: APIClient, voice: VoiceClone) -> None:
    plans.change_allowance(voice.owner, by=None, characters_per_month=20)
    speech.submit(speech.check(voice.owner, voice=voice, text=WEATHER))
    refused = alice_api.post(SPEECH, {"voice": str(voice.pk), "text": WEATHER}, format="json")
    assert refused.status_code == 429
    error = refused.json()["error"]
    assert (error["code"], error["action"], error["retryable"]) == ("characters_exhausted", "user", True)
    assert int(refused["Retry-After"]) > 0
    resets_at = error["quota"].pop("resets_at")
    assert error["quota"] == {"measure": "characters", "used": 15, "limit": 20, "left": 5, "asked": 15}
    for word in ("15 characters", "5 of your 20", resets_at[:10]):
        assert word in error["message"]


def test_waiting_does_not_help_who_has_no_room_left(alice_api: APIClient, voice: VoiceClone) -> None:
    plans.change_allowance(voice.owner, by=None, voices=0)
    order = {"name": "B", "provider": "aliyun", "remote_id": "cosyvoice-v3-flash-b-1", "consent": True}
    refused = alice_api.post(f"{VOICES}/import", order, format="json")
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "voices_exhausted"
    assert "Retry-After" not in refused


def test_the_page_shows_meters_and_what_the_month_was_used_for(
    alice_client: Client, charlie_client: Client, voice: VoiceClone
) -> None:
    speech.submit(speech.check(voice.owner, voice=voice, text=WEATHER))
    page = alice_client.get("/quota/").content.decode()
    for word in ("Standard", "15 of 2,000,000", "Annie", "with a browser", "¥0.0015", "begins anew on"):
        assert word in page
    assert "Annie" not in charlie_client.get("/quota/").content.decode()


def test_the_page_has_a_line_for_each_of_two_voices_of_one_name(
    alice: User, alice_client: Client, aliyun_account: ProviderAccount
) -> None:
    for _each in range(2):
        spoken(a_voice(alice, aliyun_account))
    assert alice_client.get("/quota/").content.decode().count("Zoe") == 2


# --- operators ---------------------------------------------------------------------------------------------------------


def test_an_operator_sets_somebodys_limits_by_api(dana_api: APIClient, dana: User, voice: VoiceClone) -> None:
    (found,) = dana_api.get("/api/v1/operate/users", {"email": "alice@example.com"}).json()
    address = f"/api/v1/operate/users/{found['id']}/limits"
    speech.submit(speech.check(voice.owner, voice=voice, text=WEATHER))
    answer = dana_api.patch(address, {"characters_per_month": 15, "voices": 3}, format="json")
    assert answer.status_code == 200
    assert meter(answer, "characters")["left"] == 0
    with pytest.raises(LimitReached, match="15"):
        speech.submit(speech.check(voice.owner, voice=voice, text=WEATHER))
    dana_api.patch(address, {"characters_per_month": None}, format="json")
    speech.submit(speech.check(voice.owner, voice=voice, text=WEATHER))
    changes = [(change.by, change.limit, change.before, change.after) for change in LimitChange.objects.order_by("id")]
    assert changes == [
        (dana, "voices", "", "3"),
        (dana, "characters_per_month", "", "15"),
        (dana, "characters_per_month", "15", ""),
    ]


def test_a_plan_reaches_everybody_who_has_it_at_once(dana_api: APIClient, alice: User, voice: VoiceClone) -> None:
    speech.submit(speech.check(alice, voice=voice, text=WEATHER))
    small = dana_api.post("/api/v1/operate/plans", {"name": "Small", "characters_per_month": 20}, format="json").json()
    dana_api.patch(f"/api/v1/operate/users/{alice.pk}/limits", {"plan": small["id"]}, format="json")
    assert plans.caps_of(alice)[Measure.CHARACTERS] == 20
    assert alice.meters.get(measure="characters").cap == 20
    assert alice.meters.get(measure="jobs").cap is None
    dana_api.patch(f"/api/v1/operate/plans/{small['id']}", {"characters_per_month": 40}, format="json")
    assert alice.meters.get(measure="characters").cap == 40


def test_the_default_can_be_handed_on_but_not_given_up(dana_api: APIClient, alice: User, voice: VoiceClone) -> None:
    speech.submit(speech.check(alice, voice=voice, text=WEATHER))
    default = plans.default_plan()
    address = f"/api/v1/operate/plans/{default.pk}"
    assert dana_api.patch(address, {"is_default": False}, format="json").status_code == 400
    other = dana_api.post(
        "/api/v1/operate/plans", {"name": "New", "is_default": True, "jobs_in_flight": 2}, format="json"
    )
    assert other.status_code == 201
    assert list(Plan.objects.filter(is_default=True).values_list("name", flat=True)) == ["New"]
    assert alice.meters.get(measure="jobs").cap == 2


def test_an_operator_sets_the_limits_of_an_account_by_api(dana_api: APIClient, aliyun_account: ProviderAccount) -> None:
    address = f"/api/v1/operate/accounts/{aliyun_account.pk}"
    answer = dana_api.patch(address, {"spend_per_day": "12.50", "voice_cap": 5}, format="json")
    assert answer.status_code == 200
    (account,) = dana_api.get("/api/v1/operate/accounts").json()
    assert {each["measure"]: each["limit"] for each in account["meters"]} == {
        "slots": 5,
        "trainings": None,
        "characters": None,
        "cost": 12.5,
    }
    assert "credentials" not in account


OPERATING = [
    ("get", "/api/v1/operate/users?email=a@b.c"),
    ("get", "/api/v1/operate/users/1/limits"),
    ("patch", "/api/v1/operate/users/1/limits"),
    ("get", "/api/v1/operate/plans"),
    ("post", "/api/v1/operate/plans"),
    ("patch", "/api/v1/operate/plans/1"),
    ("get", "/api/v1/operate/accounts"),
    ("patch", "/api/v1/operate/accounts/1"),
]


@pytest.mark.parametrize(("method", "address"), OPERATING)
def test_it_is_for_staff_alone(alice_api: APIClient, dana: User, method: str, address: str) -> None:
    assert getattr(alice_api, method)(address).json()["error"]["code"] == "staff_only"
    assert getattr(program_with(token_of(dana)), method)(address).json()["error"]["code"] == "scope_missing"


def test_a_token_operates_no_more_once_its_owner_is_staff_no_more(dana_api: APIClient, dana: User) -> None:
    assert dana_api.get("/api/v1/operate/plans").status_code == 200
    User.objects.filter(pk=dana.pk).update(is_staff=False)
    assert dana_api.get("/api/v1/operate/plans").status_code == 403


@pytest.mark.parametrize("address", ["/operate/limits/", "/operate/limits/1/"])
def test_who_is_no_staff_does_not_find_the_pages(alice_client: Client, visitor: Client, address: str) -> None:
    assert alice_client.get(address).status_code == 404
    assert visitor.get(address).status_code == 302


def test_an_operator_sets_somebodys_limits_by_page(dana_client: Client, alice: User, dana: User) -> None:
    page = dana_client.get("/operate/limits/", {"q": "alice"}).content.decode()
    assert f"/operate/limits/{alice.pk}/" in page
    address = f"/operate/limits/{alice.pk}/"
    assert dana_client.post(address, {"voices": "-1"}).status_code == 422
    assert dana_client.post(address, {"voices": "7"}).status_code == 302
    assert plans.caps_of(alice)[Measure.VOICES] == 7
    shown = dana_client.get(address).content.decode()
    assert "voices: – → 7" in shown
    assert "Dana" in shown


def test_an_operator_sets_limits_in_the_admin(
    dana_client: Client, alice: User, aliyun_account: ProviderAccount
) -> None:
    plan = plans.default_plan()
    limits = {name: getattr(plan, name) for name in plans.USER_LIMITS} | {"voices": 9}
    saved = dana_client.post(f"/admin/voices/plan/{plan.pk}/change/", {"name": plan.name, "is_default": "on", **limits})
    assert saved.status_code == 302
    assert plans.caps_of(alice)[Measure.VOICES] == 9
    account = {
        "name": aliyun_account.name,
        "is_open": "on",
        "voice_cap": "1000",
        "spend_per_day": "3.00",
        "enrollment_rate": "1",
        "synthesis_rate": "1",
    }
    saved = dana_client.post(f"/admin/voices/provideraccount/{aliyun_account.pk}/change/", account)
    assert saved.status_code == 302, saved.content.decode()
    assert [(change.limit, change.after) for change in LimitChange.objects.order_by("id")] == [
        ("voices", "9"),
        ("spend_per_day", "3.00"),
    ]


@pytest.mark.parametrize("name", ["plan", "allowance", "meter", "ledgerentry", "limitchange"])
def test_the_admin_lists_them(dana_client: Client, alice: User, voice: VoiceClone, name: str) -> None:
    plans.change_allowance(alice, by=None, voices=4)
    speech.submit(speech.check(alice, voice=voice, text=WEATHER))
    assert dana_client.get(f"/admin/voices/{name}/").status_code == 200
    assert books.discrepancies() == []
