"""What is left of the minute, at every address of the other dialects: in each answer, in its own words when nothing is."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.urls import get_resolver
from rest_framework.test import APIClient

from synthesis.dialect_api import DialectView
from tests.cast import token_of
from voiceclone_site.accounts.models import User
from voiceclone_site.accounts.services import issue_token

LIMIT, LEFT = "X-RateLimit-Limit", "X-RateLimit-Remaining"


def addresses() -> Iterator[str]:
    for outer in get_resolver().url_patterns:
        for inner in getattr(outer, "url_patterns", []):
            view = getattr(getattr(inner, "callback", None), "cls", None)
            address = "/" + re.sub(r"<[^>]+>", "nobody", f"{outer.pattern}{inner.pattern}")
            # Those with a prefix are the same views once more.
            if (
                view is not None
                and issubclass(view, DialectView)
                and not address.startswith(("/openai", "/elevenlabs"))
            ):
                yield address


def program(key: str, address: str) -> APIClient:
    client = APIClient()
    of_openai = address.startswith(("/openai/", "/v1/audio/"))
    client.credentials(**({"HTTP_AUTHORIZATION": f"Bearer {key}"} if of_openai else {"HTTP_XI_API_KEY": key}))
    return client


@pytest.mark.parametrize(
    "scopes", [["voices:read", "voices:write", "speech", "jobs:read", "usage:read"], ["tokens:read"]]
)
def test_every_answer_says_what_is_left(alice: User, scopes: list[str]) -> None:
    key = token_of(alice, scopes=scopes)
    asked, came = 0, set()
    for address in addresses():
        for method in ("get", "delete", "put"):
            answer = getattr(program(key, address), method)(address)
            asked += 1
            came.add(answer.status_code)
            assert answer.has_header(LEFT), f"{method} {address}"
            assert (answer[LIMIT], answer[f"{LEFT}-Requests"]) == ("600", answer[LEFT])
            assert 0 < int(answer[LEFT]) < 600
            assert re.fullmatch(r"\d+s", answer["X-RateLimit-Reset-Requests"])
    assert asked > 45
    assert came >= {200, 405}
    assert ("speech" in scopes) != (403 in came)


def test_whoever_is_too_fast_is_told_when_to_come_again(alice: User) -> None:
    for address in ("/v1/audio/voices", "/openai/v1/models", "/v1/voices", "/v2/voices", "/elevenlabs/v1/models"):
        _row, token = issue_token(alice, name="slow", scopes=["voices:read"], expires_at=None, requests_per_minute=1)
        client = program(token.text, address)
        answers = [client.get(address) for _request in range(3)]  # a minute may end in between
        assert answers[0].status_code == 200
        refused = next(answer for answer in answers if answer.status_code != 200)
        assert (refused.status_code, refused[LIMIT], refused[LEFT]) == (429, "1", "0")
        assert 1 <= int(refused["Retry-After"]) <= 60
        if "error" in refused.json():
            error = refused.json()["error"]
            assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
        else:
            assert refused.json()["detail"]["status"] == "rate_limit_exceeded"
