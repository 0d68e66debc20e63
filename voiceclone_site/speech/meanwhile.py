"""The doors, driven synchronously by Django: only until the relay does it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import NotAuthenticated, PermissionDenied

from synthesis import services
from synthesis.delivery import plan
from synthesis.streaming import SpeechStream
from voiceclone_site.accounts.authentication import owner_of
from voiceclone_site.accounts.errors import TokenMissing
from voiceclone_site.errors import Problem, problem_of
from voiceclone_site.requests import current_request_id
from voiceclone_site.speech.dialect import Asked, Dialect, Speaking, SpeechWish, Spoken, Token, VoiceRef
from voiceclone_site.speech.routes import ROUTES
from voices.errors import Fault, InvalidInput
from voices.models import Owner, VoiceClone
from voices.providers.base import Mark


@csrf_exempt
def speech(request: HttpRequest, path: str = "") -> HttpResponseBase:
    for route in ROUTES:
        if found := route.pattern.fullmatch(request.path_info):
            if request.method != "POST":
                problem = Problem(status=405, code="method_not_allowed", message=_("This address takes POST alone."))
                refused = route.dialect.refusal(problem)
                return HttpResponse(refused.body, status=405, headers={**refused.headers, "Allow": "POST"})
            return _answer(request, route.dialect, found.groupdict())
    raise Http404


def _answer(request: HttpRequest, dialect: Dialect, captured: dict[str, str]) -> HttpResponseBase:
    try:
        asked = Asked(
            method="POST",
            path=request.path_info,
            query={name: str(value) for name, value in request.GET.items()},
            headers={name.lower(): value for name, value in request.headers.items()},
            body=request.body,
            captured=captured,
        )
        owner = _owner(dialect, asked)
        wish = dialect.wish(asked)
        voice = _find(owner, wish.voice)
        with _naming(dialect):
            if wish.model and wish.model != voice.model:
                raise InvalidInput(
                    fields={"model": [_("This voice speaks with another model. Leave the model to it.")]}
                )
            delivery = plan(
                voice.traits,
                voice.model,
                audio_format=wish.audio_format,
                sample_rate=wish.sample_rate,
                bit_rate=wish.bit_rate,
                speed=wish.speed,
                hints=wish.hints,
                word_times=wish.marks,
            )
            order = services.check(
                owner,
                voice=voice,
                text=wish.text,
                audio_format=delivery.source_format,
                sample_rate=delivery.source_rate,
                parameters={**delivery.parameters, **wish.parameters},
            )
        stream = services.speak(order)
    except Exception as error:
        problem = problem_of(error)
        if problem is None:
            raise
        refused = dialect.refusal(problem)
        return HttpResponse(refused.body, status=refused.status, headers=dict(refused.headers))
    speaking = Speaking(
        job_id=stream.job.pk,
        voice_id=voice.pk,
        provider=voice.provider,
        model=voice.model,
        text=wish.text,
        audio_format=delivery.audio_format,
        sample_rate=delivery.sample_rate,
        characters=order.characters,
        request_id=current_request_id(),
    )
    usual = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}
    return StreamingHttpResponse(
        _Framed(stream, dialect, wish, speaking, delivery),
        headers={**usual, **dialect.headers(wish, speaking)},
    )


class _Framed:
    def __init__(
        self, stream: SpeechStream, dialect: Dialect, wish: SpeechWish, speaking: Speaking, delivery: Any
    ) -> None:
        self._stream = stream
        self._framing = dialect.framing(wish, speaking)
        self._delivery = delivery
        self._told = 0

    def close(self) -> None:
        self._stream.close()

    def __iter__(self) -> Iterator[bytes]:
        encoder = None if self._delivery.is_untouched else self._delivery.encoder()
        yield self._framing.opening()
        try:
            for chunk in self._stream:
                yield self._framing.audio(encoder.feed(chunk) if encoder else chunk, self._marks())
        except Exception as error:
            yield self._framing.failure(problem_of(error) or problem_of(Fault()) or _never())
            raise
        yield self._framing.audio(encoder.finish() if encoder else b"", self._marks())
        seconds = self._stream.job.seconds
        milliseconds = round(seconds * 1000 / self._delivery.tempo) if seconds else None
        yield self._framing.ending(Spoken(characters=self._stream.tally.characters, milliseconds=milliseconds))

    def _marks(self) -> list[Mark]:
        marks = self._stream.tally.marks[self._told :]
        self._told += len(marks)
        tempo = self._delivery.tempo
        return [Mark(mark["text"], round(mark["begin_ms"] / tempo), round(mark["end_ms"] / tempo)) for mark in marks]


def _never() -> Problem:
    raise AssertionError


def _owner(dialect: Dialect, asked: Asked) -> Owner:
    credential = dialect.credential(asked)
    assert isinstance(credential, Token)
    if not credential.text:
        raise NotAuthenticated(TokenMissing.default_sentence, TokenMissing.code)
    owner, token = owner_of(credential.text)
    if "speech" not in token.scopes:
        raise PermissionDenied(
            _("This token may not do that: it lacks the scope “%(scope)s”. Make one that has it.")
            % {"scope": "speech"},
            "scope_missing",
        )
    return owner


def _find(owner: Owner, ref: VoiceRef) -> VoiceClone:
    voices = VoiceClone.objects.visible_to(owner).select_related("account")
    try:
        found = voices.filter(pk=uuid.UUID(ref.text)).first()
    except ValueError:
        found = None
    if found is None and ref.may_be_name:
        named = list(voices.filter(name=ref.text)[:20])
        found = next((voice for voice in named if voice.is_ready), named[0] if named else None)
    if found is None:
        raise Http404
    return found


@contextmanager
def _naming(dialect: Dialect) -> Iterator[None]:
    try:
        yield
    except InvalidInput as wrong:
        wrong.fields = {dialect.naming(name): words for name, words in wrong.fields.items()}
        raise
