"""The one address that answers without a log-in: a provider fetches a sample here, with a signed token and nothing else."""

from __future__ import annotations

from pathlib import PurePosixPath

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from voices.models import VoiceSample
from voices.samples import sample_behind
from voices.serving import serve


@csrf_exempt
def sample_file(request: HttpRequest, token: str, name: str) -> HttpResponseBase:
    """One object per token. Whatever is wrong gets the same answer: it must not tell a guesser how close he is."""
    if request.method not in {"GET", "HEAD"}:
        return HttpResponseNotAllowed(["GET", "HEAD"])
    try:
        sample = sample_behind(token)
        if PurePosixPath(sample.prepared.name or "").name != name:
            return _nothing_here()
        return serve(request, sample.prepared, "audio/wav")
    except (VoiceSample.DoesNotExist, Http404):
        return _nothing_here()


def _nothing_here() -> HttpResponse:
    return HttpResponse(
        "Nothing here.\n",
        status=404,
        content_type="text/plain",
        headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
    )
