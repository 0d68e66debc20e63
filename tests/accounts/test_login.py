from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from pytest_django import Settings

from tests.cast import ENGLISH, PASSWORD
from voiceclone_site.accounts.models import User

LOGIN = "/accounts/login/"
NEW_PASSWORD = "a-lantern-on-the-river"
WRONG = "The email address and/or password you specified are not correct."


def log_in(
    browser: Client, *, password: str = PASSWORD, email: str = "alice@example.com", next_to: str = "/account/"
) -> Any:
    return browser.post(LOGIN, {"login": email, "password": password, "next": next_to})


def test_it_logs_in_by_email_and_goes_where_one_was_heading(alice: User, visitor: Client) -> None:
    answer = log_in(visitor)
    assert answer.status_code == 302
    assert answer["Location"] == "/account/"
    assert "alice@example.com" in visitor.get("/account/").content.decode()


def test_it_does_not_mind_how_the_letters_of_an_address_are_typed(alice: User, visitor: Client) -> None:
    assert log_in(visitor, email="Alice@Example.COM").status_code == 302


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_it_never_leads_to_another_site(alice: User, visitor: Client, settings: Settings, elsewhere: str) -> None:
    settings.LOGIN_REDIRECT_URL = "/account/"
    assert log_in(visitor, next_to=elsewhere)["Location"] == "/account/"


@pytest.mark.parametrize("email", ["alice@example.com", "nobody@example.com"])
def test_it_says_the_same_for_a_wrong_password_and_an_unknown_address(alice: User, visitor: Client, email: str) -> None:
    answer = log_in(visitor, email=email, password="not-the-password")
    assert answer.status_code == 200
    assert WRONG in answer.content.decode()
    assert visitor.get("/account/").status_code == 302


def test_it_locks_the_door_after_repeated_failures(alice: User, visitor: Client) -> None:
    for _time in range(5):
        assert WRONG in log_in(visitor, password="guess").content.decode()
    page = log_in(visitor).content.decode()
    assert "Too many failed login attempts. Try again later." in page
    assert visitor.get("/account/").status_code == 302


def test_it_shares_the_lock_among_processes_through_the_files_of_the_cache(
    alice: User, visitor: Client, settings: Settings, tmp_path: Path
) -> None:
    backend = "django.core.cache.backends.filebased.FileBasedCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": tmp_path / "cache"}}
    for _time in range(5):
        log_in(visitor, password="guess")
    # another process would see what lies in the files and nothing else
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": str(tmp_path / "cache")}}
    assert "Too many failed login attempts" in log_in(Client(headers=ENGLISH)).content.decode()


def test_it_lets_others_in_while_one_door_is_locked(alice: User, charlie: User, visitor: Client) -> None:
    for _time in range(6):
        log_in(visitor, password="guess")
    other = Client(headers=ENGLISH, REMOTE_ADDR="203.0.113.9")
    assert log_in(other, email="charlie@example.com").status_code == 302


def test_it_locks_the_admins_door_with_the_same_key(dana: User, visitor: Client) -> None:
    for _time in range(5):
        log_in(visitor, email="dana@example.com", password="guess")
    answer = visitor.get("/admin/login/", {"next": "/admin/"})
    assert answer["Location"].startswith(LOGIN)
    page = visitor.post(answer["Location"], {"login": "dana@example.com", "password": PASSWORD}).content.decode()
    assert "Too many failed login attempts" in page


def test_it_does_not_believe_a_forwarded_address_from_just_anybody(alice: User, visitor: Client) -> None:
    for number in range(10):
        visitor.post(
            LOGIN,
            {"login": f"guess{number}@example.com", "password": "guess"},
            headers={"x-forwarded-for": f"198.51.100.{number}"},
        )
    assert "Too many failed login attempts" in log_in(visitor, password="guess").content.decode()


def test_it_turns_away_a_closed_account_with_a_sentence(alice: User, visitor: Client) -> None:
    alice.is_active = False
    alice.save()
    answer = visitor.post(LOGIN, {"login": "alice@example.com", "password": PASSWORD}, follow=True)
    assert "This account has been closed." in answer.content.decode()


def test_it_logs_out_only_by_a_form(alice_client: Client, settings: Settings) -> None:
    settings.ACCOUNT_LOGOUT_REDIRECT_URL = LOGIN
    assert alice_client.get("/accounts/logout/").status_code == 200
    assert alice_client.get("/account/").status_code == 200
    alice_client.post("/accounts/logout/")
    assert alice_client.get("/account/").status_code == 302


def test_it_signs_up_with_an_address_and_a_password(visitor: Client) -> None:
    answer = sign_up(visitor, email="Erin@Example.com")
    assert answer.status_code == 302
    assert User.objects.get(email="erin@example.com").check_password(NEW_PASSWORD)
    assert "erin@example.com" in visitor.get("/account/").content.decode()
    assert "/accounts/confirm-email/" in mail.outbox[0].body


def test_it_confirms_an_address_by_the_link_in_the_letter(visitor: Client) -> None:
    sign_up(visitor)
    link = link_in(mail.outbox[0].body)
    assert "erin@example.com" in visitor.get(link).content.decode()
    page = visitor.post(link, {"next": "/account/"}, follow=True).content.decode()
    assert "erin@example.com is confirmed." in page


def test_it_says_that_a_confirmation_link_is_broken(visitor: Client) -> None:
    page = visitor.get("/accounts/confirm-email/not-a-key/").content.decode()
    assert "This link no longer works" in page


@pytest.mark.parametrize(
    ("password", "again", "sentence"),
    [
        ("12345678", "12345678", "This password is too common."),
        (NEW_PASSWORD, "another", "You must type the same password each time."),
        ("", "", "This field is required."),
    ],
)
def test_it_says_what_is_wrong_with_a_password(visitor: Client, password: str, again: str, sentence: str) -> None:
    page = visitor.post(
        "/accounts/signup/", {"email": "erin@example.com", "password1": password, "password2": again}
    ).content.decode()
    assert sentence in page
    assert not User.objects.exists()


def test_it_does_not_tell_a_stranger_who_has_an_account(alice: User, visitor: Client) -> None:
    known = visitor.post("/accounts/password/reset/", {"email": "alice@example.com"})
    unknown = visitor.post("/accounts/password/reset/", {"email": "nobody@example.com"})
    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])


def test_it_resets_a_password_by_the_link_in_the_letter(alice: User, visitor: Client) -> None:
    form = visitor.get(reset_link(visitor), follow=True)
    page = visitor.post(form.request["PATH_INFO"], {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}, follow=True)
    assert "Your new password works from now on." in page.content.decode()
    assert WRONG in log_in(visitor).content.decode()
    assert log_in(visitor, password=NEW_PASSWORD).status_code == 302


def test_it_takes_a_reset_link_only_once(alice: User, visitor: Client) -> None:
    link = reset_link(visitor)
    form = visitor.get(link, follow=True)
    visitor.post(form.request["PATH_INFO"], {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})
    assert "This link no longer works" in Client(headers=ENGLISH).get(link, follow=True).content.decode()


def test_it_says_that_a_reset_link_has_expired(alice: User, visitor: Client, settings: Settings) -> None:
    link = reset_link(visitor)
    settings.PASSWORD_RESET_TIMEOUT = -1
    page = visitor.get(link, follow=True).content.decode()
    assert "This link no longer works" in page
    assert "/accounts/password/reset/" in page


def test_it_changes_a_password_only_for_who_knows_the_old_one(alice: User, alice_client: Client) -> None:
    form = {"oldpassword": "guess", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    page = alice_client.post("/accounts/password/change/", form).content.decode()
    assert "Please type your current password." in page
    alice_client.post("/accounts/password/change/", {**form, "oldpassword": PASSWORD})
    alice.refresh_from_db()
    assert alice.check_password(NEW_PASSWORD)


def test_it_moves_to_another_address(alice: User, visitor: Client) -> None:
    log_in(visitor)
    visitor.post("/accounts/email/", {"email": "alice@new.example", "action_add": ""})
    assert log_in(Client(headers=ENGLISH)).status_code == 302
    visitor.post(link_in(mail.outbox[-1].body), {"next": "/account/"})
    visitor.post("/accounts/email/", {"email": "alice@new.example", "action_primary": ""})
    visitor.post("/accounts/email/", {"email": "alice@example.com", "action_remove": ""})
    alice.refresh_from_db()
    assert alice.email == "alice@new.example"
    assert log_in(Client(headers=ENGLISH)).status_code == 200
    assert log_in(Client(headers=ENGLISH), email="alice@new.example").status_code == 302


def test_it_never_takes_the_only_address_away(alice: User, visitor: Client) -> None:
    log_in(visitor)
    visitor.post("/accounts/email/", {"email": "alice@example.com", "action_remove": ""})
    alice.refresh_from_db()
    assert alice.email == "alice@example.com"
    assert log_in(Client(headers=ENGLISH)).status_code == 302


def test_it_gives_nobody_an_address_of_somebody_else(alice: User, charlie: User, visitor: Client) -> None:
    log_in(visitor, email="charlie@example.com")
    page = visitor.post("/accounts/email/", {"email": "Alice@example.com", "action_add": ""}).content.decode()
    assert "already registered with this email address" in page
    visitor.post("/accounts/email/", {"email": "alice@example.com", "action_primary": ""})
    charlie.refresh_from_db()
    assert charlie.email == "charlie@example.com"


def test_it_writes_letters_in_the_language_of_the_reader(visitor: Client) -> None:
    visitor.post("/accounts/password/reset/", {"email": "nobody@example.com"})
    letter = mail.outbox[0]
    assert letter.subject == "No account with this address"
    assert "Voice Cloning Portal" in letter.body


@pytest.mark.parametrize(
    "address",
    ["/accounts/login/", "/accounts/signup/", "/accounts/password/reset/", "/accounts/password/reset/done/"],
)
def test_it_shows_a_visitor_the_doors(visitor: Client, address: str) -> None:
    answer = visitor.get(address)
    assert answer.status_code == 200
    assert "{%" not in answer.content.decode()


@pytest.mark.parametrize("address", ["/accounts/password/change/", "/accounts/email/", "/accounts/reauthenticate/"])
def test_it_shows_the_rest_only_to_who_is_logged_in(visitor: Client, alice_client: Client, address: str) -> None:
    assert visitor.get(address).status_code == 302
    assert alice_client.get(address).status_code in {200, 302}


def sign_up(browser: Client, *, email: str = "erin@example.com") -> Any:
    return browser.post(
        "/accounts/signup/",
        {"email": email, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "next": "/account/"},
    )


def reset_link(browser: Client) -> str:
    browser.post("/accounts/password/reset/", {"email": "alice@example.com"})
    return link_in(mail.outbox[-1].body)


def link_in(letter: str | Any) -> str:
    found = re.search(r"http://testserver(/\S+)", str(letter))
    assert found, letter
    return found[1]
