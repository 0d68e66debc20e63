"""The pages of voices. A stranger's voice is not found, whatever is asked of it."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render, resolve_url
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect, HttpResponseClientRefresh

from voices import reading, services
from voices.callers import consent_from
from voices.engines import engines
from voices.errors import PortalError
from voices.forms import ImportForm, NewVoiceForm, RecordingForm, RenameForm, texts_of
from voices.models import VoiceClone, VoiceConsent
from voices.paging import page_of
from voices.providers import registry
from voices.providers.errors import ProviderError
from voices.refusing import shown_in
from voices.serving import serve
from voices.stock_forms import StockFilterForm
from voices.uploads import was_too_large

UNCHANGED = 204


@never_cache
@login_required
@require_safe
def voices(request: HttpRequest) -> HttpResponse:
    mine = VoiceClone.objects.owned_by(request.user)
    page = page_of(mine, before=request.GET.get("before", ""), after=request.GET.get("after", ""))
    busy = next((voice for voice in page.rows if voice.in_progress), None)
    if busy is not None:
        services.look_at(busy)
    template = "voices/list_rows.html" if _by_htmx(request) else "voices/list.html"
    stock_voices = VoiceClone.objects.offered().count()
    return render(request, template, {"page": page, "busy": busy is not None, "stock_voices": stock_voices})


@never_cache
@login_required
@require_safe
def stock_voices(request: HttpRequest) -> HttpResponse:
    """The voices that providers bring along; nobody's own, so there is nothing here to change."""
    asked = StockFilterForm(VoiceClone.objects.offered(), request.GET)
    return render(request, "voices/stock.html", {"form": asked, "voices": asked.found()})


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def voice_new(request: HttpRequest) -> HttpResponseBase:
    offered = engines()
    form = NewVoiceForm(offered, request.POST or None, request.FILES or None, cut_off=was_too_large(request))
    if request.method == "POST" and form.is_valid():
        with shown_in(form, form.own_parameters, names={"provider": "engine", "model": "engine"}):
            consent = consent_from(request, ticked=form.cleaned_data["consent"], channel=VoiceConsent.Channel.PAGE)
            voice = services.create_voice(request.user, consent=consent, **form.order())
            return _go_to(request, voice)
    shown = {
        "form": form,
        "engines": {engine.slug: engine.for_the_page() for engine in offered},
        "texts_of": form.texts_of,
        "most_bytes": settings.MAX_SAMPLE_BYTES,
    }
    template = "voices/new_form.html" if _by_htmx(request) else "voices/new.html"
    return render(request, template, shown, status=422 if form.errors else 200)


@never_cache
@login_required
@require_safe
def reading_texts(request: HttpRequest, provider: str) -> HttpResponse:
    """What there is to read aloud, for a form that asks once it is shown: the page itself waits for no provider."""
    if provider not in registry.slugs() or not registry.traits(provider).needs_reading_text:
        raise Http404
    shown: dict[str, Any] = {"provider": provider}
    try:
        shown["texts"] = reading.texts(provider)
    except (PortalError, ProviderError) as error:
        shown["trouble"] = error.sentence
    return render(request, "voices/reading_texts.html", shown)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def voice_import(request: HttpRequest) -> HttpResponseBase:
    """A voice that was trained elsewhere. It is believed once the provider confirms it."""
    offered = engines()
    form = ImportForm(offered, request.POST or None)
    if request.method == "POST" and form.is_valid():
        with shown_in(form, names={"provider": "engine", "model": "engine"}):
            consent = consent_from(request, ticked=form.cleaned_data["consent"], channel=VoiceConsent.Channel.PAGE)
            voice = services.import_voice(request.user, consent=consent, **form.order())
            return redirect("voice", voice.pk)
    return render(request, "voices/import.html", {"form": form, "engines": offered}, status=422 if form.errors else 200)


@never_cache
@login_required
@require_safe
def voice(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    return _shown(request, _visible(request, pk), "voices/detail.html", rename_form=None, recording_form=None)


@never_cache
@login_required
@require_safe
def voice_state(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """What the page asks for every other second while there is something to wait for. `seen`: what it shows already."""
    found = _visible(request, pk)
    services.look_at(found)
    events = list(found.events.all())
    if request.GET.get("seen") == _mark(found, len(events)):
        return HttpResponse(status=UNCHANGED)
    if not found.in_progress:
        return HttpResponseClientRefresh()
    return render(request, "voices/live.html", {"voice": found, "events": events, "mark": _mark(found, len(events))})


@login_required
@require_POST
def voice_rename(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    found = _mine(request, pk)
    form = RenameForm(request.POST)
    if form.is_valid():
        with shown_in(form):
            services.rename(found, name=form.cleaned_data["name"])
            return redirect("voice", found.pk)
    return _shown(request, found, "voices/detail.html", rename_form=form, recording_form=None)


@login_required
@require_POST
def voice_repeats(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Whether it answers repeats: `on` of the form."""
    found = _mine(request, pk)
    services.answer_repeats(found, on=request.POST.get("on") == "yes")
    return redirect("voice", found.pk)


@login_required
@require_POST
def voice_retrain(request: HttpRequest, pk: uuid.UUID) -> HttpResponseBase:
    """From the recording it has; or, when the form brings one, from another with consent of its own."""
    found = _mine(request, pk)
    if request.POST.get("recording") == "same":
        services.retrain(found)
        return redirect("voice", found.pk)
    form = RecordingForm(request.POST, request.FILES, traits=found.traits, cut_off=was_too_large(request))
    if form.is_valid():
        with shown_in(form):
            consent = consent_from(request, ticked=form.cleaned_data["consent"], channel=VoiceConsent.Channel.PAGE)
            sample, reading_id = form.cleaned_data["sample"], form.cleaned_data["reading"]
            services.retrain(found, recording=sample, filename=sample.name, consent=consent, reading_id=reading_id)
            return _go_to(request, found)
    template = "voices/retrain_form.html" if _by_htmx(request) else "voices/detail.html"
    return _shown(request, found, template, rename_form=None, recording_form=form)


@login_required
@require_POST
def voice_delete(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    found = _mine(request, pk)
    services.request_delete(found)
    messages.success(request, _("The voice “%(name)s” is being deleted.") % {"name": found.name})
    return redirect("voices")


@login_required
@require_safe
def voice_sample(request: HttpRequest, pk: uuid.UUID) -> HttpResponseBase:
    """The recording as it came, for the one who sent it."""
    found = _mine(request, pk)
    sample = found.sample
    if sample is None or sample.erased_at:
        raise Http404
    return serve(request, sample.original, sample.content_type, filename=sample.filename)


def _visible(request: HttpRequest, pk: uuid.UUID) -> VoiceClone:
    """To look at: a voice of one's own, or one that everybody may speak with."""
    return get_object_or_404(VoiceClone.objects.visible_to(request.user).select_related("account"), pk=pk)


def _mine(request: HttpRequest, pk: uuid.UUID) -> VoiceClone:
    """To change or to hear the recording of."""
    return get_object_or_404(VoiceClone.objects.owned_by(request.user).select_related("account"), pk=pk)


def _by_htmx(request: HttpRequest) -> bool:
    """Asked by a part of the page for itself."""
    return "HX-Request" in request.headers


def _go_to(request: HttpRequest, found: VoiceClone) -> HttpResponseBase:
    address = resolve_url("voice", found.pk)
    return HttpResponseClientRedirect(address) if _by_htmx(request) else redirect(address)


def _mark(found: VoiceClone, happened: int) -> str:
    return f"{found.state}.{happened}.{found.error_code}"


def _shown(
    request: HttpRequest,
    found: VoiceClone,
    template: str,
    *,
    rename_form: RenameForm | None,
    recording_form: RecordingForm | None,
) -> HttpResponse:
    wrong = any(form is not None and form.errors for form in (rename_form, recording_form))
    events = list(found.events.all())
    context = {
        "voice": found,
        "events": events,
        "mark": _mark(found, len(events)),
        "sample": found.sample,
        "rename_form": rename_form or RenameForm(initial={"name": found.name}),
        "recording_form": recording_form or RecordingForm(),
        "may_change": not found.is_stock,
        "may_retrain": services.may_retrain(found),
        "rules": found.traits.sample,
        "texts_of": texts_of(found.traits),
        "most_bytes": settings.MAX_SAMPLE_BYTES,
    }
    return render(request, template, context, status=422 if wrong else 200)
