"""Idempotency-Key where nothing but rows is written, and what is shown once is in the answer: tokens, webhooks, batches."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from synthesis.models import SynthesisJob
from tests.cast import program_with, token_of
from tests.receiver import Receiver
from tests.worker import drain
from voiceclone_site.accounts.models import ApiToken, User
from voiceclone_site.accounts.scopes import Scope
from voices import webhooks
from voices.models import IdempotencyKey, VoiceClone, WebhookDelivery, WebhookEndpoint, WebhookEvent

KEY = {"HTTP_IDEMPOTENCY_KEY": "2b7e-once"}
TOKENS, WEBHOOKS, BATCH = "/api/v1/tokens", "/api/v1/webhooks", "/api/v1/jobs/batch"
A_TOKEN = {"name": "catalogue", "scopes": ["voices:read"]}


def post(api: APIClient, address: str, body: Any, **extra: Any) -> Any:
    return api.post(address, body, format="json", **extra)


def twice(api: APIClient, address: str, body: Any) -> tuple[Any, Any]:
    first, again = (post(api, address, body, **KEY) for _time in range(2))
    assert first.status_code < 300, first.json()
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert (first.has_header("Idempotency-Replayed"), again["Idempotency-Replayed"]) == (False, "true")
    return first, again


@pytest.fixture
def endpoint(alice: User, receiver: Receiver) -> WebhookEndpoint:
    return WebhookEndpoint.objects.create(owner=alice, url=receiver.url, events=WebhookEvent.values)


def test_a_token_is_made_once_and_shown_again_to_who_made_it(alice_api: APIClient) -> None:
    tokens = ApiToken.objects.count()
    first, again = twice(alice_api, TOKENS, A_TOKEN)
    assert ApiToken.objects.count() == tokens + 1
    assert again["Cache-Control"] == "no-store"
    assert program_with(first.json()["token"]).get("/api/v1/voices").status_code == 200
    assert post(alice_api, TOKENS, A_TOKEN | {"name": "other"}, **KEY).status_code == 422


def test_a_token_is_not_shown_to_a_weaker_one_of_the_same_person(alice: User, alice_api: APIClient) -> None:
    post(alice_api, TOKENS, A_TOKEN, **KEY)
    weaker = program_with(token_of(alice, scopes=["tokens:write"]))
    refused = post(weaker, TOKENS, A_TOKEN, **KEY)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "idempotency_key_reused")


def test_a_secret_that_is_kept_for_a_day_cannot_be_read_from_the_database(
    alice_api: APIClient, receiver: Receiver
) -> None:
    token = post(alice_api, TOKENS, A_TOKEN, **KEY).json()["token"]
    wish = {"url": receiver.url, "events": ["job.done"]}
    secret = post(alice_api, WEBHOOKS, wish, HTTP_IDEMPOTENCY_KEY="another").json()["secret"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM voices_idempotencykey")
        kept = str(cursor.fetchall())
    assert kept.count("-once") == 1
    assert token not in kept
    assert secret not in kept


def test_a_batch_is_taken_once(alice_api: APIClient, ready_voice: VoiceClone) -> None:
    wish = {"voice": str(ready_voice.pk), "texts": ["第一句。", "第二句。"]}
    twice(alice_api, BATCH, wish)
    assert SynthesisJob.objects.count() == 2
    assert post(alice_api, BATCH, wish | {"texts": ["第三句。"]}, **KEY).status_code == 422


def test_a_webhook_is_added_once_and_its_secret_shown_again(
    alice_api: APIClient, charlie_api: APIClient, receiver: Receiver
) -> None:
    wish = {"url": receiver.url, "events": ["job.done"]}
    first, _again = twice(alice_api, WEBHOOKS, wish)
    assert WebhookEndpoint.objects.get().secret == first.json()["secret"]
    assert post(charlie_api, WEBHOOKS, wish, **KEY).json()["id"] != first.json()["id"]


def test_a_secret_is_renewed_once(alice_api: APIClient, endpoint: WebhookEndpoint) -> None:
    first, _again = twice(alice_api, f"{WEBHOOKS}/{endpoint.pk}/secret", {})
    endpoint.refresh_from_db()
    assert first.json()["secret"] == endpoint.secret


@pytest.mark.parametrize("address", [WEBHOOKS, f"{WEBHOOKS}/{{endpoint}}/secret"])
def test_a_secret_is_not_shown_to_another_token_of_the_same_person(
    alice: User, alice_api: APIClient, endpoint: WebhookEndpoint, receiver: Receiver, address: str
) -> None:
    wish = {"url": receiver.url, "events": ["job.done"]} if address == WEBHOOKS else {}
    address = address.format(endpoint=endpoint.pk)
    assert "secret" in post(alice_api, address, wish, **KEY).json()
    other = program_with(token_of(alice, scopes=["webhooks:write"]))
    refused = post(other, address, wish, **KEY)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("address", ["replay", "deliveries/{delivery}/replay"])
def test_messages_are_sent_anew_once(
    alice: User, alice_api: APIClient, endpoint: WebhookEndpoint, receiver: Receiver, address: str
) -> None:
    began, receiver.status = timezone.now(), 500
    webhooks.emit(alice.pk, WebhookEvent.JOB_DONE, dict)
    drain()
    delivery = WebhookDelivery.objects.get()
    body = {"since": began.isoformat()} if address == "replay" else {}
    twice(alice_api, f"{WEBHOOKS}/{endpoint.pk}/{address.format(delivery=delivery.pk)}", body)
    drain()
    assert len(receiver.got) == 2


def token_wish(_api: APIClient, _endpoint: WebhookEndpoint) -> tuple[str, Any]:
    return TOKENS, A_TOKEN


def secret_wish(_api: APIClient, endpoint: WebhookEndpoint) -> tuple[str, Any]:
    return f"{WEBHOOKS}/{endpoint.pk}/secret", {}


@pytest.mark.parametrize("wish", [token_wish, secret_wish])
def test_a_process_that_dies_before_it_has_answered_leaves_nothing(
    alice: User,
    endpoint: WebhookEndpoint,
    monkeypatch: pytest.MonkeyPatch,
    wish: Callable[[APIClient, WebhookEndpoint], tuple[str, Any]],
) -> None:
    """The one way to die between a row and its answer that a test can wait for: the answer cannot be kept."""
    api = program_with(token_of(alice, scopes=list(Scope.values)))
    api.raise_request_exception = False
    address, body = wish(api, endpoint)
    tokens, secret = ApiToken.objects.count(), endpoint.secret
    with monkeypatch.context() as dying:
        dying.setattr("voices.idempotency.keep", lambda *_args, **_kwargs: uuid.UUID("no"))
        dying.setattr("voices.idempotency.forget", lambda _turn: None)
        assert post(api, address, body, **KEY).status_code == 500
    endpoint.refresh_from_db()
    assert (ApiToken.objects.count(), endpoint.secret) == (tokens, secret)
    assert post(api, address, body, **KEY).status_code == 409
    IdempotencyKey.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert post(api, address, body, **KEY).status_code < 300
    endpoint.refresh_from_db()
    assert (ApiToken.objects.count() > tokens) != (endpoint.secret != secret)
