from __future__ import annotations

import pytest
from django.test import Client

from tests.cast import PASSWORD, token_of
from voiceclone_site.accounts.models import ApiToken, User


@pytest.mark.parametrize("model", ["schedule", "ormq", "success", "failure"])
def test_it_offers_staff_no_way_to_run_code_through_the_queue(dana_client: Client, model: str) -> None:
    assert dana_client.get(f"/admin/django_q/{model}/").status_code == 404
    assert "django_q" not in dana_client.get("/admin/").content.decode()


@pytest.mark.parametrize("address", ["/admin/", "/admin/accounts/user/", "/admin/accounts/apitoken/"])
def test_it_keeps_everybody_else_out(alice_client: Client, visitor: Client, address: str) -> None:
    assert visitor.get(address, follow=True).request["PATH_INFO"] == "/accounts/login/"
    assert alice_client.get(address, follow=True).status_code == 403


def test_it_shows_no_secret_of_a_token(alice: User, dana_client: Client) -> None:
    text = token_of(alice)
    row = ApiToken.objects.get()
    pages = dana_client.get("/admin/accounts/apitoken/").content.decode()
    pages += dana_client.get(f"/admin/accounts/apitoken/{row.pk}/change/").content.decode()
    assert row.shown_prefix in pages
    assert row.digest not in pages
    assert text not in pages


def test_it_makes_and_deletes_no_tokens(alice: User, dana_client: Client) -> None:
    token_of(alice)
    row = ApiToken.objects.get()
    assert dana_client.get("/admin/accounts/apitoken/add/").status_code == 403
    assert dana_client.post(f"/admin/accounts/apitoken/{row.pk}/delete/", {"post": "yes"}).status_code == 403


def test_it_revokes_tokens(alice: User, dana_client: Client) -> None:
    token_of(alice)
    row = ApiToken.objects.get()
    dana_client.post("/admin/accounts/apitoken/", {"action": "revoke", "_selected_action": [row.pk]})
    row.refresh_from_db()
    assert row.is_revoked


def test_it_lets_staff_find_add_and_close_people(alice: User, dana_client: Client) -> None:
    assert "alice@example.com" in dana_client.get("/admin/accounts/user/", {"q": "alice"}).content.decode()
    form = {"email": "Grace@example.com", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    dana_client.post("/admin/accounts/user/add/", form)
    grace = User.objects.get(email="grace@example.com")
    assert grace.check_password(PASSWORD)
    assert dana_client.get(f"/admin/accounts/user/{grace.pk}/change/").status_code == 200


def test_it_opens_the_door_to_the_new_address_when_staff_change_it(
    alice: User, dana_client: Client, visitor: Client
) -> None:
    visitor.post("/accounts/login/", {"login": "alice@example.com", "password": PASSWORD, "next": "/account/"})
    visitor.logout()
    form = {"email": "alice@new.example", "display_name": "Alice", "language": "", "is_active": "on"}
    assert dana_client.post(f"/admin/accounts/user/{alice.pk}/change/", form).status_code == 302
    old = visitor.post("/accounts/login/", {"login": "alice@example.com", "password": PASSWORD, "next": "/account/"})
    assert old.status_code == 200
    new = visitor.post("/accounts/login/", {"login": "alice@new.example", "password": PASSWORD, "next": "/account/"})
    assert new.status_code == 302
