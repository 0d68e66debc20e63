from __future__ import annotations

from django.test import Client

from voiceclone_site.accounts.models import User


def test_it_saves_name_and_language(alice: User, alice_client: Client) -> None:
    page = alice_client.post("/account/", {"display_name": "Alice Liu", "language": "en"}, follow=True)
    alice.refresh_from_db()
    assert (alice.display_name, alice.language) == ("Alice Liu", "en")
    assert "Saved." in page.content.decode()


def test_it_lets_the_browser_decide_again(alice: User, alice_client: Client) -> None:
    User.objects.filter(pk=alice.pk).update(language="zh-hans")
    alice_client.post("/account/", {"display_name": "", "language": ""})
    alice.refresh_from_db()
    assert alice.language == ""
    assert alice_client.get("/account/")["Content-Language"] == "en"


def test_it_refuses_a_language_we_do_not_speak(alice: User, alice_client: Client) -> None:
    page = alice_client.post("/account/", {"display_name": "A", "language": "tlh"})
    assert "tlh is not one of the available choices" in page.content.decode()
    alice.refresh_from_db()
    assert alice.display_name == "Alice"


def test_it_changes_nobody_but_oneself(alice: User, charlie_client: Client) -> None:
    charlie_client.post("/account/", {"display_name": "Mallory", "language": "en", "id": alice.pk, "is_staff": "on"})
    alice.refresh_from_db()
    assert alice.display_name == "Alice"
    assert not User.objects.get(email="charlie@example.com").is_staff


def test_it_writes_a_name_as_text(alice_client: Client) -> None:
    alice_client.post("/account/", {"display_name": "<script>alert(1)</script>", "language": "en"})
    page = alice_client.get("/account/").content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page
