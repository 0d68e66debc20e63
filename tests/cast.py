"""Who appears in the tests: Alice owns, Charlie is a stranger, Dana is staff. All of them read English.

Each has a browser (`alice_client`), and Alice and Charlie a program with a token of all scopes (`alice_api`).
"""

from __future__ import annotations

from collections.abc import Collection

import pytest
from django.test import Client
from rest_framework.test import APIClient

from voiceclone_site.accounts.models import User
from voiceclone_site.accounts.scopes import Scope
from voiceclone_site.accounts.services import issue_token

PASSWORD = "kettle-under-the-bridge"
ENGLISH = {"accept-language": "en"}


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_user("alice@example.com", PASSWORD, display_name="Alice")


@pytest.fixture
def charlie(db: None) -> User:
    return User.objects.create_user("charlie@example.com", PASSWORD, display_name="Charlie")


@pytest.fixture
def dana(db: None) -> User:
    return User.objects.create_superuser("dana@example.com", PASSWORD, display_name="Dana")


@pytest.fixture
def visitor(db: None) -> Client:
    """A browser that nobody has logged in with."""
    return Client(headers=ENGLISH)


@pytest.fixture
def alice_client(alice: User) -> Client:
    return browser_of(alice)


@pytest.fixture
def charlie_client(charlie: User) -> Client:
    return browser_of(charlie)


@pytest.fixture
def dana_client(dana: User) -> Client:
    return browser_of(dana)


@pytest.fixture
def alice_api(alice: User) -> APIClient:
    return program_with(token_of(alice))


@pytest.fixture
def charlie_api(charlie: User) -> APIClient:
    return program_with(token_of(charlie))


@pytest.fixture
def nobody_api(db: None) -> APIClient:
    """A program without a token."""
    return program_with("")


def browser_of(user: User) -> Client:
    client = Client(headers=ENGLISH)
    client.force_login(user)
    return client


def token_of(user: User, *, scopes: Collection[str] = tuple(Scope.values)) -> str:
    _row, token = issue_token(user, name="a test", scopes=scopes, expires_at=None)
    return token.text


def program_with(token: str) -> APIClient:
    client = APIClient(headers=ENGLISH)
    if token:
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client
