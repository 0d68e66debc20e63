from __future__ import annotations

import stat
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from voiceclone_site.accounts import tokens
from voiceclone_site.accounts.models import ApiToken, User
from voiceclone_site.accounts.scopes import Scope
from voiceclone_site.accounts.services import check_token

pytestmark = pytest.mark.django_db


def printed_by(*command: str) -> str:
    out = StringIO()
    call_command(*command, stdout=out)
    return out.getvalue()


def create_token(*arguments: str) -> ApiToken:
    printed = printed_by("create_token", *arguments)
    assert printed == tokens.parse(printed.strip()).text + "\n"
    return check_token(printed.strip())


def test_it_prints_a_token_and_nothing_else(alice: User) -> None:
    row = create_token("--user", "Alice@example.com", "--name", "ci")
    assert (row.owner, row.name, row.scopes, row.expires_at) == (alice, "ci", Scope.values, None)


@pytest.mark.parametrize(
    "scopes", [["--scopes", "speech,voices:read"], ["--scopes", "speech", "--scopes", "voices:read"]]
)
def test_it_gives_only_the_scopes_that_were_named(alice: User, scopes: list[str]) -> None:
    row = create_token("--user", "alice@example.com", "--name", "ci", *scopes)
    assert row.scopes == ["voices:read", "speech"]


def test_it_gives_the_token_an_end(alice: User) -> None:
    row = create_token("--user", "alice@example.com", "--name", "ci", "--expires-days", "7")
    assert row.expires_at is not None
    assert timedelta(days=6) < row.expires_at - timezone.now() <= timedelta(days=7)


def test_it_makes_the_user_when_told_to() -> None:
    row = create_token("--user", "Frank@example.com", "--name", "ci", "--create-user")
    assert row.owner.email == "frank@example.com"
    assert not row.owner.has_usable_password()
    create_token("--user", "frank@example.com", "--name", "again", "--create-user")
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--user", "nobody@example.com", "--name", "ci"], "add --create-user"),
        (["--user", "nobody", "--name", "ci", "--create-user"], "is no e-mail address"),
        (["--user", "new@example.com", "--name", "ci", "--create-user", "--scopes", "admin"], "“admin”.*voices:read"),
        (["--user", "new@example.com", "--name", "", "--create-user"], "--user EMAIL --name NAME"),
        (["--name", "ci"], "--user EMAIL --name NAME"),
        (["--user", "new@example.com", "--name", "ci", "--create-user", "--expires-days", "0"], "give 1 or more"),
    ],
)
def test_it_says_what_to_do_and_leaves_nothing_behind(arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence) as refused:
        printed_by("create_token", *arguments)
    assert refused.value.returncode == 1
    assert not User.objects.exists()
    assert not ApiToken.objects.exists()


def test_it_makes_the_first_logins_and_keeps_them_privately(settings: Settings, visitor: Client) -> None:
    printed = printed_by("create_demo_user")
    kept = Path(settings.DATA_DIR) / "demo_login.txt"
    assert kept.read_text() == printed
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    for line in printed.splitlines():
        email, password = line.split()[-2:]
        answer = visitor.post("/accounts/login/", {"login": email, "password": password, "next": "/account/"})
        assert answer["Location"] == "/account/"
        assert visitor.get("/admin/").status_code == (200 if email.startswith("admin@") else 302)
        visitor.cookies.clear()


def test_it_makes_the_first_logins_only_once(settings: Settings) -> None:
    first = printed_by("create_demo_user")
    assert printed_by("create_demo_user") == ""
    assert (Path(settings.DATA_DIR) / "demo_login.txt").read_text() == first
    assert User.objects.count() == 2


def test_it_changes_no_password_when_the_file_was_removed(settings: Settings) -> None:
    printed_by("create_demo_user")
    before = User.objects.get(email="demo@voiceclone.local").password
    (Path(settings.DATA_DIR) / "demo_login.txt").unlink()
    assert printed_by("create_demo_user") == ""
    assert User.objects.get(email="demo@voiceclone.local").password == before


def test_it_does_not_bring_a_removed_demo_login_back() -> None:
    printed_by("create_demo_user")
    User.objects.get(email="demo@voiceclone.local").delete()
    assert printed_by("create_demo_user") == ""
    assert User.objects.count() == 1


def test_it_makes_new_logins_for_a_new_database(settings: Settings) -> None:
    (Path(settings.DATA_DIR) / "demo_login.txt").write_text("of a database that is gone\n")
    printed = printed_by("create_demo_user")
    assert (Path(settings.DATA_DIR) / "demo_login.txt").read_text() == printed
