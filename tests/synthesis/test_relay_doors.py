"""What a token may, at the relay's doors: the same as at Django's, in each dialect's words."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from synthesis.models import SynthesisJob
from tests.front import Answer, Portal
from voiceclone_site.accounts.models import User
from voiceclone_site.accounts.services import issue_token
from voices import books, plans
from voices.models import VoiceClone

pytestmark = pytest.mark.usefixtures("db")

WEATHER = "今天天气怎么样？"
DIALECTS = ("native", "openai", "elevenlabs")
HERE, ELSEWHERE = "127.0.0.0/8", "192.0.2.0/24"


def bound(user: User, **changes: Any) -> str:
    wanted: dict[str, Any] = {"name": "a test", "scopes": ["speech"], "expires_at": None}
    _row, token = issue_token(user, **(wanted | changes))
    return token.text


def ask(portal: Portal, dialect: str, voice: VoiceClone, *, token: str, **headers: str) -> Answer:
    """Heard to its end, and settled: the next question has the test's one connection to itself."""
    path, body = {
        "native": ("/api/v1/speech", {"voice": str(voice.pk), "text": WEATHER}),
        "openai": ("/v1/audio/speech", {"model": "tts-1", "voice": str(voice.pk), "input": WEATHER}),
        "elevenlabs": (f"/v1/text-to-speech/{voice.pk}", {"text": WEATHER}),
    }[dialect]
    answer = portal.ask(
        path, body, token=token, headers={name.replace("_", "-"): said for name, said in headers.items()}
    )
    portal.until_quiet()
    return answer


def code_of(dialect: str, answer: Answer) -> str:
    body = answer.json()
    return str(body["detail"]["status"] if dialect == "elevenlabs" else body["error"]["code"])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_token_opens_from_its_addresses_alone(
    portal: Portal, alice: User, ready_voice: VoiceClone, dialect: str
) -> None:
    assert ask(portal, dialect, ready_voice, token=bound(alice, addresses=[HERE])).status == 200
    refused = ask(portal, dialect, ready_voice, token=bound(alice, addresses=[ELSEWHERE]))
    assert refused.status == 403
    assert refused.json()
    portal.until_quiet()
    assert SynthesisJob.objects.count() == 1


def test_only_a_proxy_that_is_known_is_believed(
    portal: Portal, alice: User, ready_voice: VoiceClone, settings: Settings
) -> None:
    token = bound(alice, addresses=[ELSEWHERE])
    assert ask(portal, "native", ready_voice, token=token, X_Forwarded_For="192.0.2.7").status == 403
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    assert ask(portal, "native", ready_voice, token=token, X_Forwarded_For="10.0.0.1, 192.0.2.7").status == 200
    assert ask(portal, "native", ready_voice, token=token, X_Forwarded_For="192.0.2.7, 10.0.0.1").status == 403


@pytest.mark.parametrize("dialect", DIALECTS)
def test_it_says_what_is_left_of_the_minute_and_refuses_what_is_beyond(
    portal: Portal, alice: User, ready_voice: VoiceClone, dialect: str
) -> None:
    token = bound(alice, requests_per_minute=1)
    first, second = (ask(portal, dialect, ready_voice, token=token) for _request in range(2))
    assert (first.status, first.headers["x-ratelimit-limit"], first.headers["x-ratelimit-remaining"]) == (200, "1", "0")
    assert first.headers["ratelimit"].startswith('"minute";r=0;t=')
    assert second.status == 429
    assert code_of(dialect, second) == {"native": "throttled"}.get(dialect, "rate_limit_exceeded")
    assert 1 <= int(second.headers["retry-after"]) <= 60
    assert second.headers["x-ratelimit-remaining"] == "0"
    portal.until_quiet()
    assert SynthesisJob.objects.count() == 1


@pytest.mark.parametrize(
    ("dialect", "status", "refusal"),
    [
        ("native", 429, {"code": "token_characters_exhausted", "action": "user", "retryable": True}),
        ("openai", 429, {"code": "insufficient_quota", "type": "insufficient_quota", "param": None}),
        ("elevenlabs", 401, {"status": "quota_exceeded"}),
    ],
)
def test_a_token_speaks_as_much_as_its_budget_has(
    portal: Portal, alice: User, ready_voice: VoiceClone, dialect: str, status: int, refusal: dict[str, Any]
) -> None:
    row, token = issue_token(alice, name="a test", scopes=["speech"], expires_at=None, characters_per_month=20)
    assert ask(portal, dialect, ready_voice, token=token.text).status == 200
    refused = ask(portal, dialect, ready_voice, token=token.text)
    body = refused.json()
    told = body["detail" if dialect == "elevenlabs" else "error"]
    assert (refused.status, {name: told[name] for name in refusal}) == (status, refusal)
    assert "5 of the 20" in told["message"]
    assert int(refused.headers["retry-after"]) > 0
    assert ask(portal, dialect, ready_voice, token=bound(alice)).status == 200
    plans.change_budget(row, by=alice, characters_per_month=30)
    assert ask(portal, dialect, ready_voice, token=token.text).status == 200
    assert SynthesisJob.objects.filter(token=row).count() == 2
    assert books.discrepancies() == []


def test_what_is_refused_for_its_text_is_counted_too(portal: Portal, alice: User, ready_voice: VoiceClone) -> None:
    token = bound(alice, requests_per_minute=1)
    assert portal.ask("/api/v1/speech", b"{", token=token).headers["x-ratelimit-remaining"] == "0"
    assert ask(portal, "native", ready_voice, token=token).status == 429


def test_what_is_accepted_chooses_the_format(portal: Portal, alice: User, ready_voice: VoiceClone) -> None:
    token = bound(alice)
    for kind, begins in (("audio/mpeg", b""), ("audio/flac", b"fLaC")):
        answer = ask(portal, "native", ready_voice, token=token, Accept=kind)
        assert (answer.status, answer.headers["content-type"]) == (200, kind)
        assert answer.body.startswith(begins)


def test_what_it_answers_stands_in_the_metrics(
    portal: Portal, alice: User, ready_voice: VoiceClone, dana_client: Client
) -> None:
    assert ask(portal, "native", ready_voice, token=bound(alice)).status == 200
    assert ask(portal, "native", ready_voice, token="").status == 401
    told = dana_client.get("/metrics").content.decode()
    for status in (200, 401):
        assert f'voiceclone_http_request_seconds_count{{method="POST",status="{status}",view="speech native"}}' in told
