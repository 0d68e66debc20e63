"""How a view leaves its answer to the relay: it begins a job, and the relay speaks it in the view's place."""

from __future__ import annotations

from django.http import HttpResponse

from synthesis.delivery import Delivery
from synthesis.models import SynthesisJob

RELAY_HEADER = "X-Relay-Job"
"""A job's id, the seconds that it has to wait, and the format and the sample rate in which it leaves. Only a view sets it; it never
leaves the server."""


def spoken_by_the_relay(job: SynthesisJob, *, wait: float, delivery: Delivery | None = None) -> HttpResponse:
    """`delivery`: how it leaves; None: as the provider speaks it."""
    audio_format, sample_rate = job.audio_format, job.sample_rate
    if delivery is not None:
        audio_format, sample_rate = delivery.audio_format, delivery.sample_rate
    return HttpResponse(headers={RELAY_HEADER: f"{job.pk} {wait} {audio_format} {sample_rate}"})
