from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tests.cast import program_with, token_of
from voiceclone_site.accounts.models import ApiToken, User
from voiceclone_site.accounts.services import issue_token

TOKENS = "/account/tokens/"
ORDER = {"name": "my script", "scopes": ["voices:read", "speech"], "lifetime": "30"}


def test_it_shows_a_new_token_once_and_never_again(alice_client: Client) -> None:
    made = alice_client.post(TOKENS, ORDER)
    shown = re.findall(r"vcp_[0-9A-Za-z]{8}_[0-9A-Za-z]{49}", made.content.decode())
    assert len(shown) == 1
    assert "no-store" in made["Cache-Control"]
    later = alice_client.get(TOKENS).content.decode()
    assert "my script" in later
    assert shown[0] not in later
    assert shown[0][:12] in later


@pytest.mark.urls("tests.accounts.probe")
def test_it_makes_a_token_that_works_with_the_scopes_that_were_ticked(alice_client: Client) -> None:
    page = alice_client.post(TOKENS, ORDER).content.decode()
    match = re.search(r"vcp_[0-9A-Za-z]{8}_[0-9A-Za-z]{49}", page)
    assert match
    program = program_with(match[0])
    assert program.get("/api/v1/probe/voices").status_code == 200
    assert program.post("/api/v1/probe/voices").status_code == 403


def test_it_gives_the_token_the_end_that_was_chosen(alice_client: Client) -> None:
    alice_client.post(TOKENS, ORDER)
    alice_client.post(TOKENS, {**ORDER, "name": "for ever", "lifetime": ""})
    expires_at = ApiToken.objects.get(name="my script").expires_at
    assert expires_at is not None
    assert timedelta(days=29) < expires_at - timezone.now() <= timedelta(days=30)
    assert ApiToken.objects.get(name="for ever").expires_at is None


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "x" * 61}, "at most 60 characters"),
        ({"scopes": []}, "This field is required."),
        ({"scopes": ["everything"]}, "everything is not one of the available choices."),
        ({"lifetime": "-3"}, "-3 is not one of the available choices."),
    ],
)
def test_it_makes_none_from_a_form_that_is_wrong(alice_client: Client, wrong: dict[str, object], sentence: str) -> None:
    page = alice_client.post(TOKENS, {**ORDER, **wrong}).content.decode()
    assert sentence in page
    assert not ApiToken.objects.exists()


def test_it_refuses_a_name_of_blanks(alice_client: Client) -> None:
    alice_client.post(TOKENS, {**ORDER, "name": "   "})
    assert not ApiToken.objects.exists()


@pytest.mark.urls("tests.accounts.probe")
def test_it_revokes_a_token_after_asking(alice: User, alice_client: Client) -> None:
    row, token = issue_token(alice, name="old laptop", scopes=["voices:read"], expires_at=None)
    address = f"/account/tokens/{row.pk}/revoke/"
    assert "old laptop" in alice_client.get(address).content.decode()
    assert program_with(token.text).get("/api/v1/probe/voices").status_code == 200
    page = alice_client.post(address, follow=True).content.decode()
    assert "“old laptop” is revoked" in page
    assert program_with(token.text).get("/api/v1/probe/voices").status_code == 401


def test_it_keeps_the_first_time_when_a_token_is_revoked_twice(alice: User, alice_client: Client) -> None:
    row, _token = issue_token(alice, name="old laptop", scopes=["speech"], expires_at=None)
    alice_client.post(f"/account/tokens/{row.pk}/revoke/")
    first = ApiToken.objects.get().revoked_at
    alice_client.post(f"/account/tokens/{row.pk}/revoke/")
    assert ApiToken.objects.get().revoked_at == first


def test_it_hides_tokens_from_a_stranger(alice: User, charlie_client: Client) -> None:
    token_of(alice)
    row = ApiToken.objects.get()
    assert row.prefix not in charlie_client.get(TOKENS).content.decode()
    address = f"/account/tokens/{row.pk}/revoke/"
    assert charlie_client.get(address).status_code == 404
    assert charlie_client.post(address).status_code == 404
    row.refresh_from_db()
    assert row.revoked_at is None


def test_it_hides_tokens_from_staff_too(alice: User, dana_client: Client) -> None:
    token_of(alice)
    assert dana_client.get(f"/account/tokens/{ApiToken.objects.get().pk}/revoke/").status_code == 404


@pytest.mark.parametrize("address", [TOKENS, "/account/tokens/1/revoke/", "/account/"])
def test_it_sends_a_visitor_to_log_in(visitor: Client, address: str) -> None:
    answer = visitor.get(address)
    assert answer.status_code == 302
    assert answer["Location"] == f"/accounts/login/?next={address}"


def test_it_says_which_tokens_no_longer_work(alice: User, alice_client: Client) -> None:
    row, _token = issue_token(alice, name="short", scopes=["speech"], expires_at=timezone.now() + timedelta(days=1))
    assert "expired" not in alice_client.get(TOKENS).content.decode()
    ApiToken.objects.filter(pk=row.pk).update(expires_at=timezone.now() - timedelta(days=1))
    assert "expired" in alice_client.get(TOKENS).content.decode()
