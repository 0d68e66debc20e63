"""/api/v1/speech, /api/v1/jobs and /api/v1/usage. Each view: find what this user may touch, check, call one service, respond."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from functools import cache, partial
from http import HTTPStatus
from typing import Any

from django.db.models.functions import Left
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from synthesis import audio, job_services, services, stream_services, subtitles
from synthesis.errors import NoAudio
from synthesis.handover import spoken_by_the_relay
from synthesis.models import SynthesisJob
from synthesis.serializers import (
    AlignmentSerializer,
    BatchSerializer,
    CreatedBatchSerializer,
    JobFilterSerializer,
    JobSerializer,
    JobSummarySerializer,
    NewJobSerializer,
    SpeechSerializer,
    UsageFilterSerializer,
    UsageSerializer,
)
from synthesis.services import SpeechOrder
from synthesis.stream_services import StreamOrder
from voices import usage
from voices.api import WhateverIsAccepted
from voices.callers import token_of
from voices.errors import InvalidInput, KeyInUse
from voices.models import VoiceClone
from voices.once import IDEMPOTENCY_KEY, once
from voices.serializers import checked, naming_fields
from voices.serving import serve

EXCERPT = 120

AN_ORDER = OpenApiExample(
    "A sentence, a little faster",
    value={
        "voice": "0b9c1e7e-3f0d-4a53-9b57-5a4d8f0c9e11",
        "text": "今天天气怎么样？",
        "format": "mp3",
        "parameters": {"rate": 1.1},
    },
    request_only=True,
)


def find_job(request: Request, pk: uuid.UUID) -> SynthesisJob:
    """Raises Http404 for what does not exist and for what is somebody else's."""
    return get_object_or_404(SynthesisJob.objects.visible_to(request.user).select_related("voice__account"), pk=pk)


def find_voice(request: Request, pk: str) -> VoiceClone:
    """Raises Http404 also for what is no id at all."""
    try:
        wanted = uuid.UUID(pk)
    except ValueError:
        raise Http404 from None
    return get_object_or_404(VoiceClone.objects.visible_to(request.user).select_related("account"), pk=wanted)


def checked_order(request: Request) -> StreamOrder:
    wanted = checked(SpeechSerializer, request.data)
    with naming_fields(SpeechSerializer):
        return stream_services.check_stream(
            request.user,
            voice=find_voice(request, wanted["voice"]),
            text=wanted["text"],
            audio_format=asked_format(request, wanted),
            sample_rate=wanted.get("sample_rate"),
            parameters=wanted.get("parameters"),
            token_id=token_of(request),
        )


def asked_format(request: Request, wanted: Mapping[str, Any]) -> str:
    """What the body names, else what `Accept` does; empty for the provider's default."""
    return wanted.get("format") or audio.accepted_format(request.headers.get("Accept", ""))


def checked_job(request: Request, voice: VoiceClone, wanted: Mapping[str, Any], text: str) -> SpeechOrder:
    return job_services.check_long(
        request.user,
        voice=voice,
        text=text,
        audio_format=asked_format(request, wanted),
        sample_rate=wanted.get("sample_rate"),
        parameters=wanted.get("parameters") or {},
        word_times=wanted["word_times"],
        token_id=token_of(request),
    )


def checked_batch(request: Request) -> list[SpeechOrder]:
    """All of them, or InvalidInput naming every text that will not do, as `texts.0`."""
    wanted = checked(BatchSerializer, request.data)
    voice = find_voice(request, wanted["voice"])
    orders: list[SpeechOrder] = []
    wrong: dict[str, Any] = {}
    for place, text in enumerate(wanted["texts"]):
        try:
            with naming_fields(NewJobSerializer):
                orders.append(checked_job(request, voice, wanted, text))
        except InvalidInput as error:
            wrong |= {f"texts.{place}" if name == "text" else name: words for name, words in error.fields.items()}
    if wrong:
        raise InvalidInput(fields=wrong)
    return orders


def answered(request: Request, job: SynthesisJob, *, status: int) -> Response:
    body = JobSerializer(job, context={"request": request}).data
    return Response(body, status=status, headers={"Location": body["url"]} if status != HTTPStatus.OK else {})


def made_job(request: Request, pk: uuid.UUID) -> Response | None:
    """The answer for a job that was made by a request whose process died before it had answered."""
    job = SynthesisJob.objects.visible_to(request.user).filter(pk=pk).first()
    return None if job is None else answered(request, job, status=201)


def spoken_before(request: Request, pk: uuid.UUID) -> HttpResponseBase | None:
    """The sound that the same request was answered with before, as a file. Raises KeyInUse while it is still being spoken, and
    NoAudio when it came to nothing: to have it spoken anew, which may be paid anew, takes another key."""
    job = SynthesisJob.objects.filter(owner=request.user.pk, pk=pk).select_related("voice__account").first()
    if job is None:
        return None
    if job.in_progress:
        raise KeyInUse(retry_after=2)
    if job.deleted_at or not job.has_audio:
        raise NoAudio
    answer = _sound_of(request, job)
    answer["X-Job-Id"] = str(job.pk)
    return answer


def _sound_of(request: Request, job: SynthesisJob) -> HttpResponseBase:
    """What is kept is what the provider spoke; where another format left, it is made again as it was made then."""
    wanted = checked(SpeechSerializer, request.data)
    audio_format = asked_format(request, wanted) or job.voice.traits.default_format
    delivery = stream_services.delivery_of(job, audio_format, wanted.get("sample_rate"))
    content_type = audio.content_type(delivery.audio_format)
    if delivery.is_untouched:
        return serve(request, job.audio, content_type, filename=f"{job.pk}.{audio.extension(job.audio_format)}")
    return StreamingHttpResponse(delivery.encoded(job.audio.open("rb")), content_type=content_type)


def subtitled(job: SynthesisJob, write: Callable[[Sequence[subtitles.Cue]], str], *, content_type: str) -> HttpResponse:
    cues = subtitles.track(job.text, services.marks_of(job))
    return HttpResponse(write(cues), content_type=f"{content_type}; charset=utf-8")


class SpeechView(APIView):
    required_scopes = {"POST": "speech"}
    content_negotiation_class = WhateverIsAccepted

    @extend_schema(
        operation_id="speech",
        summary=_("Speak now, streamed"),
        description=_(
            "The audio arrives while it is being spoken. Nothing is answered before the first audio is there, so a refusal is "
            "an ordinary error with its status. Should the provider fail later, the transfer breaks off instead of ending: "
            "take audio as whole only when the transfer ended properly. `X-Job-Id` names the job, whose audio can be "
            "downloaded again. Leaving early stops the job; what was spoken until then is counted."
        ),
        request=SpeechSerializer,
        examples=[AN_ORDER],
        responses={(200, "audio/*"): OpenApiResponse(OpenApiTypes.BINARY, description="The audio, as it is spoken.")},
        parameters=[
            IDEMPOTENCY_KEY,
            OpenApiParameter(
                "X-Job-Id", OpenApiTypes.UUID, OpenApiParameter.HEADER, response=[200], description="The job's id."
            ),
            OpenApiParameter(
                "X-Voice-Repeat",
                OpenApiTypes.STR,
                OpenApiParameter.HEADER,
                response=[200],
                description="`hit`: the voice answers repeats, and this is the audio of an earlier job. Nothing is billed.",
            ),
        ],
    )
    def post(self, request: Request) -> HttpResponseBase:
        """Only with an Idempotency-Key does a request come this far; without one the relay answers it before Django does."""

        def act(pk: uuid.UUID) -> HttpResponseBase:
            wanted = checked_order(request)
            begun = services.begin(wanted.order, pk=pk, of=services.kept_for(wanted.order))
            return spoken_by_the_relay(begun.job, wait=begun.wait, delivery=wanted.delivery)

        return once(request, act, made=partial(spoken_before, request))


class JobsView(GenericAPIView[SynthesisJob]):
    required_scopes = {"GET": "jobs:read", "POST": "speech"}
    content_negotiation_class = WhateverIsAccepted
    serializer_class = JobSummarySerializer

    @extend_schema(
        operation_id="jobs_list",
        summary=_("List what was spoken"),
        description=_("Newest first, streamed and in the background. Follow `next` until it is null."),
        parameters=[JobFilterSerializer],
        responses=JobSummarySerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        wanted = checked(JobFilterSerializer, request.query_params)
        rows = SynthesisJob.objects.visible_to(request.user).filter(**wanted).select_related("voice")
        page = self.paginate_queryset(rows.defer("text", "marks").annotate(excerpt=Left("text", EXCERPT)))
        return self.get_paginated_response(JobSummarySerializer(page, many=True, context={"request": request}).data)

    @extend_schema(
        operation_id="jobs_create",
        summary=_("Speak in the background"),
        description=_(
            "Ask `GET /jobs/{id}` until `state` is `Success`, `Failed` or `Cancelled`, then fetch its audio."
        ),
        request=NewJobSerializer,
        examples=[AN_ORDER],
        parameters=[IDEMPOTENCY_KEY],
        responses={201: JobSerializer},
    )
    def post(self, request: Request) -> HttpResponseBase:
        def act(pk: uuid.UUID) -> HttpResponseBase:
            wanted = checked(NewJobSerializer, request.data)
            with naming_fields(NewJobSerializer):
                order = checked_job(request, find_voice(request, wanted["voice"]), wanted, wanted["text"])
            return answered(request, services.submit(order, pk=pk, of=services.kept_for(order)), status=201)

        return once(request, act, made=partial(made_job, request))


class BatchView(APIView):
    required_scopes = {"POST": "speech"}
    content_negotiation_class = WhateverIsAccepted

    @extend_schema(
        operation_id="jobs_batch",
        summary=_("Speak many texts in the background"),
        description=_("One job for each text, with one voice and the same settings. All of them are taken, or none."),
        request=BatchSerializer,
        examples=[
            OpenApiExample(
                "Two lines",
                value={"voice": AN_ORDER.value["voice"], "texts": ["第一句。", "第二句。"], "format": "mp3"},
                request_only=True,
            )
        ],
        parameters=[IDEMPOTENCY_KEY],
        responses={201: CreatedBatchSerializer},
    )
    def post(self, request: Request) -> HttpResponseBase:
        @cache
        def found() -> tuple[list[SpeechOrder], list[SynthesisJob | None]]:
            orders = checked_batch(request)
            return orders, [services.kept_for(order) for order in orders]

        def act(_pk: uuid.UUID) -> Response:
            orders, kept = found()
            batch, jobs = job_services.submit_batch(orders, of=kept)
            body = {"batch": batch, "jobs": jobs}
            return Response(CreatedBatchSerializer(body, context={"request": request}).data, status=201)

        return once(request, act, in_one=True, first=found)


class JobView(APIView):
    required_scopes = {"GET": "jobs:read", "DELETE": "speech"}

    @extend_schema(operation_id="jobs_read", summary=_("Read a job"), responses=JobSerializer)
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        job = find_job(request, pk)
        services.look_at(job)
        return answered(request, job, status=200)

    @extend_schema(
        operation_id="jobs_delete",
        summary=_("Delete a job's text and audio"),
        description=_(
            "Its characters stay in your usage, since they were paid. A job in work has to be cancelled first (409)."
        ),
        responses={204: None},
    )
    def delete(self, request: Request, pk: uuid.UUID) -> Response:
        services.delete(find_job(request, pk))
        return Response(status=204)


class JobAudioView(APIView):
    required_scopes = {"GET": "jobs:read"}
    content_negotiation_class = WhateverIsAccepted

    @extend_schema(
        operation_id="jobs_audio",
        summary=_("Download what was spoken"),
        description=_("Takes Range. 409 while there is none: `audio_not_ready` passes, `no_audio_kept` stays."),
        responses={
            (200, "audio/*"): OpenApiResponse(OpenApiTypes.BINARY, description="The file."),
            (206, "audio/*"): OpenApiResponse(OpenApiTypes.BINARY, description="The range that was asked for."),
        },
    )
    def get(self, request: Request, pk: uuid.UUID) -> HttpResponseBase:
        job = find_job(request, pk)
        filename = f"{job.pk}.{audio.extension(job.audio_format)}"
        return serve(request, services.audio_of(job), audio.content_type(job.audio_format), filename=filename)


class JobAlignmentView(APIView):
    required_scopes = {"GET": "jobs:read"}

    @extend_schema(
        operation_id="jobs_alignment",
        summary=_("What of the text is heard when"),
        description=_(
            "From the word times, where the job was made with `word_times`; 409 `no_word_times` without them."
        ),
        responses=AlignmentSerializer,
    )
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        job = find_job(request, pk)
        body = {"text": job.text, "stretches": subtitles.stretches(job.text, services.marks_of(job))}
        return Response(AlignmentSerializer(body).data)


class SrtView(APIView):
    required_scopes = {"GET": "jobs:read"}
    content_negotiation_class = WhateverIsAccepted

    @extend_schema(
        operation_id="jobs_subtitles_srt",
        summary=_("Subtitles as SRT"),
        description=_(
            "Two lines of 16 Chinese or 42 Latin characters at most. 409 `no_word_times` without word times."
        ),
        responses={(200, "application/x-subrip"): OpenApiTypes.STR},
    )
    def get(self, request: Request, pk: uuid.UUID) -> HttpResponse:
        return subtitled(find_job(request, pk), subtitles.srt, content_type="application/x-subrip")


class VttView(APIView):
    required_scopes = {"GET": "jobs:read"}
    content_negotiation_class = WhateverIsAccepted

    @extend_schema(
        operation_id="jobs_subtitles_vtt",
        summary=_("Subtitles as WebVTT"),
        description=_("As `subtitles.srt`, for a `<track>` of a page."),
        responses={(200, "text/vtt"): OpenApiTypes.STR},
    )
    def get(self, request: Request, pk: uuid.UUID) -> HttpResponse:
        return subtitled(find_job(request, pk), subtitles.vtt, content_type="text/vtt")


class JobCancelView(APIView):
    required_scopes = {"POST": "speech"}

    @extend_schema(
        operation_id="jobs_cancel",
        summary=_("Cancel a job"),
        description=_(
            "One that waits is cancelled at once; one that speaks stops within seconds. 409 when it has ended."
        ),
        request=None,
        responses={202: JobSerializer},
    )
    def post(self, request: Request, pk: uuid.UUID) -> Response:
        job = find_job(request, pk)
        services.cancel(job)
        return answered(request, find_job(request, pk), status=202)


class JobRetryView(APIView):
    required_scopes = {"POST": "speech"}

    @extend_schema(
        operation_id="jobs_retry",
        summary=_("Speak the same again"),
        description=_("As a new job in the background, with the text, voice and parameters of the old one."),
        request=None,
        parameters=[IDEMPOTENCY_KEY],
        responses={201: JobSerializer},
    )
    def post(self, request: Request, pk: uuid.UUID) -> HttpResponseBase:
        def act(new: uuid.UUID) -> HttpResponseBase:
            job = job_services.retry(find_job(request, pk), token_id=token_of(request), pk=new)
            return answered(request, job, status=201)

        return once(request, act, made=partial(made_job, request))


class UsageView(APIView):
    required_scopes = {"GET": "usage:read"}

    @extend_schema(
        operation_id="usage",
        summary=_("What you have used"),
        description=_(
            "By day (the site's time zone), voice, token and provider; days newest first. Deleted jobs and voices still count, "
            "work under way counts with what is held for it."
        ),
        parameters=[UsageFilterSerializer],
        responses=UsageSerializer,
    )
    def get(self, request: Request) -> Response:
        days = checked(UsageFilterSerializer, request.query_params)["days"]
        since = timezone.localdate() - timedelta(days=days - 1)
        of_days = usage.used_by(request.user, "day", "provider", since=since)
        of_voices = {pk: used for (pk,), used in usage.used_by(request.user, "voice", since=since).items()}
        of_tokens = usage.used_by(request.user, "token", "token__name", since=since)
        of_providers = {slug: usage.Used() for _day, slug in of_days}
        for (_day, slug), used in of_days.items():
            of_providers[slug] += used
        names = dict(VoiceClone.objects.filter(pk__in=of_voices).values_list("pk", "name"))
        body = {
            "since": since,
            **asdict(usage.total(of_days.values())),
            "days": [{"day": day, "provider": slug} | asdict(used) for (day, slug), used in of_days.items()],
            "voices": [{"voice": pk, "name": names.get(pk, "")} | asdict(used) for pk, used in of_voices.items()],
            "tokens": [
                {"token": None if token is None else name or ""} | asdict(used)
                for (token, name), used in of_tokens.items()
            ],
            "providers": [{"provider": slug} | asdict(used) for slug, used in of_providers.items()],
        }
        return Response(UsageSerializer(body).data)
