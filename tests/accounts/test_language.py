from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tests.cast import browser_of
from voiceclone_site.accounts.models import User


def language_of(browser: Client, *, asks_for: str | None = None) -> str:
    headers = {"accept-language": asks_for} if asks_for is not None else {}
    return browser.get("/accounts/login/", headers=headers)["Content-Language"]


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize(
    ("asks_for", "gets"),
    [
        ("", "zh-hans"),
        ("en-GB,en;q=0.8", "en"),
        ("zh-CN", "zh-hans"),
        ("fr", "zh-hans"),
        ("fr, en;q=0.5", "en"),
        ("*", "zh-hans"),
        (";;;garbage===", "zh-hans"),
    ],
)
def test_it_speaks_what_the_browser_asks_for_else_chinese(asks_for: str, gets: str) -> None:
    assert language_of(Client(), asks_for=asks_for) == gets


def test_it_remembers_the_choice_of_a_visitor(visitor: Client) -> None:
    visitor.post("/language/", {"language": "zh-hans"})
    assert language_of(visitor) == "zh-hans"


def test_it_remembers_the_choice_of_a_person_in_every_browser(alice: User, alice_client: Client) -> None:
    alice_client.post("/language/", {"language": "zh-hans"})
    assert alice_client.get("/account/")["Content-Language"] == "zh-hans"
    assert browser_of(alice).get("/account/")["Content-Language"] == "zh-hans"


def test_it_forgets_nobody_elses_choice(alice: User, charlie_client: Client) -> None:
    charlie_client.post("/language/", {"language": "zh-hans"})
    alice.refresh_from_db()
    assert alice.language == ""


def test_it_returns_to_where_one_was(visitor: Client) -> None:
    answer = visitor.post("/language/", {"language": "en", "next": "/accounts/signup/?next=/voices/"})
    assert answer["Location"] == "/accounts/signup/?next=/voices/"
    answer = visitor.post("/language/", {"language": "en"}, headers={"referer": "http://testserver/accounts/login/"})
    assert answer["Location"] == "http://testserver/accounts/login/"


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "\\\\evil", ""]
)
def test_it_never_leads_to_another_site(visitor: Client, elsewhere: str) -> None:
    answer = visitor.post("/language/", {"language": "en", "next": elsewhere})
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_it_ignores_a_language_we_do_not_speak(visitor: Client) -> None:
    visitor.post("/language/", {"language": "tlh"})
    assert language_of(visitor) == "en"


def test_it_changes_nothing_by_a_mere_visit(visitor: Client) -> None:
    assert visitor.get("/language/", {"language": "zh-hans"}).status_code == 405


@pytest.mark.usefixtures("db")
def test_it_asks_the_database_nothing_for_a_visitor(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        Client().get("/livez")


def test_it_tells_caches_that_the_answer_depends_on_the_reader(visitor: Client) -> None:
    assert "Accept-Language" in visitor.get("/accounts/login/")["Vary"]
