"""`/metrics`, for Prometheus: what the rows say at this moment, the same whichever host is asked, and this process's own requests.

Each row figure is one query over an index or a small table, made when it is asked for. Nothing here names a person.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from http import HTTPMethod
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db.models import Count, Min, Q, Sum
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_q.models import OrmQ
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import GaugeHistogramMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from synthesis.models import SynthesisJob
from voices.durable import DurableQuerySet, DurableRow, last_beat
from voices.models import ProviderAccount, VoiceClone
from voices.queues import Queue

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
FIRST_AUDIO_MS = (250, 500, 750, 1000, 1500, 2000, 3000, 5000, 10_000)
KNOWN_METHODS = frozenset(HTTPMethod)

registry = CollectorRegistry()
http_requests = Histogram(
    "voiceclone_http_request_seconds",
    "Time until an answer of this process began, by view.",
    ["method", "view", "status"],
    registry=registry,
)


class MetricsMiddleware:
    """Outermost, so that what other middleware answers is counted, too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.monotonic()
        response = self.get_response(request)
        # The name of a view, never an address: those hold ids, and there is no end of them.
        view = request.resolver_match.view_name if request.resolver_match else ""
        method = request.method if request.method in KNOWN_METHODS else "other"
        http_requests.labels(method, view, response.status_code).observe(time.monotonic() - began)
        return response


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """For who knows METRICS_TOKEN, and for staff; to anybody else there is nothing here."""
    if not _may_look(request):
        raise Http404
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _may_look(request: HttpRequest) -> bool:
    word, _, token = request.headers.get("Authorization", "").partition(" ")
    if word.lower() == "bearer":
        known = settings.METRICS_TOKEN.encode()
        return bool(known) and hmac.compare_digest(token.strip().encode(), known)
    return bool(request.user.is_active and getattr(request.user, "is_staff", False))


class RowsCollector(Collector):
    def describe(self) -> list[Metric]:
        """Nothing: the registry would ask the rows when the module is loaded."""
        return []

    def collect(self) -> Iterator[Metric]:
        now = timezone.now()
        yield from _accounts()
        yield from _queues(now)
        yield from _runnable(now)
        yield from _voices(now)
        yield from _jobs(now)
        yield _first_audio(now)


registry.register(RowsCollector())


def _accounts() -> Iterator[Metric]:
    labels = ["provider", "account"]
    used = GaugeMetricFamily("voiceclone_slots_used", "Voice places taken at a provider account.", labels=labels)
    cap = GaugeMetricFamily("voiceclone_slots_cap", "Voice places of a provider account.", labels=labels)
    broken = GaugeMetricFamily(
        "voiceclone_circuit_open", "1 while the circuit breaker lets no call pass.", labels=labels
    )
    paused = GaugeMetricFamily("voiceclone_account_paused", "1 while an operator has paused it.", labels=labels)
    for account in ProviderAccount.objects.order_by("provider", "name"):
        name = [account.provider, account.name]
        used.add_metric(name, account.voices_held)
        cap.add_metric(name, account.voice_cap)
        broken.add_metric(name, account.circuit != ProviderAccount.Circuit.CLOSED)
        paused.add_metric(name, account.is_paused)
    yield from (used, cap, broken, paused)


def _queues(now: datetime) -> Iterator[Metric]:
    age = GaugeMetricFamily(
        "voiceclone_queue_heartbeat_age_seconds",
        "Since a task last came all the way through a queue.",
        labels=["queue"],
    )
    length = GaugeMetricFamily("voiceclone_queue_length", "Wake-ups that lie in a queue.", labels=["queue"])
    queued = dict(OrmQ.objects.values_list("key").annotate(Count("pk")))
    for queue in Queue:
        beat = last_beat(queue)
        age.add_metric([queue], float("inf") if beat is None else (now - beat).total_seconds())
        length.add_metric([queue], queued.get(queue.value, 0))
    yield from (age, length)


def _runnable(now: datetime) -> Iterator[Metric]:
    """Every kind of row that is worked on, by its state."""
    labels = ["kind", "state"]
    age = GaugeMetricFamily(
        "voiceclone_oldest_runnable_seconds",
        "How long the longest due row that nobody works on has been due.",
        labels=labels,
    )
    number = GaugeMetricFamily("voiceclone_runnable", "Due rows that nobody works on.", labels=labels)
    for model in apps.get_models():
        if issubclass(model, DurableRow):
            due = DurableQuerySet(model).due().order_by().values("state").annotate(n=Count("pk"), oldest=Min("due_at"))
            for row in due:
                age.add_metric([model._meta.model_name or "", row["state"]], (now - row["oldest"]).total_seconds())
                number.add_metric([model._meta.model_name or "", row["state"]], row["n"])
    yield from (age, number)


def _voices(now: datetime) -> Iterator[Metric]:
    number = GaugeMetricFamily("voiceclone_voices", "Voices by state.", labels=["provider", "state"])
    failed = _failures("voice")
    unknown = GaugeMetricFamily("voiceclone_unknown", "Calls whose outcome is not known.", labels=["provider"])
    age = GaugeMetricFamily("voiceclone_unknown_age_seconds", "Since the oldest of them was sent.", labels=["provider"])
    by_state = VoiceClone.objects.order_by().values("provider", "state").annotate(n=Count("pk"), sent=Min("intent_at"))
    for row in by_state:
        number.add_metric([row["provider"], row["state"]], row["n"])
        if row["state"] == VoiceClone.State.UNKNOWN:
            unknown.add_metric([row["provider"]], row["n"])
            if row["sent"] is not None:
                age.add_metric([row["provider"]], (now - row["sent"]).total_seconds())
    recent = VoiceClone.objects.filter(state=VoiceClone.State.FAILED, updated_at__gte=now - DAY).order_by()
    for provider, code, n in recent.values_list("provider", "error_code").annotate(n=Count("pk")):
        failed.add_metric([provider, code], n)
    yield from (number, unknown, age, failed)


def _jobs(now: datetime) -> Iterator[Metric]:
    """Of the last day: a table that only grows is not counted whole."""
    number = GaugeMetricFamily(
        "voiceclone_jobs_last_day", "Synthesis jobs of the last day by state.", labels=["provider", "mode", "state"]
    )
    failed = _failures("job")
    counted: dict[tuple[str, str, str], int] = {}
    codes: dict[tuple[str, str], int] = {}
    grouped = SynthesisJob.objects.filter(created_at__gte=now - DAY).order_by()
    for row in grouped.values("provider", "mode", "state", "error_code").annotate(n=Count("pk")):
        key = (row["provider"], row["mode"], row["state"])
        counted[key] = counted.get(key, 0) + row["n"]
        if row["state"] == SynthesisJob.State.FAILED:
            codes[row["provider"], row["error_code"]] = codes.get((row["provider"], row["error_code"]), 0) + row["n"]
    for key, n in sorted(counted.items()):
        number.add_metric(key, n)
    for (provider, code), n in sorted(codes.items()):
        failed.add_metric([provider, code], n)
    yield from (number, failed)


def _failures(kind: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(
        f"voiceclone_{kind}_failures_last_day", "What failed in the last day, by our code.", labels=["provider", "code"]
    )


def _first_audio(now: datetime) -> Metric:
    """A gauge, for rows leave the hour again: rates of it mean nothing, its quantiles do."""
    family = GaugeHistogramMetricFamily(
        "voiceclone_first_audio_seconds",
        "From the text being sent to its first audio, jobs of the last hour.",
        labels=["provider"],
    )
    below = {str(ms / 1000): Count("pk", filter=Q(first_audio_ms__lte=ms)) for ms in FIRST_AUDIO_MS}
    spoken = SynthesisJob.objects.filter(created_at__gte=now - HOUR, first_audio_ms__isnull=False).order_by()
    for row in _plain(spoken.values("provider").annotate(number=Count("pk"), ms=Sum("first_audio_ms"), **below)):
        buckets = [*((name, row[name]) for name in below), ("+Inf", row["number"])]
        family.add_metric([row["provider"]], buckets, row["ms"] / 1000)
    return family


def _plain(rows: Iterable[Any]) -> Iterable[dict[str, Any]]:
    """Their keys are made above, so no checker can know them."""
    return rows
