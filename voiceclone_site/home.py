"""The first page for somebody who comes by, and the first page for somebody who is at home here."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from synthesis.models import SynthesisJob
from voices import usage
from voices.models import VoiceClone
from voices.providers import registry

RECENT = 5

State = VoiceClone.State


@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    return render(request, "landing.html", {"providers": [registry.traits(slug) for slug in registry.slugs()]})


@never_cache
@login_required
@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    voices = VoiceClone.objects.owned_by(request.user)
    states = {row["state"]: row["voices"] for row in voices.order_by().values("state").annotate(voices=Count("pk"))}
    month = timezone.localdate().replace(day=1)
    used = usage.total(usage.used_by(request.user, "day", since=month).values())
    context = {
        "ready": states.get(State.SUCCESS, 0),
        "in_progress": sum(states.get(state, 0) for state in VoiceClone.IN_PROGRESS),
        "failed": states.get(State.FAILED, 0) + states.get(State.EXPIRED, 0),
        "any_voice": bool(states),
        "stock_voices": 0 if states else VoiceClone.objects.offered().count(),
        "characters": used.characters,
        "spoken_jobs": used.jobs,
        "spoken_length": _minutes(used.seconds),
        "voices": list(voices[:RECENT]),
        "jobs": list(SynthesisJob.objects.visible_to(request.user).select_related("voice")[:RECENT]),
    }
    return render(request, "dashboard.html", context)


def _minutes(seconds: float) -> str:
    """As players show it: 83 seconds are 1:23."""
    return f"{round(seconds) // 60}:{round(seconds) % 60:02}"
