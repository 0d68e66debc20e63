"""Webhooks: what a receiver gets, checked by the independent library, and what becomes of a message nobody takes."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient
from standardwebhooks.webhooks import WebhookVerificationError

from tests.cast import program_with, token_of
from tests.receiver import Receiver
from tests.studio import trained
from tests.worker import drain, finish, let_time_pass
from voiceclone_site.accounts.models import User
from voiceclone_site.messages import DATA
from voiceclone_site.sandbox.remote import Sandbox
from voices import webhook_services, webhooks
from voices.models import VoiceClone, WebhookDelivery, WebhookEndpoint, WebhookEvent
from voices.webhook_models import new_secret

WEBHOOKS = "/api/v1/webhooks"
EVERYTHING = list(WebhookEvent.values)
State = WebhookDelivery.State


@pytest.fixture
def endpoint(alice_api: APIClient, receiver: Receiver) -> dict[str, Any]:
    """Alice's, for every event, as the API answered."""
    answer = alice_api.post(WEBHOOKS, {"url": receiver.url, "events": EVERYTHING}, format="json")
    assert answer.status_code == 201, answer.json()
    made: dict[str, Any] = answer.json()
    return made


def tell(owner: User, **data: Any) -> WebhookDelivery:
    """Owe Alice a message, without the minutes that a voice takes."""
    webhooks.emit(owner.pk, WebhookEvent.QUOTA_WARNING, lambda: data or {"used": 80})
    return WebhookDelivery.objects.latest("created_at")


# --- what arrives ----------------------------------------------------------------------------------------------------


def test_it_tells_that_a_voice_is_ready(
    endpoint: dict[str, Any], receiver: Receiver, order_voice: Callable[..., VoiceClone]
) -> None:
    voice = trained(order_voice())
    [message] = receiver.got
    told = message.verified(endpoint["secret"])
    assert told["type"] == "voice.ready"
    assert told["data"] == {
        "id": str(voice.pk),
        "name": "Annie",
        "state": "Success",
        "provider": voice.provider,
        "model": voice.model,
        "error": None,
    }
    assert set(told["data"]) == set(DATA[WebhookEvent.VOICE_READY])
    assert message.headers["content-type"].startswith("application/json")
    assert "authorization" not in message.headers
    with pytest.raises(WebhookVerificationError):
        message.verified(new_secret())


def test_it_tells_why_a_voice_failed(
    endpoint: dict[str, Any], receiver: Receiver, order_voice: Callable[..., VoiceClone], sandbox: Sandbox
) -> None:
    sandbox.fail(operation="create_voice", how="error", status=400, code="Audio.DecoderError")
    finish(order_voice())
    told = receiver.got[0].verified(endpoint["secret"])
    assert (told["type"], told["data"]["error"]["provider_code"]) == ("voice.failed", "Audio.DecoderError")
    assert told["data"]["error"]["message"]


def test_it_tells_that_a_job_is_done_and_nothing_of_its_text(
    endpoint: dict[str, Any], receiver: Receiver, ready_voice: VoiceClone, alice_api: APIClient
) -> None:
    body = {"voice": str(ready_voice.pk), "text": "今天天气怎么样？"}
    job = alice_api.post("/api/v1/jobs", body, format="json").json()
    drain()
    told = receiver.got[-1].verified(endpoint["secret"])
    assert (told["type"], told["data"]["id"], told["data"]["state"]) == ("job.done", job["id"], "Success")
    assert set(told["data"]) == set(DATA[WebhookEvent.JOB_DONE])
    assert "天气" not in receiver.got[-1].body


def test_it_tells_that_a_job_was_cancelled(
    endpoint: dict[str, Any], receiver: Receiver, ready_voice: VoiceClone, alice_api: APIClient
) -> None:
    job = alice_api.post("/api/v1/jobs", {"voice": str(ready_voice.pk), "text": "再见"}, format="json").json()
    alice_api.post(f"/api/v1/jobs/{job['id']}/cancel")
    drain()
    told = receiver.got[-1].verified(endpoint["secret"])
    assert (told["type"], told["data"]["error"]["code"]) == ("job.failed", "cancelled")


def test_it_tells_only_what_was_asked_for(
    alice: User, alice_api: APIClient, endpoint: dict[str, Any], receiver: Receiver
) -> None:
    alice_api.patch(f"{WEBHOOKS}/{endpoint['id']}", {"events": ["job.done"]}, format="json")
    webhooks.emit(alice.pk, WebhookEvent.QUOTA_WARNING, dict)
    drain()
    assert receiver.got == []


def test_it_tells_nobody_of_somebody_else(endpoint: dict[str, Any], receiver: Receiver, charlie: User) -> None:
    webhooks.emit(charlie.pk, WebhookEvent.QUOTA_WARNING, dict)
    drain()
    assert receiver.got == []


def test_it_keeps_the_secret_out_of_sight(endpoint: dict[str, Any], alice: User, alice_api: APIClient) -> None:
    tell(alice)
    row = WebhookEndpoint.objects.get()
    assert endpoint["secret"] == row.secret
    stored = WebhookEndpoint.objects.values_list("secret", flat=True)
    assert "secret" not in alice_api.get(f"{WEBHOOKS}/{endpoint['id']}").json()
    assert list(stored) == [endpoint["secret"]]
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM voices_webhookendpoint")
        assert endpoint["secret"] not in str(cursor.fetchall())


def test_it_signs_with_a_new_secret_when_asked(
    endpoint: dict[str, Any], receiver: Receiver, alice: User, alice_api: APIClient
) -> None:
    renewed = alice_api.post(f"{WEBHOOKS}/{endpoint['id']}/secret").json()["secret"]
    assert renewed != endpoint["secret"]
    tell(alice)
    drain()
    assert receiver.got[0].verified(renewed)["data"] == {"used": 80}


# --- when nobody takes it ---------------------------------------------------------------------------------------------


def test_it_tries_again_with_the_same_id_and_another_signature(
    endpoint: dict[str, Any], receiver: Receiver, alice: User
) -> None:
    receiver.status = 500
    delivery = tell(alice)
    drain()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.response_status, delivery.error_code) == (State.WAITING, 500, "not_accepted")
    assert delivery.due_at is not None
    assert timedelta(seconds=4) < delivery.due_at - timezone.now() < timedelta(seconds=6)
    receiver.status = 200
    let_time_pass()
    delivery.refresh_from_db()
    first, second = receiver.got
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    assert second.verified(endpoint["secret"])
    assert (delivery.state, delivery.error_code) == (State.DELIVERED, "")
    assert delivery.due_at is None
    assert [each.kind for each in delivery.log.all()] == ["not_delivered", "delivered"]


def test_it_waits_longer_each_time_and_gives_up_after_days(
    endpoint: dict[str, Any], receiver: Receiver, alice: User
) -> None:
    receiver.status = 503
    delivery = tell(alice)
    drain()
    waits = []
    while True:
        delivery.refresh_from_db()
        if delivery.due_at is None:
            break
        waits.append(delivery.due_at - timezone.now())
        let_time_pass()
    assert waits == sorted(waits)
    assert timedelta(days=2.5) < sum(waits, timedelta()) < timedelta(days=4)
    assert delivery.state == State.FAILED
    assert len(receiver.got) == len(waits) + 1
    assert WebhookEndpoint.objects.get().disabled_why == "failing"


def test_it_catches_up_after_an_hour_of_a_dead_receiver(
    endpoint: dict[str, Any], receiver: Receiver, alice: User, alice_api: APIClient
) -> None:
    """The hour is compressed: what was planned within it becomes due, what was planned beyond it does not."""
    died = timezone.now()
    receiver.status = 502
    missed = [tell(alice, number=number) for number in range(3)]
    drain()
    for _attempt in range(2):  # after five seconds and after five minutes; half an hour later it will still be dead
        let_time_pass()
    assert {each.state for each in WebhookDelivery.objects.all()} == {State.WAITING}
    receiver.got.clear()
    receiver.status = 200
    answer = alice_api.post(f"{WEBHOOKS}/{endpoint['id']}/replay", {"since": died.isoformat()}, format="json")
    assert (answer.status_code, answer.json()) == (202, {"replayed": 3})
    drain()
    told = [message.verified(endpoint["secret"])["data"]["number"] for message in receiver.got]
    assert told == [0, 1, 2]
    assert [message.headers["webhook-id"] for message in receiver.got] == [each.message_id for each in missed]
    assert {each.state for each in WebhookDelivery.objects.all()} == {State.DELIVERED}
    again = alice_api.post(f"{WEBHOOKS}/{endpoint['id']}/replay", {"since": died.isoformat()}, format="json")
    assert again.json() == {"replayed": 0}


def test_it_stops_for_good_when_the_receiver_is_gone(
    endpoint: dict[str, Any], receiver: Receiver, alice: User, alice_api: APIClient
) -> None:
    receiver.status = 500
    waiting = tell(alice)
    drain()
    receiver.status = 410
    tell(alice)
    drain()
    shown = alice_api.get(f"{WEBHOOKS}/{endpoint['id']}").json()
    assert (shown["enabled"], shown["disabled_why"]) == (False, "gone")
    waiting.refresh_from_db()
    assert (waiting.state, waiting.due_at) == (State.FAILED, None)
    before = len(receiver.got)
    webhooks.emit(alice.pk, WebhookEvent.QUOTA_WARNING, dict)
    let_time_pass()
    assert len(receiver.got) == before
    refused = alice_api.post(f"{WEBHOOKS}/{endpoint['id']}/deliveries/{waiting.pk}/replay")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "wrong_state")
    receiver.status = 204
    assert alice_api.patch(f"{WEBHOOKS}/{endpoint['id']}", {"enabled": True}, format="json").json()["enabled"]
    alice_api.post(f"{WEBHOOKS}/{endpoint['id']}/deliveries/{waiting.pk}/replay")
    drain()
    waiting.refresh_from_db()
    assert waiting.state == State.DELIVERED


def test_it_follows_no_redirect(endpoint: dict[str, Any], receiver: Receiver, alice: User) -> None:
    receiver.status, receiver.location = 307, receiver.url
    delivery = tell(alice)
    drain()
    delivery.refresh_from_db()
    assert len(receiver.got) == 1
    assert (delivery.state, delivery.response_status) == (State.WAITING, 307)


def test_it_sends_nothing_to_a_private_address(
    endpoint: dict[str, Any], receiver: Receiver, alice: User, settings: Settings
) -> None:
    settings.OUTWARD_LOOPBACK = False
    delivery = tell(alice)
    drain()
    delivery.refresh_from_db()
    assert receiver.got == []
    assert (delivery.state, delivery.error_code) == (State.WAITING, "address_refused")


def test_it_sends_what_a_dead_worker_left(endpoint: dict[str, Any], receiver: Receiver, alice: User) -> None:
    delivery = tell(alice)
    WebhookDelivery.objects.filter(pk=delivery.pk).update(
        lease_token=uuid.uuid4(), lease_until=timezone.now() + timedelta(minutes=1)
    )
    drain()
    assert receiver.got == []
    WebhookDelivery.objects.filter(pk=delivery.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    let_time_pass()
    assert len(receiver.got) == 1


def test_it_forgets_what_is_a_month_past(endpoint: dict[str, Any], alice: User) -> None:
    old, waiting = tell(alice), tell(alice)
    drain()
    past = timezone.now() - timedelta(days=31)
    WebhookDelivery.objects.filter(pk=old.pk).update(created_at=past)
    WebhookDelivery.objects.filter(pk=waiting.pk).update(created_at=past, due_at=timezone.now() + timedelta(days=1))
    webhooks.sweep()
    assert list(WebhookDelivery.objects.all()) == [waiting]


# --- the addresses of the API ----------------------------------------------------------------------------------------


def test_it_lists_the_messages_with_every_attempt(
    endpoint: dict[str, Any], alice: User, alice_api: APIClient, receiver: Receiver
) -> None:
    receiver.status = 500
    tell(alice)
    drain()
    [shown] = alice_api.get(f"{WEBHOOKS}/{endpoint['id']}/deliveries?state=Waiting").json()["results"]
    assert (shown["event"], shown["response_status"], shown["answer"]) == ("quota.warning", 500, "hello")
    assert shown["body"]["data"] == {"used": 80}
    assert [each["detail"]["status"] for each in shown["log"]] == [500]
    assert alice_api.get(shown["url"]).json() == shown
    assert alice_api.get(f"{WEBHOOKS}/{endpoint['id']}/deliveries?state=Failed").json()["results"] == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://example.com/hooks", "https://"),
        ("ftp://example.com", "https://"),
        ("https://10.0.0.1/hooks", "public internet"),
        ("https://127.0.0.1/hooks", "public internet"),
        ("https://[::1]/hooks", "public internet"),
        ("https://[::ffff:169.254.169.254]/", "public internet"),
        ("https://user:secret@example.com/", "password"),
        ("https://", "web address"),
        ("nonsense", "web address"),
    ],
)
def test_it_refuses_an_address_that_is_none(alice_api: APIClient, url: str, words: str) -> None:
    refusal = alice_api.post(WEBHOOKS, {"url": url, "events": ["job.done"]}, format="json")
    assert refusal.status_code == 400
    assert words in refusal.json()["error"]["fields"]["url"][0]
    assert not WebhookEndpoint.objects.exists()


def test_it_changes_nothing_when_the_change_is_wrong(endpoint: dict[str, Any], alice_api: APIClient) -> None:
    refusal = alice_api.patch(
        f"{WEBHOOKS}/{endpoint['id']}", {"url": "https://10.0.0.1/", "enabled": False}, format="json"
    )
    assert refusal.status_code == 400
    assert alice_api.get(f"{WEBHOOKS}/{endpoint['id']}").json()["enabled"]


def test_it_lets_nobody_have_endless_webhooks(alice: User, alice_api: APIClient) -> None:
    WebhookEndpoint.objects.bulk_create(
        WebhookEndpoint(owner=alice, url="https://example.com/", events=["job.done"])
        for _ in range(webhook_services.MOST)
    )
    refusal = alice_api.post(WEBHOOKS, {"url": "https://example.com/", "events": ["job.done"]}, format="json")
    assert (refusal.status_code, refusal.json()["error"]["code"]) == (429, "exhausted")


def test_it_shows_a_stranger_nothing(
    endpoint: dict[str, Any], alice: User, charlie_api: APIClient, charlie: User
) -> None:
    delivery = tell(alice)
    mine = f"{WEBHOOKS}/{endpoint['id']}"
    for method, path in [
        ("get", mine),
        ("patch", mine),
        ("delete", mine),
        ("post", f"{mine}/secret"),
        ("post", f"{mine}/replay"),
        ("get", f"{mine}/deliveries"),
        ("get", f"{mine}/deliveries/{delivery.pk}"),
        ("post", f"{mine}/deliveries/{delivery.pk}/replay"),
    ]:
        answer = getattr(charlie_api, method)(path, {"enabled": False}, format="json")
        assert answer.status_code == 404, f"{method} {path}"
    assert charlie_api.get(WEBHOOKS).json()["results"] == []
    assert WebhookEndpoint.objects.get().is_open


def test_it_wants_the_scope(alice: User) -> None:
    reader = program_with(token_of(alice, scopes=["webhooks:read"]))
    assert reader.get(WEBHOOKS).status_code == 200
    refusal = reader.post(WEBHOOKS, {"url": "https://example.com/", "events": ["job.done"]}, format="json")
    assert (refusal.status_code, refusal.json()["error"]["code"]) == (403, "scope_missing")


def test_it_deletes_a_webhook_with_its_messages(endpoint: dict[str, Any], alice: User, alice_api: APIClient) -> None:
    tell(alice)
    assert alice_api.delete(f"{WEBHOOKS}/{endpoint['id']}").status_code == 204
    drain()
    assert not WebhookDelivery.objects.exists()


# --- the pages -------------------------------------------------------------------------------------------------------


def test_it_shows_a_new_secret_once(alice_client: Client, receiver: Receiver) -> None:
    made = alice_client.post("/webhooks/", {"url": receiver.url, "events": ["job.done"]})
    secret = WebhookEndpoint.objects.get().secret
    assert secret in made.content.decode()
    assert "no-store" in made["Cache-Control"]
    later = alice_client.get("/webhooks/").content.decode()
    assert receiver.url in later
    assert secret not in later


def test_it_says_beside_the_field_why_an_address_will_not_do(alice_client: Client) -> None:
    page = alice_client.post("/webhooks/", {"url": "https://10.0.0.1/", "events": ["job.done"]}).content.decode()
    assert "does not lead to the public internet" in page
    assert 'value="https://10.0.0.1/"' in page


def test_it_shows_what_was_sent_and_sends_it_anew(
    endpoint: dict[str, Any], alice: User, alice_client: Client, receiver: Receiver
) -> None:
    delivery = tell(alice)
    drain()
    page = f"/webhooks/{endpoint['id']}/"
    assert "Delivered" in alice_client.get(page).content.decode()
    alice_client.post(f"{page}replay/{delivery.pk}/")
    drain()
    assert len(receiver.got) == 2
    alice_client.post(f"{page}switch/")
    assert "switched off by you" in alice_client.get(page).content.decode()
    alice_client.post(f"{page}delete/")
    assert not WebhookEndpoint.objects.exists()


def test_it_asks_before_it_deletes_a_webhook(endpoint: dict[str, Any], alice_client: Client) -> None:
    page = alice_client.get(f"/webhooks/{endpoint['id']}/delete/").content.decode()
    assert endpoint["url"] in page
    assert "This cannot be undone." in page
    assert WebhookEndpoint.objects.filter(pk=endpoint["id"]).exists()


def test_its_pages_do_not_exist_for_a_stranger(
    endpoint: dict[str, Any], alice: User, charlie_client: Client, visitor: Client
) -> None:
    page = f"/webhooks/{endpoint['id']}/"
    assert charlie_client.get(page).status_code == 404
    assert charlie_client.get(f"{page}delete/").status_code == 404
    for action in ("switch/", "delete/", f"replay/{tell(alice).pk}/"):
        assert charlie_client.post(page + action).status_code == 404
        assert visitor.post(page + action)["Location"].startswith("/accounts/login/")
    assert WebhookEndpoint.objects.get().is_open
