"""How often each endpoint and each page asks the database: a constant for each, whatever it holds.

Both tables are held against every address of the site: one that is new and stands in neither fails here. The request's own token or
session counts; what happens once a minute (the note of a token's use), once a day or a month (the first line of a meter) does not,
and neither do savepoints, nor whether a connection still lives, which PostgreSQL alone is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from synthesis.models import SynthesisJob
from tests.cast import program_with, token_of
from tests.crowd import FILE, TEXT, Crowd, crowd
from tests.front import Portal
from tests.recordings import WOMAN, recording
from voiceclone_site.accounts.models import ApiToken, User
from voiceclone_site.accounts.services import scopes_for
from voiceclone_site.speech.routes import ROUTES
from voices import leave
from voices.models import VoiceClone

MANY = 12
"""Enough for a query that is asked for each of them to be seen."""

ENDPOINTS: Mapping[str, int] = {
    "GET api/v1/providers": 2,
    "GET api/v1/providers/<slug:slug>/reading-texts": 1,
    "GET api/v1/voices": 3,
    "POST api/v1/voices": 18,
    "POST api/v1/voices/import": 12,
    "GET api/v1/voices/<uuid:pk>": 3,
    "PATCH api/v1/voices/<uuid:pk>": 7,
    "DELETE api/v1/voices/<uuid:pk>": 8,
    "GET api/v1/voices/<uuid:pk>/events": 4,
    "POST api/v1/voices/<uuid:pk>/retrain": 13,
    "GET api/v1/voices/<uuid:pk>/sample": 4,
    "GET api/v1/webhooks": 2,
    "POST api/v1/webhooks": 3,
    "GET api/v1/webhooks/<uuid:pk>": 2,
    "PATCH api/v1/webhooks/<uuid:pk>": 6,
    "DELETE api/v1/webhooks/<uuid:pk>": 6,
    "POST api/v1/webhooks/<uuid:pk>/secret": 3,
    "POST api/v1/webhooks/<uuid:pk>/replay": 6,
    "GET api/v1/webhooks/<uuid:pk>/deliveries": 4,
    "GET api/v1/webhooks/<uuid:pk>/deliveries/<uuid:delivery>": 3,
    "POST api/v1/webhooks/<uuid:pk>/deliveries/<uuid:delivery>/replay": 9,
    "GET api/v1/quota": 7,
    "GET api/v1/operate/users": 2,
    "GET api/v1/operate/users/<int:pk>/limits": 7,
    "PATCH api/v1/operate/users/<int:pk>/limits": 17,
    "GET api/v1/operate/plans": 2,
    "POST api/v1/operate/plans": 6,
    "PATCH api/v1/operate/plans/<int:pk>": 9,
    "GET api/v1/operate/accounts": 3,
    "PATCH api/v1/operate/accounts/<int:pk>": 9,
    "POST api/v1/speech": 10,
    "GET api/v1/jobs": 2,
    "POST api/v1/jobs": 7,
    "POST api/v1/jobs/batch": 12,
    "GET api/v1/jobs/<uuid:pk>": 2,
    "DELETE api/v1/jobs/<uuid:pk>": 9,
    "GET api/v1/jobs/<uuid:pk>/alignment": 2,
    "GET api/v1/jobs/<uuid:pk>/subtitles.srt": 2,
    "GET api/v1/jobs/<uuid:pk>/subtitles.vtt": 2,
    "GET api/v1/jobs/<uuid:pk>/audio": 2,
    "POST api/v1/jobs/<uuid:pk>/cancel": 14,
    "POST api/v1/jobs/<uuid:pk>/retry": 8,
    "GET api/v1/usage": 5,
    "GET api/v1/tokens": 3,
    "POST api/v1/tokens": 3,
    "GET api/v1/tokens/<int:number>": 3,
    "PATCH api/v1/tokens/<int:number>": 9,
    "DELETE api/v1/tokens/<int:number>": 3,
    "GET api/v1/me": 2,
    "GET v1/models": 2,
    "GET v1/models/<path:name>": 2,
    "GET v1/audio/models": 2,
    "GET v1/audio/voices": 3,
    "POST v1/audio/voices": 17,
    "GET v1/audio/voices/<str:pk>": 3,
    "DELETE v1/audio/voices/<str:pk>": 6,
    "GET v1/audio/voice_consents": 2,
    "POST v1/audio/voice_consents": 3,
    "GET v1/audio/voice_consents/<str:pk>": 2,
    "POST v1/audio/voice_consents/<str:pk>": 3,
    "DELETE v1/audio/voice_consents/<str:pk>": 4,
    "GET v2/voices": 4,
    "GET v1/voices": 3,
    "POST v1/voices/add": 17,
    "GET v1/voices/settings/default": 1,
    "GET v1/voices/<str:pk>": 3,
    "DELETE v1/voices/<str:pk>": 6,
    "POST v1/voices/<str:pk>/edit": 5,
    "GET v1/voices/<str:pk>/settings": 3,
    "POST v1/voices/<str:pk>/settings/edit": 4,
    "DELETE v1/voices/<str:pk>/samples/<str:sample>": 6,
    "GET v1/voices/<str:pk>/samples/<str:sample>/audio": 3,
    "GET v1/user": 4,
    "GET v1/user/subscription": 4,
    "GET v1/usage/character-stats": 3,
    "GET v1/history": 2,
    "POST v1/history/download": 2,
    "GET v1/history/<str:pk>": 2,
    "DELETE v1/history/<str:pk>": 9,
    "GET v1/history/<str:pk>/audio": 2,
}
"""As Django answers them; where the other dialects have two addresses, at both."""

SPEECH: Mapping[str, int] = {
    "POST api/v1/speech": 13,
    "POST v1/audio/speech": 13,
    "POST v1/text-to-speech/<str:pk>": 13,
    "POST v1/text-to-speech/<str:pk>/stream": 13,
    "POST v1/text-to-speech/<str:pk>/with-timestamps": 13,
    "POST v1/text-to-speech/<str:pk>/stream/with-timestamps": 13,
}
"""As the relay answers them, from the token to the closed books."""

PAGES: Mapping[str, int] = {
    "": 3,
    "dashboard/": 7,
    "voices/": 5,
    "voices/stock/": 5,
    "voices/new/": 4,
    "voices/new/texts/<slug:provider>/": 3,
    "voices/import/": 4,
    "voices/<uuid:pk>/": 6,
    "voices/<uuid:pk>/state/": 4,
    "voices/<uuid:pk>/recording/": 4,
    "speak/": 6,
    "history/": 4,
    "history/<uuid:pk>/": 4,
    "history/<uuid:pk>/state/": 3,
    "history/<uuid:pk>/progress/": 3,
    "history/<uuid:pk>/audio/": 3,
    "quota/": 12,
    "operate/limits/": 7,
    "operate/limits/<int:pk>/": 10,
    "webhooks/": 4,
    "webhooks/<uuid:pk>/": 6,
    "webhooks/<uuid:pk>/delete/": 4,
    "help/errors/": 3,
    "livez": 2,
    "account/": 3,
    "account/tokens/": 5,
    "account/tokens/<int:pk>/budget/": 5,
    "account/tokens/<int:pk>/revoke/": 4,
    "api/schema/": 2,
    "help/api/": 3,
    "help/api/<slug:slug>/": 3,
    "api/docs/": 2,
}
"""Of somebody who has logged in and is staff. Not here: the admin's, those of allauth, and what asks more than the database."""
ELSEWHERE = ("admin/", "accounts/", "samples/", "metrics", "readyz", "voices/<uuid:pk>/demo/")

FORM, JSON = "multipart", "json"
Asked = tuple[Any, str]
"""A body, and what it is sent as."""

BODIES: Mapping[str, Callable[[Crowd], Asked]] = {
    "POST api/v1/voices": lambda _crowd: ({"name": "Annie", "consent": "true", "sample": a_file()}, FORM),
    "POST api/v1/voices/import": lambda _crowd: (
        {"name": "Annie", "provider": "aliyun", "remote_id": "elsewhere-1", "consent": True},
        JSON,
    ),
    "PATCH api/v1/voices/<uuid:pk>": lambda _crowd: ({"name": "Anne"}, JSON),
    "POST api/v1/voices/<uuid:pk>/retrain": lambda _crowd: ({}, FORM),
    "POST api/v1/webhooks": lambda _crowd: ({"url": "https://example.com/", "events": ["job.done"]}, JSON),
    "PATCH api/v1/webhooks/<uuid:pk>": lambda _crowd: ({"enabled": False}, JSON),
    "POST api/v1/webhooks/<uuid:pk>/replay": lambda _crowd: ({"since": "2026-01-01T00:00:00Z"}, JSON),
    "PATCH api/v1/operate/users/<int:pk>/limits": lambda _crowd: ({"voices": 1000}, JSON),
    "POST api/v1/operate/plans": lambda _crowd: ({"name": "Another"}, JSON),
    "PATCH api/v1/operate/plans/<int:pk>": lambda _crowd: ({"voices": 1000}, JSON),
    "PATCH api/v1/operate/accounts/<int:pk>": lambda _crowd: ({"voice_cap": 1_000_001}, JSON),
    "POST api/v1/speech": lambda crowd: ({"voice": str(crowd.voice.pk), "text": TEXT}, JSON),
    "POST api/v1/jobs": lambda crowd: ({"voice": str(crowd.voice.pk), "text": TEXT}, JSON),
    "POST api/v1/jobs/batch": lambda crowd: ({"voice": str(crowd.voice.pk), "texts": [TEXT, TEXT]}, JSON),
    "POST api/v1/tokens": lambda _crowd: ({"name": "Another", "scopes": ["speech"]}, JSON),
    "PATCH api/v1/tokens/<int:number>": lambda _crowd: ({"characters_per_month": 1000}, JSON),
    "POST v1/audio/voices": lambda crowd: (
        {"name": "Annie", "audio_sample": a_file(), "consent": str(crowd.consent.pk)},
        FORM,
    ),
    "POST v1/audio/voice_consents": lambda _crowd: (
        {"name": "I agree", "language": "en-US", "recording": a_file()},
        FORM,
    ),
    "POST v1/audio/voice_consents/<str:pk>": lambda _crowd: ({"name": "I do agree"}, JSON),
    "POST v1/voices/add": lambda _crowd: (
        {"name": "Annie", "files": a_file(), "labels": '{"consent": "true", "language": "en"}'},
        FORM,
    ),
    "POST v1/voices/<str:pk>/edit": lambda _crowd: ({"name": "Anne"}, FORM),
    "POST v1/voices/<str:pk>/settings/edit": lambda _crowd: ({"speed": 1.1}, JSON),
    "POST v1/history/download": lambda crowd: (
        {"history_item_ids": [str(pk) for pk in spoken_by(crowd).values_list("pk", flat=True)]},
        JSON,
    ),
}
QUERY = {"GET api/v1/operate/users": "?email=alice@example.com"}
HEADERS = {"POST api/v1/speech": {"Idempotency-Key": "once"}}


def a_file() -> SimpleUploadedFile:
    return SimpleUploadedFile("annie.wav", recording(WOMAN))


def spoken_by(crowd: Crowd) -> Any:
    return SynthesisJob.objects.filter(owner=crowd.owner, state=SynthesisJob.State.SUCCESS)


def routes(patterns: Any = None, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every address of the site with its view."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, before + str(pattern.pattern))
        elif isinstance(pattern, URLPattern):
            yield before + str(pattern.pattern), pattern.callback


def asks_programs(route: str) -> bool:
    return re.match(r"(api/v1|(openai/|elevenlabs/)?v[12])/", route) is not None


def methods_of(view: Any) -> list[str]:
    of_class = getattr(view, "cls", None)
    if of_class is None:
        return ["GET"]
    declared = vars(of_class).get("allowed_methods")
    return list(declared or (each.upper() for each in of_class.http_method_names if hasattr(of_class, each)))


def without_alias(route: str) -> str:
    """The other dialects stand at two addresses each."""
    return re.sub(r"^(openai|elevenlabs)/", "", route)


def is_spoken(route: str) -> bool:
    """Whether the relay answers a POST there."""
    return any(each.pattern.fullmatch(f"/{route}") for each in ROUTES)


def endpoints() -> list[tuple[str, str, str]]:
    """Of each its name in the table, its method and its address as a pattern. OPTIONS asks for nothing but the token."""
    return [
        (f"{method} {without_alias(route)}", method, route)
        for route, view in routes()
        if asks_programs(route)
        for method in methods_of(view)
        if method != "OPTIONS"
    ]


def address(route: str, crowd: Crowd) -> str:
    """With the ids of those of the crowd that have many of what belongs to them."""
    known: Mapping[str, Any] = {
        "voices": crowd.voice.pk,
        "text-to-speech": crowd.voice.pk,
        "samples": crowd.voice.samples.order_by("pk").values_list("pk", flat=True)[0],
        "jobs": crowd.waiting.pk if route.endswith("/cancel") else crowd.job.pk,
        "history": crowd.job.pk,
        "webhooks": crowd.webhook.pk,
        "deliveries": crowd.delivery.pk,
        "replay": crowd.delivery.pk,
        "tokens": crowd.token,
        "voice_consents": crowd.consent.pk,
        "users": crowd.owner.pk,
        "limits": crowd.owner.pk,  # of a person, as a page
        "plans": crowd.plan.pk,
        "accounts": crowd.account.pk,
        "providers": "aliyun",
        "texts": "iflytek",
        "models": crowd.voice.model,
        "api": "voices",
    }
    return "/" + re.sub(r"([\w-]+)/<[^>]+>", lambda found: f"{found[1]}/{known[found[1]]}", route)


def asked(ask: Callable[[], Any]) -> tuple[Any, int]:
    """The answer, and how many queries it took. What it has changed is undone."""
    with transaction.atomic(), CaptureQueriesContext(connection) as captured:
        answer = ask()
        if answer.streaming:
            assert b"".join(answer.streaming_content)
        transaction.set_rollback(True)
    return answer, counted(captured)


def counted(captured: CaptureQueriesContext) -> int:
    return len([each for each in captured if "SAVEPOINT" not in each["sql"] and each["sql"] != "SELECT 1"])


def of_endpoints(api: APIClient, crowd: Crowd) -> dict[str, set[int]]:
    """How often each asks, at each of its addresses. What they change is undone."""
    found: dict[str, set[int]] = {}
    for name, method, route in endpoints():
        if is_spoken(route) and name not in BODIES:
            continue
        default_storage.delete(FILE)
        default_storage.save(FILE, ContentFile(b"RIFF"))
        body, kind = BODIES[name](crowd) if name in BODIES else (None, JSON)
        path = address(route, crowd) + QUERY.get(name, "")
        answer, queries = asked(
            partial(getattr(api, method.lower()), path, body, format=kind, headers=HEADERS.get(name))
        )
        assert answer.status_code < 400, (name, answer.status_code, answer.content)
        found.setdefault(name, set()).add(queries)
    return found


def of_pages(client: Client, crowd: Crowd) -> dict[str, int]:
    found = {}
    for route, _view in routes():
        if asks_programs(route) or route.startswith(ELSEWHERE):
            continue
        answer, queries = asked(partial(client.get, address(route, crowd)))
        if answer.status_code == HTTPStatus.OK:
            found[route] = queries
        else:
            # Answers to a POST alone.
            assert answer.status_code in (302, 405), (route, answer.status_code)
    return found


@pytest.fixture
def everybody(alice: User) -> Crowd:
    alice.is_staff = True
    alice.save()
    made = crowd(alice)
    leave.reserve(made.account, "synthesis")  # its bucket is there from now on
    return made


def key_of(user: User) -> str:
    """A token whose use has been noted."""
    token = token_of(user, scopes=[scope for scope, _label in scopes_for(user)])
    ApiToken.objects.update(last_used_at=timezone.now() + timedelta(days=1))
    return token


def test_every_endpoint_asks_as_often_for_many_rows_as_for_few(everybody: Crowd, settings: Settings) -> None:
    settings.REQUESTS_PER_MINUTE = 1_000_000
    api = program_with(key_of(everybody.owner))
    first = {"voice": str(everybody.voice.pk), "text": TEXT}
    assert (
        api.post("/api/v1/jobs", first, format=JSON).status_code == HTTPStatus.CREATED
    )  # the token's meters are there now
    expected = {name: {queries} for name, queries in ENDPOINTS.items()}
    assert of_endpoints(api, everybody) == expected
    everybody.grow(MANY)
    assert of_endpoints(api, everybody) == expected


def test_every_page_asks_as_often_for_many_rows_as_for_few(client: Client, everybody: Crowd) -> None:
    client.force_login(everybody.owner)
    assert of_pages(client, everybody) == PAGES
    everybody.grow(MANY)
    assert of_pages(client, everybody) == PAGES


@pytest.fixture
def leases_that_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are renewed for all streams at once every few seconds, which may be while one of ours is counted."""
    monkeypatch.setattr("synthesis.relay.RENEW_EVERY", 3600)


def test_every_spoken_sentence_asks_as_often_for_many_rows_as_for_few(
    leases_that_last: None, portal: Portal, ready_voice: VoiceClone
) -> None:
    assert ready_voice.owner is not None
    token, everybody = key_of(ready_voice.owner), crowd(ready_voice.owner)
    spoken_at(portal, "/api/v1/speech", ready_voice, token)  # its meters and its rate's bucket are there from now on
    assert of_speech(portal, ready_voice, token) == SPEECH
    everybody.grow(MANY)
    assert of_speech(portal, ready_voice, token) == SPEECH


def of_speech(portal: Portal, voice: VoiceClone, token: str) -> dict[str, int]:
    found = {}
    for name, _method, route in endpoints():
        if is_spoken(route) and route == without_alias(route):
            with CaptureQueriesContext(connection) as captured:
                spoken_at(portal, f"/{route}".replace("<str:pk>", str(voice.pk)), voice, token)
            found[name] = counted(captured)
    return found


def spoken_at(portal: Portal, path: str, voice: VoiceClone, token: str) -> None:
    bodies = {
        "/api/v1/speech": {"voice": str(voice.pk), "text": TEXT},
        "/v1/audio/speech": {"voice": voice.name, "input": TEXT, "model": "tts-1"},
    }
    assert portal.ask(path, bodies.get(path, {"text": TEXT}), token=token).status == HTTPStatus.OK
    portal.until_quiet()
