"""The schema: whole, valid, and true of the views it describes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import get_resolver
from rest_framework.test import APIClient

from voiceclone_site.accounts.permissions import scope_for
from voiceclone_site.accounts.scopes import ANY, Scope, StaffScope

METHODS = ("get", "post", "patch", "delete")


@pytest.fixture
def schema(visitor: Client) -> dict[str, Any]:
    answer = visitor.get("/api/schema/?format=json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def api_views() -> Iterator[tuple[str, type]]:
    for pattern in get_resolver().url_patterns:
        for inner in getattr(pattern, "url_patterns", [pattern]):
            view = getattr(getattr(inner, "callback", None), "cls", None)
            route = f"{pattern.pattern}{inner.pattern if inner is not pattern else ''}"
            if view is not None and route.startswith("api/v1/"):
                yield route, view


def operations(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, found in schema["paths"].items():
        for method in METHODS:
            if method in found:
                yield f"{method} {path}", found[method]


def test_it_is_valid_and_nothing_in_it_is_guessed() -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, file="/dev/null")


def test_it_describes_every_address_once_and_without_a_slash(schema: dict[str, Any]) -> None:
    described = set(schema["paths"])
    routed = {
        f"/{route}".replace("<uuid:pk>", "{id}")
        .replace("<int:pk>", "{id}")
        .replace("<slug:slug>", "{slug}")
        .replace("<uuid:delivery>", "{delivery}")
        .replace("<int:number>", "{number}")
        for route, _view in api_views()
    }
    assert described == routed
    assert not any(path.endswith("/") for path in described)


def test_it_declares_a_scope_that_exists_for_every_method() -> None:
    declared = 0
    for route, view in api_views():
        for method in METHODS:
            if hasattr(view, method):
                assert scope_for(view, method.upper()) in {ANY, *Scope.values, *StaffScope.values}, f"{method} {route}"
                declared += 1
    assert declared >= 18


def test_it_says_what_every_operation_does_and_how_it_is_refused(schema: dict[str, Any]) -> None:
    for name, operation in operations(schema):
        assert operation["summary"], name
        assert {"401", "403", "default"} <= set(operation["responses"]), name
        assert ("404" in operation["responses"]) == ("{" in name), name
        assert {"token": []} in operation["security"], name
        for response in operation["responses"].values():
            assert "X-Request-Id" in response["headers"], name


def test_it_describes_the_errors_that_are_given(schema: dict[str, Any], nobody_api: APIClient) -> None:
    described = schema["components"]["schemas"]["Error"]["properties"]["error"]
    given = nobody_api.get("/api/v1/voices").json()["error"]
    assert set(described["required"]) <= set(given) <= set(described["properties"])


def test_it_describes_audio_as_bytes(schema: dict[str, Any]) -> None:
    for path, method in (
        ("/api/v1/speech", "post"),
        ("/api/v1/jobs/{id}/audio", "get"),
        ("/api/v1/voices/{id}/sample", "get"),
    ):
        body = schema["paths"][path][method]["responses"]["200"]["content"]["audio/*"]["schema"]
        assert body == {"type": "string", "format": "binary"}


def test_it_describes_the_answers_that_are_given(schema: dict[str, Any], alice_api: APIClient) -> None:
    for path in ("/api/v1/me", "/api/v1/usage", "/api/v1/providers"):
        described = schema["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
        component = schema["components"]["schemas"][described.rpartition("/")[2]]
        assert set(alice_api.get(path).json()) == set(component["properties"])


def test_it_is_shown_in_a_page_that_loads_nothing_from_elsewhere(visitor: Client) -> None:
    page = visitor.get("/api/docs/")
    assert page.status_code == 200
    assert b"swagger-ui" in page.content
    assert b"https://" not in page.content
    script = visitor.get("/api/docs/?script=")
    assert b"https://" not in script.content


# --- /api/v1/me ------------------------------------------------------------------------------------------------------


def test_it_says_whose_token_it_is(alice_api: APIClient) -> None:
    me = alice_api.get("/api/v1/me").json()
    assert (me["email"], me["display_name"]) == ("alice@example.com", "Alice")
    assert me["token"]["name"] == "a test"
    assert me["token"]["scopes"] == list(Scope.values)
    assert "digest" not in me["token"]


def test_it_says_that_a_browser_has_no_token(alice_client: Client) -> None:
    assert alice_client.get("/api/v1/me").json()["token"] is None


def test_it_tells_a_stranger_nothing(nobody_api: APIClient) -> None:
    assert nobody_api.get("/api/v1/me").status_code == 401
