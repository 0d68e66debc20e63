"""/api/v1/speech, /api/v1/jobs and /api/v1/usage. Each view: find what this user may touch, check, call one service, respond."""

from __future__ import annotations

import uuid
from datetime import timedelta
from http import HTTPStatus

from django.db.models.functions import Left
from django.http import Http404
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

from synthesis import audio, services
from synthesis.models import SynthesisJob
from synthesis.serializers import (
    JobFilterSerializer,
    JobSerializer,
    JobSummarySerializer,
    SpeechSerializer,
    UsageFilterSerializer,
    UsageSerializer,
)
from synthesis.services import SpeechOrder
from voices.api import WhateverIsAccepted
from voices.errors import NotSupported
from voices.models import VoiceClone
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


def checked_order(request: Request) -> SpeechOrder:
    wanted = checked(SpeechSerializer, request.data)
    with naming_fields(SpeechSerializer):
        return services.check(
            request.user,
            voice=find_voice(request, wanted["voice"]),
            text=wanted["text"],
            audio_format=wanted.get("format", ""),
            sample_rate=wanted.get("sample_rate"),
            parameters=wanted.get("parameters"),
        )


def answered(request: Request, job: SynthesisJob, *, status: int) -> Response:
    body = JobSerializer(job, context={"request": request}).data
    return Response(body, status=status, headers={"Location": body["url"]} if status != HTTPStatus.OK else {})


class SpeechView(APIView):
    required_scopes = {"POST": "speech"}
    content_negotiation_class = WhateverIsAccepted

    @extend_schema(
        operation_id="speech",
        summary="Speak now, streamed",
        description=(
            "The audio arrives while it is being spoken. Nothing is answered before the first audio is there, so a refusal is "
            "an ordinary error with its status. Should the provider fail later, the transfer breaks off instead of ending: "
            "take audio as whole only when the transfer ended properly. `X-Job-Id` names the job, whose audio can be "
            "downloaded again. Leaving early stops the job; what was spoken until then is counted."
        ),
        request=SpeechSerializer,
        examples=[AN_ORDER],
        responses={(200, "audio/*"): OpenApiResponse(OpenApiTypes.BINARY, description="The audio, as it is spoken.")},
        parameters=[
            OpenApiParameter(
                "X-Job-Id", OpenApiTypes.UUID, OpenApiParameter.HEADER, response=[200], description="The job's id."
            )
        ],
    )
    def post(self, request: Request) -> Response:
        """Described here; answered by the relay, which stands in front of Django in the portal's own web server."""
        raise NotSupported(_("Only the portal's own web server streams speech. Please start it with script/server."))


class JobsView(GenericAPIView[SynthesisJob]):
    required_scopes = {"GET": "jobs:read", "POST": "speech"}
    serializer_class = JobSummarySerializer

    @extend_schema(
        operation_id="jobs_list",
        summary="List what was spoken",
        description="Newest first, streamed and in the background. Follow `next` until it is null.",
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
        summary="Speak in the background",
        description="Ask `GET /jobs/{id}` until `state` is `Success`, `Failed` or `Cancelled`, then fetch its audio.",
        request=SpeechSerializer,
        examples=[AN_ORDER],
        responses={201: JobSerializer},
    )
    def post(self, request: Request) -> Response:
        return answered(request, services.submit(checked_order(request)), status=201)


class JobView(APIView):
    required_scopes = {"GET": "jobs:read", "DELETE": "speech"}

    @extend_schema(operation_id="jobs_read", summary="Read a job", responses=JobSerializer)
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        job = find_job(request, pk)
        services.look_at(job)
        return answered(request, job, status=200)

    @extend_schema(
        operation_id="jobs_delete",
        summary="Delete a job's text and audio",
        description="Its characters stay in your usage, since they were paid. A job in work has to be cancelled first (409).",
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
        summary="Download what was spoken",
        description="Takes Range. 409 while there is none: `audio_not_ready` passes, `no_audio_kept` stays.",
        responses={
            (200, "audio/*"): OpenApiResponse(OpenApiTypes.BINARY, description="The file."),
            (206, "audio/*"): OpenApiResponse(OpenApiTypes.BINARY, description="The range that was asked for."),
        },
    )
    def get(self, request: Request, pk: uuid.UUID) -> HttpResponseBase:
        job = find_job(request, pk)
        filename = f"{job.pk}.{audio.extension(job.audio_format)}"
        return serve(request, services.audio_of(job), audio.content_type(job.audio_format), filename=filename)


class JobCancelView(APIView):
    required_scopes = {"POST": "speech"}

    @extend_schema(
        operation_id="jobs_cancel",
        summary="Cancel a job",
        description="One that waits is cancelled at once; one that speaks stops within seconds. 409 when it has ended.",
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
        summary="Speak the same again",
        description="As a new job in the background, with the text, voice and parameters of the old one.",
        request=None,
        responses={201: JobSerializer},
    )
    def post(self, request: Request, pk: uuid.UUID) -> Response:
        return answered(request, services.retry(find_job(request, pk)), status=201)


class UsageView(APIView):
    required_scopes = {"GET": "usage:read"}

    @extend_schema(
        operation_id="usage",
        summary="What you have used",
        description="By day (the site's time zone) and provider, newest first. Deleted jobs still count.",
        parameters=[UsageFilterSerializer],
        responses=UsageSerializer,
    )
    def get(self, request: Request) -> Response:
        days = checked(UsageFilterSerializer, request.query_params)["days"]
        today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
        since = today - timedelta(days=days - 1)
        used = services.usage(request.user, since=since)
        body = {
            "since": since.date(),
            "jobs": sum(each.jobs for each in used),
            "characters": sum(each.characters for each in used),
            "seconds": round(sum(each.seconds for each in used), 1),
            "days": used,
        }
        return Response(UsageSerializer(body).data)
