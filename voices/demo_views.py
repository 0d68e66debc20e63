"""The demo of a voice, through us: its owner's browser never meets the provider, nor its link."""

from __future__ import annotations

import math
import uuid

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from voices.demo import demo_of
from voices.errors import Busy, NotSupported, VoiceNotReady
from voices.models import VoiceClone
from voices.providers.errors import ProviderError
from voices.serving import serve


@login_required
@require_safe
def voice_demo(request: HttpRequest, pk: uuid.UUID) -> HttpResponseBase:
    """For the owner alone; what is not there answers like what is somebody else's. Players show no page, so errors are words."""
    voice = get_object_or_404(VoiceClone.objects.owned_by(request.user), pk=pk)
    try:
        demo = demo_of(voice)
    except (NotSupported, VoiceNotReady) as error:
        return _said(404, str(error.sentence))
    except Busy as error:
        return _said(503, str(error.sentence), retry_after=error.retry_after)
    except ProviderError as error:
        return _said(502, str(error.sentence), retry_after=error.retry_after)
    return serve(request, demo, demo.content_type)


def _said(status: int, sentence: str, *, retry_after: float | None = None) -> HttpResponse:
    headers = {"Cache-Control": "no-store"}
    if retry_after is not None:
        headers["Retry-After"] = str(math.ceil(retry_after))
    return HttpResponse(f"{sentence}\n", status=status, content_type="text/plain; charset=utf-8", headers=headers)
