from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from voices.models import ProviderAccount, QueueHeartbeat
from voices.queues import Queue

pytestmark = pytest.mark.django_db


@pytest.fixture
def workers() -> None:
    for queue in Queue:
        QueueHeartbeat.objects.create(queue=queue, beat_at=timezone.now())


@pytest.fixture
def sandbox_account() -> None:
    ProviderAccount.objects.create(provider="aliyun", name="sandbox", origin=ProviderAccount.Origin.SANDBOX)


@pytest.fixture
def healthy_address() -> Iterator[str]:
    """Something on loopback that says it is well, where a sandbox would."""
    server = HTTPServer(("127.0.0.1", 0), Healthy)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/_sandbox/health" else 404)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        pass


def checks() -> tuple[int, dict[str, str], Any]:
    answer = Client().get("/readyz")
    body = answer.json()
    return answer.status_code, {name: check["status"] for name, check in body["checks"].items()}, body


def test_it_is_alive_without_asking_anybody() -> None:
    answer = Client().get("/livez")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


@pytest.mark.usefixtures("workers")
def test_it_is_ready_when_all_answer() -> None:
    status, each, body = checks()
    assert (status, body["status"]) == (200, "ready")
    assert each == {"web": "ok", "database": "ok", "worker": "ok", "worker_slow": "ok", "sandbox": "ok"}


@pytest.mark.parametrize(("name", "queue"), [("worker", "default"), ("worker_slow", "slow")])
@pytest.mark.usefixtures("workers")
def test_it_is_not_ready_before_a_worker_came_through_each_queue(name: str, queue: str) -> None:
    QueueHeartbeat.objects.filter(queue=queue).delete()
    status, each, body = checks()
    assert (status, [check for check, result in each.items() if result == "failed"]) == (503, [name])
    assert f"manage.py work {queue}" in body["checks"][name]["message"]


@pytest.mark.parametrize(("name", "queue"), [("worker", "default"), ("worker_slow", "slow")])
@pytest.mark.usefixtures("workers")
def test_it_is_not_ready_when_one_worker_has_gone_silent(name: str, queue: str) -> None:
    QueueHeartbeat.objects.filter(queue=queue).update(beat_at=timezone.now() - timedelta(seconds=61))
    status, each, body = checks()
    assert (status, [check for check, result in each.items() if result == "failed"]) == (503, [name])
    assert "61 s" in body["checks"][name]["message"]


@pytest.mark.usefixtures("workers", "sandbox_account")
def test_it_is_ready_when_the_sandbox_that_is_used_answers(settings: Settings, healthy_address: str) -> None:
    settings.SANDBOX_HOST = healthy_address
    status, each, _body = checks()
    assert (status, each["sandbox"]) == (200, "ok")


@pytest.mark.usefixtures("workers", "sandbox_account")
def test_it_is_not_ready_when_the_sandbox_that_is_used_is_gone(settings: Settings) -> None:
    settings.SANDBOX_HOST = "127.0.0.1:1"
    status, each, body = checks()
    assert (status, each["sandbox"]) == (503, "failed")
    assert "manage.py sandbox" in body["checks"]["sandbox"]["message"]


@pytest.mark.usefixtures("workers")
def test_it_says_so_when_the_database_does_not_answer() -> None:
    def refuse(*_arguments: object) -> None:
        raise DatabaseError("password=s3cret-s3cret")

    with connection.execute_wrapper(refuse):
        status, each, body = checks()
    assert status == 503
    assert each == dict.fromkeys(("database", "worker", "worker_slow", "sandbox"), "failed") | {"web": "ok"}
    assert "s3cret" not in str(body)


def test_it_is_asked_by_get_alone() -> None:
    assert Client().post("/readyz").status_code == 405
    assert Client().head("/livez").status_code == 200


def test_it_may_not_be_kept_by_a_cache() -> None:
    assert "no-store" in Client().get("/readyz")["Cache-Control"]
