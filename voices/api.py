"""/api/v1/voices and /api/v1/providers. Each view: find what this user may touch, check, call one service, respond."""

from __future__ import annotations

import uuid
from functools import partial
from http import HTTPStatus
from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.pagination import CursorPagination
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from voices import catalogue, reading, samples, services
from voices.callers import consent_from, token_of
from voices.errors import SampleRefused
from voices.models import VoiceClone, VoiceConsent, VoiceEvent
from voices.once import IDEMPOTENCY_KEY, once
from voices.providers import registry
from voices.serializers import (
    ChangedVoiceSerializer,
    ImportSerializer,
    NewVoiceFromUrlSerializer,
    NewVoiceSerializer,
    ProvidersSerializer,
    ReadingTextsSerializer,
    RetrainSerializer,
    VoiceEventSerializer,
    VoiceFilterSerializer,
    VoiceSerializer,
    checked,
    naming_fields,
)
from voices.serving import serve
from voices.uploads import was_too_large

API = VoiceConsent.Channel.API


class WhateverIsAccepted(DefaultContentNegotiation):
    """For audio: `Accept: audio/mpeg` asks for the sound, and whoever gets an error instead gets it in JSON."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class OldestFirst(CursorPagination):
    ordering = ("at", "id")
    page_size = 100


def find_voice(request: Request, pk: uuid.UUID) -> VoiceClone:
    """Raises Http404 for what does not exist and for what is somebody else's."""
    return get_object_or_404(shown_voices(request), pk=pk)


def find_own_voice(request: Request, pk: uuid.UUID) -> VoiceClone:
    """To change it. Raises Http404, also for the voices that everybody may speak with."""
    mine = VoiceClone.objects.owned_by(request.user).select_related("account").prefetch_related("samples")
    return get_object_or_404(mine, pk=pk)


def shown_voices(request: Request) -> QuerySet[VoiceClone]:
    return VoiceClone.objects.visible_to(request.user).select_related("account").prefetch_related("samples")


def answered(request: Request, voice: VoiceClone, *, status: int) -> Response:
    """The voice as it stands now; where something has only begun, also where to look at it again."""
    body = VoiceSerializer(find_voice(request, voice.pk), context={"request": request}).data
    return Response(body, status=status, headers={"Location": body["url"]} if status != HTTPStatus.OK else {})


def made_voice(request: Request, pk: uuid.UUID) -> Response | None:
    """The answer for a voice that was made by a request whose process died before it had answered."""
    exists = VoiceClone.objects.owned_by(request.user).filter(pk=pk).exists()
    return answered(request, find_voice(request, pk), status=201) if exists else None


def refuse_too_large(request: Request) -> None:
    """Its bytes were never kept, so that there is nothing for the service to look at. Raises SampleRefused."""
    if was_too_large(request):
        raise SampleRefused(fields={"sample": [samples.too_large().sentence]}, reason=samples.too_large().code)


class VoicesView(GenericAPIView[VoiceClone]):
    required_scopes = {"GET": "voices:read", "POST": "voices:write"}
    parser_classes = [MultiPartParser, *APIView.parser_classes]
    serializer_class = VoiceSerializer

    @extend_schema(
        operation_id="voices_list",
        summary=_("List your voices"),
        description=_(
            "And the stock voices (`kind=stock`), which are everybody's. Newest first. Follow `next` until it is null."
        ),
        parameters=[VoiceFilterSerializer],
        responses=VoiceSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        wanted = checked(VoiceFilterSerializer, request.query_params)
        rows = shown_voices(request)
        for name in ("kind", "state", "provider", "language"):
            if name in wanted:
                rows = rows.filter(**{name: wanted[name]})
        if wanted.get("q"):
            rows = rows.filter(name__icontains=wanted["q"])
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(VoiceSerializer(page, many=True, context={"request": request}).data)

    @extend_schema(
        operation_id="voices_create",
        summary=_("Clone a voice"),
        description=_(
            "Takes the recording in and answers at once; training goes on by itself. Ask `GET /voices/{id}` every few "
            "seconds until `state` is `Success` or `Failed`. A recording that will not do is refused with the reasons, and "
            "nothing of it is kept. As JSON, with `sample_url` in place of the file, the recording is fetched a moment later."
        ),
        request={"multipart/form-data": NewVoiceSerializer, "application/json": NewVoiceFromUrlSerializer},
        parameters=[IDEMPOTENCY_KEY],
        responses={201: VoiceSerializer},
    )
    def post(self, request: Request) -> HttpResponseBase:
        return once(request, partial(self._create, request), made=partial(made_voice, request))

    def _create(self, request: Request, pk: uuid.UUID) -> Response:
        refuse_too_large(request)
        by_url = request.content_type.partition(";")[0].strip() == "application/json"
        shape = NewVoiceFromUrlSerializer if by_url else NewVoiceSerializer
        order = checked(shape, request.data)
        traits = registry.traits(order.get("provider") or catalogue.default_provider())
        model = order.get("model") or traits.default_model
        wanted: dict[str, Any] = {
            "name": order["name"],
            "provider": traits.slug,
            "model": model,
            "language": order.get("language") or catalogue.default_language(traits, model),
            "consent": consent_from(request, ticked=order["consent"], channel=API),
            "enrollment": order.get("parameters"),
            "token_id": token_of(request),
            "reading_id": order["reading"],
            "pk": pk,
        }
        with naming_fields(shape):
            if by_url:
                voice = services.create_voice_from_url(request.user, url=order["sample_url"], **wanted)
            else:
                sample = order["sample"]
                voice = services.create_voice(request.user, recording=sample, filename=sample.name, **wanted)
        return answered(request, voice, status=201)


class VoiceImportView(APIView):
    required_scopes = {"POST": "voices:write"}

    @extend_schema(
        operation_id="voices_import",
        summary=_("Take over a voice that was trained elsewhere"),
        description=_(
            "By its id at the provider, in the account that this site uses. Answers at once; the provider is then asked whether "
            "the voice is there and speaks with that model. Ask `GET /voices/{id}` until `state` is `Success` or `Failed`."
        ),
        request=ImportSerializer,
        parameters=[IDEMPOTENCY_KEY],
        responses={201: VoiceSerializer},
    )
    def post(self, request: Request) -> HttpResponseBase:
        return once(request, partial(self._import, request), made=partial(made_voice, request))

    def _import(self, request: Request, pk: uuid.UUID) -> Response:
        order = checked(ImportSerializer, request.data)
        traits = registry.traits(order["provider"])
        model = order.get("model") or traits.default_model
        voice = services.import_voice(
            request.user,
            name=order["name"],
            provider=traits.slug,
            model=model,
            language=order.get("language") or catalogue.default_language(traits, model),
            remote_id=order["remote_id"],
            consent=consent_from(request, ticked=order["consent"], channel=API),
            token_id=token_of(request),
            pk=pk,
        )
        return answered(request, voice, status=201)


class VoiceView(APIView):
    required_scopes = {"GET": "voices:read", "PATCH": "voices:write", "DELETE": "voices:write"}

    @extend_schema(
        operation_id="voices_read",
        summary=_("Read a voice"),
        description=_("While it trains, asking here makes the portal ask the provider sooner."),
        responses=VoiceSerializer,
    )
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        voice = find_voice(request, pk)
        services.look_at(voice)
        return Response(VoiceSerializer(voice, context={"request": request}).data)

    @extend_schema(
        operation_id="voices_change",
        summary=_("Change a voice"),
        description=_(
            "Its name, and whether it answers repeats. With `answers_repeats` a request of yours for the same text, parameters and "
            "format as before is answered with the audio that was kept: `X-Voice-Repeat: hit`, at once, and nothing is billed."
        ),
        request=ChangedVoiceSerializer,
        responses=VoiceSerializer,
        examples=[OpenApiExample("A new name", value={"name": "Annie, reading"}, request_only=True)],
    )
    def patch(self, request: Request, pk: uuid.UUID) -> Response:
        voice = find_own_voice(request, pk)
        services.change(voice, **checked(ChangedVoiceSerializer, request.data))
        return answered(request, voice, status=200)

    @extend_schema(
        operation_id="voices_delete",
        summary=_("Delete a voice, here and at its provider"),
        description=_(
            "202: the order is taken. `state` is `Deleting` until the provider has deleted its copy, which is tried until it "
            "succeeds; from then on the answer is 404. Recordings are erased with the voice."
        ),
        responses={202: VoiceSerializer},
    )
    def delete(self, request: Request, pk: uuid.UUID) -> Response:
        voice = find_own_voice(request, pk)
        services.request_delete(voice)
        return answered(request, voice, status=202)


class VoiceRetrainView(APIView):
    required_scopes = {"POST": "voices:write"}
    parser_classes = [MultiPartParser]

    @extend_schema(
        operation_id="voices_retrain",
        summary=_("Train a voice anew"),
        description=_(
            "From the recording it has when none is sent. The voice keeps its id; ask for its state as after creation."
        ),
        request={"multipart/form-data": RetrainSerializer},
        parameters=[IDEMPOTENCY_KEY],
        responses={202: VoiceSerializer},
    )
    def post(self, request: Request, pk: uuid.UUID) -> HttpResponseBase:
        return once(request, lambda _new: self._retrain(request, pk))

    def _retrain(self, request: Request, pk: uuid.UUID) -> Response:
        voice = find_own_voice(request, pk)
        refuse_too_large(request)
        order = checked(RetrainSerializer, request.data)
        if "sample" in order:
            consent = consent_from(request, ticked=order["consent"], channel=API)
            services.retrain(
                voice,
                recording=order["sample"],
                filename=order["sample"].name,
                consent=consent,
                reading_id=order["reading"],
                token_id=token_of(request),
            )
        else:
            services.retrain(voice, token_id=token_of(request))
        return answered(request, voice, status=202)


class VoiceEventsView(GenericAPIView[VoiceEvent]):
    required_scopes = {"GET": "voices:read"}
    serializer_class = VoiceEventSerializer
    pagination_class = OldestFirst

    @extend_schema(
        operation_id="voices_events",
        summary=_("What has happened to a voice"),
        description=_("Oldest first: every change of state, with what the provider said."),
        responses=VoiceEventSerializer(many=True),
    )
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        page = self.paginate_queryset(VoiceEvent.objects.filter(row=find_voice(request, pk)))
        return self.get_paginated_response(VoiceEventSerializer(page, many=True).data)


class VoiceSampleView(APIView):
    required_scopes = {"GET": "voices:read"}
    content_negotiation_class = WhateverIsAccepted

    @extend_schema(
        operation_id="voices_sample",
        summary=_("Hear the recording a voice was made from"),
        description=_("The original, as it was sent. Takes Range."),
        responses={
            (200, "audio/*"): OpenApiResponse(OpenApiTypes.BINARY, description="The file."),
            (206, "audio/*"): OpenApiResponse(OpenApiTypes.BINARY, description="The range that was asked for."),
        },
    )
    def get(self, request: Request, pk: uuid.UUID) -> HttpResponseBase:
        sample = find_own_voice(request, pk).sample
        if sample is None:
            raise Http404
        return serve(request, sample.original, sample.content_type, filename=sample.filename)


class ProvidersView(APIView):
    required_scopes = {"GET": "voices:read"}

    @extend_schema(
        operation_id="providers",
        summary=_("What each provider can do"),
        description=_(
            "Models, languages, parameters with their ranges, formats, what a recording must be, and the consent statement: "
            "all that a request is checked against."
        ),
        responses=ProvidersSerializer,
    )
    def get(self, request: Request) -> Response:
        return Response(ProvidersSerializer(catalogue.catalogue()).data)


class ReadingTextsView(APIView):
    required_scopes = {"GET": "voices:read"}

    @extend_schema(
        operation_id="providers_reading_texts",
        summary=_("What may be read aloud for a recording"),
        description=_(
            "Where the provider `needs_reading_text`, it compares the recording with the text whose id is given as `reading`. "
            "None for a provider that takes any speech. The provider is asked once an hour; until it answers, the error says why."
        ),
        responses=ReadingTextsSerializer,
    )
    def get(self, request: Request, slug: str) -> Response:
        if slug not in registry.slugs():
            raise Http404
        return Response(ReadingTextsSerializer({"texts": reading.texts(slug)}).data)
