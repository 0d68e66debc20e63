"""The pages of speech: speak, listen, and what has been spoken. A stranger's job is not found, whatever is asked of it."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from synthesis import audio, job_services, progress, services
from synthesis.forms import MannerForm, engine_of
from synthesis.handover import spoken_by_the_relay
from synthesis.models import SynthesisJob
from synthesis.services import SpeechOrder
from voices.errors import InvalidInput
from voices.models import VoiceClone
from voices.paging import page_of
from voices.providers import registry
from voices.refusing import shown_in
from voices.serving import serve

MOST_VOICES = 200
"""In the picker, of one's own and of the stock voices each."""
UNCHANGED = 204


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def speak(request: HttpRequest) -> HttpResponse:
    """The page; and, by its own form, speech in the background."""
    given = request.POST if request.method == "POST" else request.GET
    voice = _voice(request, given) if given.get("voice") else None
    ready = _ready(request, voice)
    voice = voice or (ready[0] if ready else None)
    form = MannerForm(engine_of(voice), request.POST or None) if voice else None
    if request.method == "POST" and voice and form and form.is_valid():
        with shown_in(form, names={"format": "audio_format"}):
            order = _order(request, voice, form)
            job = services.submit(order, of=services.kept_for(order))
            return redirect("job", job.pk)
    busy = VoiceClone.objects.owned_by(request.user).filter(state__in=VoiceClone.IN_PROGRESS)[:3]
    others = {engine_of(each).slug: engine_of(each) for each in ready}
    if form:
        others.pop(form.engine.slug, None)
    context = {
        "voice": voice,
        "silent": voice is not None and not _can_speak(voice),
        "own": [each for each in ready if not each.is_stock],
        "stock": [each for each in ready if each.is_stock],
        "busy": busy,
        "form": form,
        "manners": [*([form] if form else []), *(MannerForm(engine) for engine in others.values())],
        "text": given.get("text", ""),
    }
    return render(request, "synthesis/speak.html", context, status=422 if form and form.errors else 200)


@login_required
@require_POST
def speech_count(request: HttpRequest) -> HttpResponse:
    """How many characters the provider will count, by its own rule."""
    voice = _voice(request, request.POST)
    characters = voice.traits.count_characters(request.POST.get("text", "").strip())
    limit, _most_bytes = voice.traits.text_limits(voice.model)
    return render(request, "synthesis/count.html", {"characters": characters, "limit": limit})


@login_required
@require_POST
def speech_stream(request: HttpRequest) -> HttpResponse:
    """Begin a job that the relay speaks as the answer. What is refused is told in JSON."""
    voice = _voice(request, request.POST)
    order = _order(request, voice, MannerForm(engine_of(voice), request.POST))
    begun = services.begin(order, of=services.kept_for(order))
    return spoken_by_the_relay(begun.job, wait=begun.wait)


@never_cache
@login_required
@require_safe
def history(request: HttpRequest) -> HttpResponse:
    spoken = SynthesisJob.objects.visible_to(request.user).select_related("voice")
    page = page_of(spoken, before=request.GET.get("before", ""), after=request.GET.get("after", ""))
    return render(request, "synthesis/history.html", {"page": page})


@never_cache
@login_required
@require_safe
def job(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    found = _mine(request, pk)
    settings = [(each, found.options[each.name]) for each in found.voice.traits.speech if each.name in found.options]
    return render(request, "synthesis/job.html", {"job": found, "whole": True, "settings": settings})


@never_cache
@login_required
@require_safe
def job_state(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """One job as a card. `seen`: what the page shows already; `whole`: with all of its text; `bare`: without buttons."""
    found = _mine(request, pk)
    services.look_at(found)
    if request.GET.get("seen") == progress.mark(found):
        return HttpResponse(status=UNCHANGED)
    shown = {"job": found, "whole": "whole" in request.GET, "bare": "bare" in request.GET}
    return render(request, "synthesis/job_card.html", shown)


@never_cache
@login_required
@require_safe
def job_progress(request: HttpRequest, pk: uuid.UUID) -> JsonResponse:
    """`percent` of the text that has been spoken; null where the provider does not tell, and once it has ended."""
    return JsonResponse({"percent": progress.percent(_mine(request, pk))})


@login_required
@require_safe
def job_audio(request: HttpRequest, pk: uuid.UUID) -> HttpResponseBase:
    found = _mine(request, pk)
    if not found.has_audio:
        raise Http404
    name = f"{found.voice.name}-{found.created_at:%Y%m%d-%H%M%S}.{audio.extension(found.audio_format)}"
    content_type = audio.content_type(found.audio_format)
    return serve(request, found.audio, content_type, filename=name, attachment="download" in request.GET)


@login_required
@require_POST
def job_cancel(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    found = _mine(request, pk)
    services.cancel(found)
    messages.success(request, _("It is being cancelled."))
    return redirect("job", found.pk)


@login_required
@require_POST
def job_retry(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    again = job_services.retry(_mine(request, pk))
    return redirect("job", again.pk)


@login_required
@require_POST
def job_delete(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    services.delete(_mine(request, pk))
    messages.success(request, _("The text and its audio are deleted."))
    return redirect("history")


def _mine(request: HttpRequest, pk: uuid.UUID) -> SynthesisJob:
    return get_object_or_404(SynthesisJob.objects.visible_to(request.user).select_related("voice__account"), pk=pk)


def _voice(request: HttpRequest, given: QueryDict) -> VoiceClone:
    try:
        pk = uuid.UUID(given.get("voice", ""))
    except ValueError:
        raise Http404 from None
    return get_object_or_404(VoiceClone.objects.visible_to(request.user).select_related("account"), pk=pk)


def _ready(request: HttpRequest, wanted: VoiceClone | None) -> list[VoiceClone]:
    """The voices that can speak: one's own, newest first, then the stock voices; the one that was asked for among them."""
    speaking = [slug for slug in registry.slugs() if registry.traits(slug).can_synthesize]
    ready = VoiceClone.objects.filter(state=VoiceClone.State.SUCCESS, provider__in=speaking)
    own, stock = ready.owned_by(request.user), ready.offered().order_by("created_at", "pk")
    found = [*own[:MOST_VOICES], *stock[:MOST_VOICES]]
    missing = wanted is not None and _can_speak(wanted) and wanted not in found
    return [wanted, *found] if wanted is not None and missing else found


def _can_speak(voice: VoiceClone) -> bool:
    return voice.is_ready and voice.traits.can_synthesize


def _order(request: HttpRequest, voice: VoiceClone, manner: MannerForm) -> SpeechOrder:
    """Raises as `services.check`, and InvalidInput for a form that cannot be read."""
    if not manner.is_valid():
        raise InvalidInput(fields={name: list(map(str, sentences)) for name, sentences in manner.errors.items()})
    return services.check(request.user, voice=voice, text=request.POST.get("text", ""), **manner.wish())
