"""The demo of a voice, through us: its owner's browser never meets the provider, nor its link."""

from __future__ import annotations

import math
import uuid

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from voices.demo import demo_of
from voices.errors import Busy, NotSupported, VoiceNotReady
from voices.models import VoiceClone
from voices.providers.errors import ProviderError
from voices.serving import serve


@login_required
@require_safe
def voice_demo(request: HttpRequest, pk: uuid.UUID) -> HttpResponseBase:
    """For the owner alone: what is somebody else's is not there. A player shows no page, so whatever goes wrong is put in words."""
    voice = VoiceClone.objects.owned_by(request.user).filter(pk=pk).first()
    if voice is None:
        return _said(404, _("There is nothing here: it does not exist, or it is not yours."))
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
