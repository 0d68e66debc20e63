"""What a token may be bound to: addresses, requests a minute, and what the token that made it may do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from django.utils.translation import override
from pytest_django import Settings
from rest_framework.test import APIClient

from tests.cast import program_with
from voiceclone_site.accounts.models import ApiToken, User
from voiceclone_site.accounts.scopes import Scope
from voiceclone_site.accounts.services import check_token, issue_token

TOKENS, ME = "/api/v1/tokens", "/api/v1/me"


def issued(user: User, **changes: Any) -> APIClient:
    wanted: dict[str, Any] = {"name": "a test", "scopes": list(Scope.values), "expires_at": None}
    _row, token = issue_token(user, **(wanted | changes))
    return program_with(token.text)


# --- addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("networks", "address", "status"),
    [
        (["192.0.2.0/24"], "192.0.2.77", 200),
        (["192.0.2.0/24"], "198.51.100.1", 403),
        (["192.0.2.0/24", "2001:db8::/32"], "2001:db8::1", 200),
        (["192.0.2.7"], "::ffff:192.0.2.7", 200),
        ([], "198.51.100.1", 200),
    ],
)
def test_it_opens_only_from_its_addresses(alice: User, networks: list[str], address: str, status: int) -> None:
    answer = issued(alice, addresses=networks).get(ME, REMOTE_ADDR=address)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["error"]["code"] == "address_not_allowed"


def test_it_is_refused_where_nobody_knows_the_address(alice: User) -> None:
    _row, token = issue_token(alice, name="a test", scopes=["speech"], expires_at=None, addresses=["192.0.2.0/24"])
    with override("en"), pytest.raises(Exception, match="may not be used from this address"):
        check_token(token.text)


def test_it_believes_no_header_about_the_address(alice: User) -> None:
    program = issued(alice, addresses=["192.0.2.0/24"])
    answer = program.get(ME, REMOTE_ADDR="198.51.100.1", headers={"x-forwarded-for": "192.0.2.7"})
    assert answer.status_code == 403


# --- requests a minute -----------------------------------------------------------------------------------------------


def test_it_says_what_is_left_and_refuses_what_is_beyond(alice: User) -> None:
    program = issued(alice, requests_per_minute=2)
    first, second, third = program.get(ME), program.get("/api/v1/voices"), program.get(ME)
    assert (first["X-RateLimit-Limit"], first["X-RateLimit-Remaining"]) == ("2", "1")
    assert first["RateLimit-Policy"] == '"minute";q=2;w=60'
    assert first["RateLimit"].startswith('"minute";r=1;t=')
    assert second["X-RateLimit-Remaining"] == "0"
    error = third.json()["error"]
    assert (third.status_code, error["code"], error["retryable"]) == (429, "throttled", True)
    assert 1 <= int(third["Retry-After"]) <= 60
    assert third["X-RateLimit-Remaining"] == "0"
    assert int(third["X-RateLimit-Reset"]) <= 60


def test_it_begins_anew_with_the_next_minute(alice: User) -> None:
    program = issued(alice, requests_per_minute=1)
    assert [program.get(ME).status_code for _request in range(2)] == [200, 429]
    cache.clear()  # as the window's key is another one a minute later
    assert program.get(ME).status_code == 200


def test_it_counts_each_token_by_itself(alice: User, charlie: User, settings: Settings) -> None:
    settings.REQUESTS_PER_MINUTE = 1
    for program in (issued(alice), issued(alice), issued(charlie)):
        assert [program.get(ME).status_code for _request in range(2)] == [200, 429]


def test_it_counts_a_browser_too(alice_client: Client, settings: Settings) -> None:
    settings.REQUESTS_PER_MINUTE = 1
    assert [alice_client.get(ME).status_code for _request in range(2)] == [200, 429]


# --- tokens that make tokens -----------------------------------------------------------------------------------------


def test_it_makes_lists_and_revokes_tokens(alice: User, alice_api: APIClient) -> None:
    body = {"name": "reader", "scopes": ["voices:read"], "addresses": ["127.0.0.1"], "requests_per_minute": 5}
    made = alice_api.post(TOKENS, body, format="json")
    assert made.status_code == 201, made.json()
    assert made["Cache-Control"] == "no-store"
    token = made.json()["token"]
    reader = program_with(token)
    assert reader.get("/api/v1/voices").status_code == 200
    listed = alice_api.get(TOKENS)
    assert token not in listed.content.decode()
    shown = next(each for each in listed.json()["results"] if each["name"] == "reader")
    assert (shown["addresses"], shown["requests_per_minute"], shown["usable"]) == (["127.0.0.1/32"], 5, True)
    assert alice_api.delete(f"{TOKENS}/{shown['id']}").status_code == 204
    assert reader.get("/api/v1/voices").json()["error"]["code"] == "token_revoked"
    assert alice_api.get(f"{TOKENS}/{shown['id']}").json()["usable"] is False


@pytest.mark.parametrize(
    ("own", "asked"),
    [
        ({"scopes": ["tokens:write"]}, {}),
        ({"expires_at": 10}, {}),
        ({"expires_at": 10}, {"expires_at": 20}),
        ({"addresses": ["127.0.0.0/8"]}, {}),
        ({"addresses": ["127.0.0.0/8"]}, {"addresses": ["126.0.0.0/7"]}),
        ({"addresses": ["127.0.0.0/8"]}, {"addresses": ["::1"]}),
        ({"requests_per_minute": 5}, {}),
    ],
)
def test_it_makes_no_token_that_may_do_more(alice: User, own: dict[str, Any], asked: dict[str, Any]) -> None:
    def dated(wishes: dict[str, Any]) -> dict[str, Any]:
        days = wishes.get("expires_at")
        return wishes | ({"expires_at": timezone.now() + timedelta(days=days)} if days else {})

    program = issued(alice, **dated(own))
    refusal = program.post(TOKENS, {"name": "more", "scopes": ["speech"], **dated(asked)}, format="json")
    assert (refusal.status_code, refusal.json()["error"]["code"]) == (403, "more_than_own")
    assert ApiToken.objects.count() == 1


def test_it_makes_a_narrower_token(alice: User) -> None:
    end = timezone.now() + timedelta(days=10)
    program = issued(alice, expires_at=end, addresses=["127.0.0.0/8"])
    body = {"name": "less", "scopes": ["speech"], "expires_at": end - timedelta(days=1), "addresses": ["127.0.0.1"]}
    assert program.post(TOKENS, body, format="json").status_code == 201


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("addresses", ["somewhere"]),
        ("scopes", ["everything"]),
        ("scopes", []),
        ("requests_per_minute", 0),
        ("name", ""),
    ],
)
def test_it_says_which_field_is_wrong(alice_api: APIClient, field: str, value: Any) -> None:
    body = {"name": "reader", "scopes": ["voices:read"], field: value}
    refusal = alice_api.post(TOKENS, body, format="json")
    assert refusal.status_code == 400
    assert [name.partition(".")[0] for name in refusal.json()["error"]["fields"]] == [field]


def test_it_shows_a_stranger_no_token(alice: User, charlie_api: APIClient) -> None:
    row, _token = issue_token(alice, name="hers", scopes=["speech"], expires_at=None)
    assert charlie_api.get(f"{TOKENS}/{row.pk}").status_code == 404
    assert charlie_api.delete(f"{TOKENS}/{row.pk}").status_code == 404
    assert "hers" not in charlie_api.get(TOKENS).content.decode()
    row.refresh_from_db()
    assert row.is_usable


# --- the page --------------------------------------------------------------------------------------------------------


def test_the_page_binds_a_token_to_addresses(alice_client: Client) -> None:
    order = {"name": "bound", "scopes": ["speech"], "lifetime": "30", "addresses": "192.0.2.0/24\n2001:db8::1"}
    page = alice_client.post("/account/tokens/", {**order, "requests_per_minute": "30"}).content.decode()
    row = ApiToken.objects.get(name="bound")
    assert (row.addresses, row.requests_per_minute) == (["192.0.2.0/24", "2001:db8::1/128"], 30)
    assert "192.0.2.0/24, 2001:db8::1/128" in page
    wrong = alice_client.post("/account/tokens/", {**order, "addresses": "somewhere"}).content.decode()
    assert "is no address and no network" in wrong
    assert ApiToken.objects.count() == 1
