from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.core import serializers
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from tests.cast import browser_of, program_with, token_of
from voiceclone_site.accounts import tokens
from voiceclone_site.accounts.models import ApiToken, User
from voiceclone_site.accounts.services import issue_token, revoke_token
from voiceclone_site.logs import LineFormatter, RedactSecrets

pytestmark = pytest.mark.urls("tests.accounts.probe")

VOICES = "/api/v1/probe/voices"


def test_it_lets_a_token_act_for_its_owner(alice_api: APIClient) -> None:
    assert alice_api.get(VOICES).json()["who"] == "alice@example.com"


def test_it_asks_a_caller_without_a_token_to_bring_one(nobody_api: APIClient) -> None:
    answer = nobody_api.get(VOICES)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'
    assert answer.json()["error"]["code"] == "token_missing"
    assert "Authorization: Bearer" in answer.json()["error"]["message"]


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize("text", ["", "nonsense", "vcp_12345678_short", "sk-0123456789", "ключ"])
def test_it_says_that_something_is_no_token(text: str) -> None:
    answer = program_with("").get(VOICES, headers={"authorization": f"Bearer {text}"})
    assert refusal(answer) == (401, "token_malformed")
    assert 'error="invalid_token"' in answer["WWW-Authenticate"]


@pytest.mark.usefixtures("db")
def test_it_finds_a_typo_without_asking_the_database(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    text = tokens.make().text
    with django_assert_num_queries(0):
        answer = program_with(text[:-7] + ("a" if text[-7] != "a" else "b") + text[-6:]).get(VOICES)
    assert answer.status_code == 401


@pytest.mark.usefixtures("db")
def test_it_does_not_know_a_token_that_was_never_issued() -> None:
    assert refusal(program_with(tokens.make().text).get(VOICES)) == (401, "token_unknown")


def test_it_does_not_know_a_token_that_shares_only_the_prefix(alice: User) -> None:
    row, _token = issue_token(alice, name="a test", scopes=["speech"], expires_at=None)
    body = f"vcp_{row.prefix}_{'0' * 43}"
    assert refusal(program_with(body + tokens.checksum(body)).get(VOICES)) == (401, "token_unknown")


def test_it_refuses_a_revoked_token(alice: User) -> None:
    row, token = issue_token(alice, name="a test", scopes=["voices:read"], expires_at=None)
    revoke_token(row)
    assert refusal(program_with(token.text).get(VOICES)) == (401, "token_revoked")


def test_it_refuses_an_expired_token(alice: User) -> None:
    row, token = issue_token(
        alice, name="a test", scopes=["voices:read"], expires_at=timezone.now() + timedelta(hours=1)
    )
    assert program_with(token.text).get(VOICES).status_code == 200
    ApiToken.objects.filter(pk=row.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert refusal(program_with(token.text).get(VOICES)) == (401, "token_expired")


def test_it_refuses_the_token_of_a_closed_account(alice: User, alice_api: APIClient) -> None:
    alice.is_active = False
    alice.save()
    assert refusal(alice_api.get(VOICES)) == (401, "account_inactive")


def test_it_names_the_scope_that_a_token_lacks(alice: User) -> None:
    program = program_with(token_of(alice, scopes=["voices:read"]))
    assert program.get(VOICES).status_code == 200
    answer = program.post(VOICES, {})
    assert refusal(answer) == (403, "scope_missing")
    assert "voices:write" in answer.json()["error"]["message"]


def test_it_asks_of_head_what_it_asks_of_get(alice: User) -> None:
    assert program_with(token_of(alice, scopes=["voices:read"])).head(VOICES).status_code == 200
    assert program_with(token_of(alice, scopes=["speech"])).head(VOICES).status_code == 403


def test_it_is_closed_where_a_view_declares_nothing(alice_api: APIClient, alice_client: Client) -> None:
    assert refusal(alice_api.get("/api/v1/probe/undeclared")) == (403, "no_scope_declared")
    assert alice_client.get("/api/v1/probe/undeclared").status_code == 403
    assert alice_api.delete(VOICES).status_code == 405  # there is no such method at all


def test_it_serves_any_valid_token_where_a_view_says_so(alice: User, nobody_api: APIClient) -> None:
    assert program_with(token_of(alice, scopes=["speech"])).get("/api/v1/probe/anything").status_code == 200
    assert nobody_api.get("/api/v1/probe/anything").status_code == 401


def test_it_gives_somebody_who_is_logged_in_every_scope(alice_client: Client) -> None:
    assert alice_client.get(VOICES).status_code == 200
    assert alice_client.post(VOICES).status_code == 201


def test_it_takes_a_form_of_another_site_for_nobodys(alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert client.post(VOICES).status_code == 403


def test_it_looks_the_token_up_with_one_query(
    alice_api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    alice_api.get(VOICES)
    with django_assert_num_queries(1):
        alice_api.get(VOICES)


def test_it_notes_the_last_use_once_a_minute(alice: User, alice_api: APIClient) -> None:
    alice_api.get(VOICES)
    first = last_use(alice)
    alice_api.get(VOICES)
    assert last_use(alice) == first
    ApiToken.objects.update(last_used_at=timezone.now() - timedelta(seconds=61))
    alice_api.get(VOICES)
    assert last_use(alice) > first


def test_it_answers_in_the_language_of_the_tokens_owner(alice: User, alice_api: APIClient) -> None:
    alice.language = "zh-hans"
    alice.save()
    assert alice_api.get("/api/v1/probe/undeclared", headers={"accept-language": "en"})["Content-Language"] == "zh-hans"


def test_it_keeps_no_token_in_the_database(alice: User) -> None:
    text = token_of(alice)
    secret = text.split("_")[2]
    rows = serializers.serialize("json", [*ApiToken.objects.all(), *User.objects.all()])
    assert secret not in rows
    assert secret[:43] not in rows
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM accounts_apitoken")
        assert secret[:20] not in str(cursor.fetchall())


def test_it_writes_no_token_into_the_log(alice: User, caplog: pytest.LogCaptureFixture) -> None:
    text = token_of(alice, scopes=["speech"])
    caplog.handler.addFilter(RedactSecrets())
    caplog.handler.setFormatter(LineFormatter())
    with caplog.at_level(logging.DEBUG):
        program_with(text).get(VOICES)
        program_with(text).get(f"/api/v1/missing?token={text}")
        logging.getLogger("anything").warning("headers: %s", {"Authorization": f"Bearer {text}"})
    assert caplog.text
    assert text.split("_")[2] not in caplog.text


def test_it_does_not_mix_up_two_peoples_tokens(alice_api: APIClient, charlie_api: APIClient) -> None:
    assert charlie_api.get(VOICES).json()["who"] == "charlie@example.com"
    assert alice_api.get(VOICES).json()["who"] == "alice@example.com"


def test_it_hears_the_token_before_the_session(alice: User, charlie: User) -> None:
    browser = browser_of(charlie)
    answer = browser.get(VOICES, headers={"authorization": f"Bearer {token_of(alice)}"})
    assert answer.json()["who"] == "alice@example.com"


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def last_use(user: User) -> Any:
    return ApiToken.objects.get(owner=user).last_used_at
