"""`/livez`: this process answers. `/readyz`: everything that a voice needs answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from urllib.error import URLError
from urllib.request import urlopen

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from voiceclone_site.pages import sandbox_in_use
from voices import durable
from voices.queues import Queue

# A worker beats every five seconds, and ends itself when nothing came through it for twenty.
WORKER_SILENCE = timedelta(seconds=60)
WORKERS: Mapping[str, Queue] = {"worker": Queue.DEFAULT, "worker_slow": Queue.SLOW}
SANDBOX_TIMEOUT = 2.0


@dataclass(frozen=True, slots=True)
class Check:
    ok: bool
    sentence: str


@never_cache
@require_safe
def livez(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "alive"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    checks = {
        "web": Check(ok=True, sentence="The web process answers."),
        "database": _asking_the_database(_database),
        **{name: _asking_the_database(partial(_worker, queue)) for name, queue in WORKERS.items()},
        "sandbox": _asking_the_database(_sandbox),
    }
    ready = all(check.ok for check in checks.values())
    body = {
        "status": "ready" if ready else "not ready",
        "checks": {
            name: {"status": "ok" if check.ok else "failed", "message": check.sentence}
            for name, check in checks.items()
        },
    }
    return JsonResponse(body, status=HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)


def _asking_the_database(check: Callable[[], Check]) -> Check:
    try:
        return check()
    except DatabaseError as error:
        kind = type(error).__name__
        return Check(
            ok=False, sentence=f"The database does not answer ({kind}). Look at DATABASE_URL, and run migrate."
        )


def _database() -> Check:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return Check(ok=True, sentence="The database answers.")


def _worker(queue: Queue) -> Check:
    beat = durable.last_beat(queue)
    if beat is None:
        sentence = f"No worker has come through the queue {queue} yet. Start one: manage.py work {queue}."
        return Check(ok=False, sentence=sentence)
    age = (timezone.now() - beat).total_seconds()
    if age > WORKER_SILENCE.total_seconds():
        sentence = f"No worker has come through the queue {queue} for {age:.0f} s. Restart manage.py work {queue}."
        return Check(ok=False, sentence=sentence)
    return Check(ok=True, sentence=f"A worker came through the queue {queue} {max(age, 0):.0f} s ago.")


def _sandbox() -> Check:
    if not sandbox_in_use():
        return Check(ok=True, sentence="No account uses the sandbox.")
    try:
        with urlopen(f"http://{settings.SANDBOX_HOST}/_sandbox/health", timeout=SANDBOX_TIMEOUT):
            return Check(ok=True, sentence="The sandbox answers.")
    except (URLError, OSError) as error:
        why = getattr(error, "reason", error)
        return Check(ok=False, sentence=f"The sandbox does not answer ({why}). Start it: manage.py sandbox.")
