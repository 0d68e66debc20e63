"""How a view leaves its answer to the relay: it begins a job, and the relay speaks it in the view's place."""

from __future__ import annotations

from django.http import HttpResponse

from synthesis.models import SynthesisJob

RELAY_HEADER = "X-Relay-Job"
"""A job's id, and the seconds that it has to wait. Only a view sets it; it never leaves the server."""


def spoken_by_the_relay(job: SynthesisJob, *, wait: float) -> HttpResponse:
    return HttpResponse(headers={RELAY_HEADER: f"{job.pk} {wait}"})
