"""What a token may spend in a month: by the page, the API and the admin, and who may not change it."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from synthesis import services as speech
from tests.cast import program_with, token_of
from voiceclone_site.accounts.models import ApiToken, User
from voiceclone_site.accounts.scopes import Scope
from voiceclone_site.accounts.services import issue_token
from voices import books, plans
from voices.models import LimitChange, ProviderAccount, VoiceClone

TOKENS, ME, QUOTA, JOBS = "/api/v1/tokens", "/api/v1/me", "/api/v1/quota", "/api/v1/jobs"
PAGE = "/account/tokens/"
WEATHER = "今天天气怎么样？"
COUNTED, COST = 15, 0.0015


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


def issued(user: User, **changes: Any) -> tuple[ApiToken, APIClient]:
    wanted: dict[str, Any] = {"name": "a customer", "scopes": list(Scope.values), "expires_at": None}
    row, token = issue_token(user, **(wanted | changes))
    return row, program_with(token.text)


def order(program: APIClient, voice: VoiceClone, text: str = WEATHER) -> Any:
    return program.post(JOBS, {"voice": str(voice.pk), "text": text}, format="json")


def meters(answer: Any) -> dict[str, tuple[float, float | None, float | None]]:
    """Used, limit, left."""
    return {each["measure"]: (each["used"], each["limit"], each["left"]) for each in answer["meters"]}


# --- by the API ------------------------------------------------------------------------------------------------------


def test_a_program_makes_a_token_with_a_budget_and_sees_what_is_left_of_it(
    alice_api: APIClient, voice: VoiceClone
) -> None:
    body = {"name": "a customer", "scopes": list(Scope.values), "characters_per_month": 20, "spend_per_month": "1.50"}
    made = alice_api.post(TOKENS, body, format="json").json()
    assert (made["characters_per_month"], made["spend_per_month"]) == (20, "1.50")
    customer = program_with(made["token"])
    assert order(customer, voice).status_code == 201
    expected = {"characters": (COUNTED, 20, 5), "cost": (COST, 1.5, 1.4985)}
    (listed,) = [each for each in alice_api.get(TOKENS).json()["results"] if each["id"] == made["id"]]
    for shown in (listed, alice_api.get(f"{TOKENS}/{made['id']}").json(), customer.get(ME).json()["token"]):
        assert meters(shown) == expected
    assert {each["resets_at"][8:19] for each in listed["meters"]} == {"01T00:00:00"}
    assert meters({"meters": customer.get(QUOTA).json()["token"]}) == expected


def test_a_refusal_says_what_is_left_when_it_begins_anew_and_what_to_do(alice: User, voice: VoiceClone) -> None:
    _row, customer = issued(alice, characters_per_month=20)
    assert order(customer, voice).status_code == 201
    refused = order(customer, voice)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["action"]) == (429, "token_characters_exhausted", "user")
    assert int(refused["Retry-After"]) > 0
    resets_at = error["quota"].pop("resets_at")
    assert error["quota"] == {"measure": "characters", "used": 15, "limit": 20, "left": 5, "asked": 15}
    for word in ("15 characters", "5 of the 20", resets_at[:10], "raise the token's budget on the page “API tokens”"):
        assert word in error["message"]
    assert books.discrepancies() == []


def test_money_is_held_to_the_last_fen(alice: User, voice: VoiceClone) -> None:
    plans.change_account(voice.account, by=None, character_price=Decimal(100))
    _row, customer = issued(alice, spend_per_month=Decimal("0.29"))
    assert order(customer, voice).status_code == 201
    error = order(customer, voice).json()["error"]
    assert error["code"] == "token_cost_exhausted"
    assert error["quota"].pop("resets_at")
    assert error["quota"] == {"measure": "cost", "used": 0.15, "limit": 0.29, "left": 0.14, "asked": 0.15}
    for word in ("costs ¥0.1500", "¥0.1400 of the ¥0.2900"):
        assert word in error["message"]


def test_another_token_and_the_browser_go_on(alice: User, alice_api: APIClient, voice: VoiceClone) -> None:
    _row, customer = issued(alice, characters_per_month=0)
    assert order(customer, voice).status_code == 429
    assert order(alice_api, voice).status_code == 201
    speech.submit(speech.check(alice, voice=voice, text=WEATHER))


def test_a_batch_goes_through_whole_or_not_at_all(alice: User, voice: VoiceClone) -> None:
    row, customer = issued(alice, characters_per_month=40)
    body = {"voice": str(voice.pk), "texts": [WEATHER] * 3}
    assert customer.post(f"{JOBS}/batch", body, format="json").json()["error"]["code"] == "token_characters_exhausted"
    assert meters(customer.get(ME).json()["token"])["characters"] == (0, 40, 40)
    assert customer.post(f"{JOBS}/batch", {**body, "texts": [WEATHER] * 2}, format="json").status_code == 201
    assert books.discrepancies() == []
    assert row.has_budget


def test_a_program_raises_and_lifts_what_another_token_may_spend(
    alice: User, alice_api: APIClient, voice: VoiceClone
) -> None:
    row, customer = issued(alice, characters_per_month=COUNTED)
    assert [order(customer, voice).status_code for _time in range(2)] == [201, 429]
    raised = alice_api.patch(f"{TOKENS}/{row.pk}", {"characters_per_month": 2 * COUNTED}, format="json")
    assert (raised.status_code, meters(raised.json())["characters"]) == (200, (15, 30, 15))
    assert [order(customer, voice).status_code for _time in range(2)] == [201, 429]
    lifted = alice_api.patch(f"{TOKENS}/{row.pk}", {"characters_per_month": None, "spend_per_month": 9}, format="json")
    assert (lifted.json()["characters_per_month"], lifted.json()["spend_per_month"]) == (None, "9.00")
    assert order(customer, voice).status_code == 201
    changes = [(each.by, each.limit, each.before, each.after) for each in LimitChange.objects.order_by("id")]
    assert changes == [
        (alice, "characters_per_month", "15", "30"),
        (alice, "characters_per_month", "30", ""),
        (alice, "spend_per_month", "", "9.00"),
    ]


def test_a_budget_that_comes_later_counts_what_the_month_has_seen(
    alice: User, alice_api: APIClient, voice: VoiceClone
) -> None:
    row, customer = issued(alice)
    assert order(customer, voice).status_code == 201
    answer = alice_api.patch(f"{TOKENS}/{row.pk}", {"characters_per_month": 20}, format="json")
    assert meters(answer.json())["characters"] == (15, 20, 5)
    assert order(customer, voice).status_code == 429


@pytest.mark.parametrize("own", [{"characters_per_month": 20}, {"spend_per_month": Decimal(1)}])
def test_a_token_with_a_budget_frees_itself_by_no_way(alice: User, own: dict[str, Any]) -> None:
    row, customer = issued(alice, **own)
    other, _program = issued(alice, characters_per_month=5)
    asked = [
        customer.patch(f"{TOKENS}/{row.pk}", {"characters_per_month": None, "spend_per_month": None}, format="json"),
        customer.patch(f"{TOKENS}/{other.pk}", {"characters_per_month": 50}, format="json"),
        customer.post(TOKENS, {"name": "free", "scopes": ["speech"]}, format="json"),
        customer.post(TOKENS, {"name": "less", "scopes": ["speech"], "characters_per_month": 1}, format="json"),
    ]
    assert [(each.status_code, each.json()["error"]["code"]) for each in asked] == [(403, "more_than_own")] * 4
    assert ApiToken.objects.count() == 2
    row.refresh_from_db()
    other.refresh_from_db()
    assert {name: getattr(row, name) for name in own} == own
    assert other.characters_per_month == 5


@pytest.mark.parametrize(
    "own",
    [
        {"scopes": ["tokens:write"]},
        {"expires_at": timezone.now() + timedelta(days=9)},
        {"addresses": ["127.0.0.0/8"]},
        {"requests_per_minute": 50},
    ],
)
def test_a_token_changes_the_budget_of_none_that_it_could_not_have_made(alice: User, own: dict[str, Any]) -> None:
    row, _program = issued(alice, characters_per_month=5)
    _asking, program = issued(alice, **own)
    refused = program.patch(f"{TOKENS}/{row.pk}", {"characters_per_month": 50}, format="json")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "more_than_own")
    row.refresh_from_db()
    assert row.characters_per_month == 5


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("characters_per_month", -1),
        ("characters_per_month", "many"),
        ("characters_per_month", 10**30),
        ("spend_per_month", "-0.01"),
        ("spend_per_month", "0.001"),
        ("spend_per_month", "NaN"),
        ("budget", 5),
    ],
)
def test_it_says_which_field_is_wrong(alice: User, alice_api: APIClient, field: str, value: Any) -> None:
    row, _program = issued(alice)
    for refused in (
        alice_api.patch(f"{TOKENS}/{row.pk}", {field: value}, format="json"),
        alice_api.post(TOKENS, {"name": "n", "scopes": ["speech"], field: value}, format="json"),
    ):
        assert (refused.status_code, list(refused.json()["error"]["fields"])) == (400, [field])
    row.refresh_from_db()
    assert not row.has_budget


def test_a_stranger_finds_no_budget(alice: User, charlie_api: APIClient, charlie_client: Client) -> None:
    row, _program = issued(alice, name="hers", characters_per_month=5)
    assert charlie_api.patch(f"{TOKENS}/{row.pk}", {"characters_per_month": 50}, format="json").status_code == 404
    assert charlie_client.get(f"{PAGE}{row.pk}/budget/").status_code == 404
    assert charlie_client.post(f"{PAGE}{row.pk}/budget/", {"characters_per_month": "50"}).status_code == 404
    row.refresh_from_db()
    assert row.characters_per_month == 5


def test_it_needs_the_scope(alice: User) -> None:
    row, _program = issued(alice)
    program = program_with(token_of(alice, scopes=["tokens:read"]))
    refused = program.patch(f"{TOKENS}/{row.pk}", {"characters_per_month": 50}, format="json")
    assert refused.json()["error"]["code"] == "scope_missing"


def test_it_lists_tokens_with_as_many_queries_as_one(
    alice: User, alice_api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _time in range(2):
        alice_api.get(ME)
        with django_assert_num_queries(3):  # the token that asks, the tokens, their meters
            alice_api.get(TOKENS)
        for number in range(10):
            issued(alice, name=f"customer {number}", characters_per_month=number)


def test_elevenlabs_clients_see_the_fewer_characters_that_are_left(alice: User, voice: VoiceClone) -> None:
    _row, customer = issued(alice, characters_per_month=20)
    order(customer, voice)
    told = customer.get("/v1/user/subscription", headers={"xi-api-key": "", "x-dialect": "elevenlabs"})
    assert told.status_code == 200
    assert (told.json()["character_count"], told.json()["character_limit"]) == (15, 20)
    plans.change_allowance(alice, by=None, characters_per_month=16)
    assert customer.get("/v1/user/subscription").json()["character_limit"] == 16


# --- by the page -----------------------------------------------------------------------------------------------------


def test_the_page_gives_a_new_token_a_budget(alice: User, alice_client: Client, voice: VoiceClone) -> None:
    wanted = {"name": "a customer", "scopes": ["speech"], "lifetime": "30"}
    page = alice_client.post(PAGE, {**wanted, "characters_per_month": "2000", "spend_per_month": "3.50"})
    found = re.search(r"vcp_[0-9A-Za-z]{8}_[0-9A-Za-z]{49}", page.content.decode())
    assert found
    assert order(program_with(found[0]), voice).status_code == 201
    shown = alice_client.get(PAGE).content.decode()
    for word in ("15 of 2,000", "¥0.0015 of ¥3.50", "begins anew on"):
        assert word in shown


def test_the_page_changes_a_budget_and_shows_what_it_has_seen(
    alice: User, alice_client: Client, voice: VoiceClone
) -> None:
    row, customer = issued(alice)
    order(customer, voice)
    address = f"{PAGE}{row.pk}/budget/"
    assert "no budget" in alice_client.get(PAGE).content.decode()
    assert "15 used, no limit" in alice_client.get(address).content.decode()
    for wrong in ("-1", "many", str(10**30)):
        assert alice_client.post(address, {"characters_per_month": wrong, "spend_per_month": ""}).status_code == 422
    done = alice_client.post(address, {"characters_per_month": "16", "spend_per_month": ""}, follow=True)
    assert "in force from now on" in done.content.decode()
    assert "15 of 16" in done.content.decode()
    assert order(customer, voice).status_code == 429
    alice_client.post(address, {"characters_per_month": "", "spend_per_month": ""})
    assert order(customer, voice).status_code == 201


def test_a_new_token_takes_no_budget_that_is_none(alice_client: Client) -> None:
    wanted = {"name": "a customer", "scopes": ["speech"], "lifetime": "30"}
    for wrong in ({"characters_per_month": str(10**30)}, {"characters_per_month": "-1"}, {"spend_per_month": "0.001"}):
        alice_client.post(PAGE, {**wanted, **wrong})
    assert not ApiToken.objects.exists()


def test_it_sends_a_visitor_to_log_in(visitor: Client) -> None:
    assert visitor.get(f"{PAGE}1/budget/")["Location"] == f"/accounts/login/?next={PAGE}1/budget/"


# --- for operators ---------------------------------------------------------------------------------------------------


def test_operators_see_budgets_and_change_none(
    alice: User, alice_client: Client, dana_client: Client, voice: VoiceClone
) -> None:
    row, customer = issued(alice, characters_per_month=4321)
    order(customer, voice)
    alice_client.post(f"{PAGE}{row.pk}/budget/", {"characters_per_month": "4322", "spend_per_month": "7.25"})
    address = f"/admin/accounts/apitoken/{row.pk}/change/"
    page = dana_client.get(address).content.decode()
    for word in ("4322", "7.25", "characters: 15", "¥0.0015"):
        assert word in page
    assert "4322" in dana_client.get("/admin/accounts/apitoken/").content.decode()
    dana_client.post(address, {"name": "renamed", "characters_per_month": "1"})
    row.refresh_from_db()
    assert (row.name, row.characters_per_month) == ("renamed", 4322)
    assert "4321 → 4322" in dana_client.get(f"/operate/limits/{alice.pk}/").content.decode()
    assert "4321 → 4322" not in dana_client.get("/operate/limits/").content.decode()


def test_whoever_has_set_a_budget_can_still_be_deleted(alice: User) -> None:
    row, _program = issued(alice)
    plans.change_budget(row, by=alice, characters_per_month=5)
    alice.delete()
    assert not LimitChange.objects.exists()
