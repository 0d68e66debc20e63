"""The relay's front door: an ASGI application outside Django's request machinery, for the routes that stream speech.

    body ─► wish ─► admission (one visit to the database) ─► first audio ─► 200, headers ─► audio, as it comes ─► settled ─► end

What is refused before the first audio is an honest answer in the dialect's words. What breaks after it breaks the transfer: the
connection is closed without the end of its chunks, and never as if all had been said.
"""

from __future__ import annotations

import asyncio
import functools
import io
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from django.utils import translation
from django.utils.translation.trans_real import get_supported_language_variant, parse_accept_lang_header

from synthesis import audio, repeats
from synthesis.delivery import Delivery
from synthesis.errors import ClientLeft
from synthesis.models import SynthesisJob
from synthesis.relay import Relay, Voice
from synthesis.replay import Replay
from voiceclone_site.accounts.authentication import address_of
from voiceclone_site.django_threads import Headers, Receive, Scope, Send, environ_of
from voiceclone_site.errors import Problem, problem_of
from voiceclone_site.listening import PATIENCE
from voiceclone_site.metrics import http_requests
from voiceclone_site.requests import request_id_from, set_request_id
from voiceclone_site.speech.admission import Admission, Admitted, Asking, Caller, Candidate, begun_by_a_view
from voiceclone_site.speech.dialect import Answer, Asked, Dialect, Route, Speaking, SpeechWish, Spoken, VoiceRef
from voiceclone_site.speech.routes import ROUTES
from voices import logbook
from voices.errors import Fault
from voices.providers.errors import ProviderError
from voices.threads import on_a_living_connection

if TYPE_CHECKING:
    from synthesis.encoder import Encoder

logger = logging.getLogger(__name__)

OF_A_BODY = {b"content-type", b"content-length", b"cache-control"}
LARGEST_BODY = 4 * 1024 * 1024
PATIENCE_WITH_A_READER = 60.0
"""Seconds in which a listener has to take something in; whoever does not is taken to have left."""
STREAMED = {"X-Accel-Buffering": "no", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


NO_WISH = SpeechWish(voice=VoiceRef(""), text="")


class _Left(Exception):
    """There is nobody to answer any more, or nothing more to say: the transfer ends here, broken if it had begun."""


@dataclass(slots=True)
class Exchange:
    """One request, and the way back to whoever sent it. `wish` and `headers` of its answer are known when it is let in."""

    dialect: Dialect
    request_id: str
    scope: Scope
    receive: Receive = field(repr=False)
    send: Send = field(repr=False)
    wish: SpeechWish = NO_WISH
    headers: Mapping[str, str] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    async def answer(self, whole: Answer) -> None:
        self.count(whole.status)
        headers = {**whole.headers, "Content-Length": str(len(whole.body)), "X-Request-Id": self.request_id}
        await self.send({"type": "http.response.start", "status": whole.status, "headers": _encoded(headers)})
        await self.send({"type": "http.response.body", "body": whole.body})

    def count(self, status: int) -> None:
        """An answer begins. As MetricsMiddleware counts what Django answers."""
        seconds = time.monotonic() - self.began
        http_requests.labels("POST", f"speech {self.dialect.name}", status).observe(seconds)


class Response:
    """The 200 answer, whose headers leave with its first bytes.

    HTTP/1.0 tells the end of a body by its length, or by nothing that could be told from a break: it gets the whole at once.
    """

    def __init__(self, exchange: Exchange, headers: Mapping[str, str]) -> None:
        self._exchange = exchange
        self._send = exchange.send
        self._headers: Mapping[str, str] | None = headers
        self._whole: list[bytes] | None = [] if exchange.scope["http_version"] == "1.0" else None
        self._patience = _Patience(PATIENCE_WITH_A_READER)

    async def send(self, body: bytes) -> None:
        """Raises TimeoutError when the reader takes nothing in."""
        if not body:
            return
        if self._whole is not None:
            self._whole.append(body)
            return
        if self._headers is not None:
            await self._begin(self._headers)
        with self._patience:
            await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def end(self, body: bytes) -> None:
        if self._whole is not None:
            assert self._headers is not None
            await self._exchange.answer(Answer(200, self._headers, b"".join([*self._whole, body])))
            return
        if self._headers is not None:
            await self._begin(self._headers)
        await self._send({"type": "http.response.body", "body": body})

    def close(self) -> None:
        """Nothing more is sent, or only the end."""
        self._patience.close()

    async def _begin(self, headers: Mapping[str, str]) -> None:
        self._headers = None
        self._exchange.count(200)
        named = _encoded({**headers, "X-Request-Id": self._exchange.request_id})
        await self._send({"type": "http.response.start", "status": 200, "headers": named})


class _Patience:
    """Around each of many sends, or receives, of one task: TimeoutError in the one that takes so many `seconds`, or up to twice as
    many. One timer for all of them; asyncio.timeout makes one for each, which costs as much as the send itself."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None
        self._task = asyncio.current_task()
        self._is_waiting = False
        self._waits = 0
        self._seen = 0
        self._is_over = False

    def __enter__(self) -> None:
        self._waits += 1
        self._is_waiting = True
        if self._timer is None:
            self._look(asyncio.get_running_loop())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        self._is_waiting = False
        if not self._is_over or not isinstance(error, asyncio.CancelledError):
            return
        if self._task is not None and self._task.uncancel() == 0:
            # What is sent behind it, such as last words, is waited for as long again.
            self._is_over, self._timer = False, None
            raise TimeoutError from error

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._is_waiting and self._seen == self._waits and self._task is not None:
            self._is_over = True
            self._task.cancel()
            return
        self._seen = self._waits
        self._timer = loop.call_later(self._seconds, self._look, loop)


def dialect_of(scope: Scope) -> tuple[Dialect, Mapping[str, str]] | None:
    """Whose door this request knocks at; None when it is Django's."""
    if scope["type"] != "http" or scope["method"] != "POST":
        return None
    for route in ROUTES:
        found = route.pattern.fullmatch(scope["path"])
        if found and _has_its_headers(scope, route):
            return route.dialect, found.groupdict()
    return None


def _has_its_headers(scope: Scope, route: Route) -> bool:
    names = {name for name, _value in scope["headers"]}
    return (not route.header or route.header.encode() in names) and route.but_not.encode() not in names


async def answer(
    relay: Relay,
    admission: Admission,
    dialect: Dialect,
    captured: Mapping[str, str],
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    request_id = request_id_from(headers.get("x-request-id", ""))
    set_request_id(request_id)
    exchange = Exchange(dialect, request_id, scope, receive, send)
    caller = Caller(address="")
    try:
        caller.address = _address(scope, headers)
        asked = Asked(
            method=scope["method"],
            path=scope["path"],
            query=_query(scope["query_string"]),
            headers=headers,
            body=await _body(headers, receive),
            captured=captured,
        )
        credential = dialect.credential(asked)
        wish = _wish(dialect, asked)
        admitted = await admission.ask(Asking(credential, wish, dialect.naming, caller), may_wait=False)
        if isinstance(admitted, Candidate):
            admitted = await relay.reading.run(admitted.admitted)
        assert isinstance(wish, SpeechWish), "a wrong one is not let in"
        exchange.wish, exchange.headers = wish, _left(caller)
        await _speak(relay, exchange, admitted)
    except _Left:
        return
    except Exception as error:
        with translation.override(_language(caller, headers)):
            refusal = dialect.refusal(_problem(error))
        refusal = replace(refusal, headers={**refusal.headers, **_left(caller)})
        if caller.token is not None:
            logbook.note(user=caller.token.owner_id, token=caller.token.pk)
        seconds = time.monotonic() - exchange.began
        logger.info("speech refused with %d after %.0f ms", refusal.status, seconds * 1000)
        await exchange.answer(refusal)


async def take_over(
    relay: Relay, dialect: Dialect, ticket: str, given: Headers, scope: Scope, receive: Receive, send: Send
) -> None:
    """Speak a job that a view has begun; `ticket` is its RELAY_HEADER, `given` are its other headers."""
    kept = {name.decode("latin-1"): value.decode("latin-1") for name, value in given if name not in OF_A_BODY}
    request_id = kept.pop("x-request-id", "")
    set_request_id(request_id)
    job_id, wait, audio_format, sample_rate = ticket.split(" ")
    exchange = Exchange(dialect, request_id, scope, receive, send, headers=kept)
    try:
        call = partial(
            begun_by_a_view, job_id, wait=float(wait), audio_format=audio_format, sample_rate=int(sample_rate)
        )
        # It is begun: what is not spoken because a connection has died would be counted all the same.
        await _speak(relay, exchange, await relay.opening.run(partial(on_a_living_connection, call)))
    except _Left:
        return
    except Exception as error:
        with translation.override(kept.get("content-language", settings.LANGUAGE_CODE)):
            refusal = dialect.refusal(_problem(error))
        await exchange.answer(refusal)


# --- before the first audio ------------------------------------------------------------------------------------------


async def _body(headers: Mapping[str, str], receive: Receive) -> bytes:
    """Raises RequestDataTooBig, and _Left when the caller hung up while sending."""
    if headers.get("content-length", "0").isdigit() and int(headers.get("content-length", "0")) > LARGEST_BODY:
        raise RequestDataTooBig
    body, more, patience = b"", True, _Patience(PATIENCE)
    try:
        while more:
            with patience:
                message = await receive()
            if message["type"] != "http.request":
                raise _Left
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > LARGEST_BODY:
                raise RequestDataTooBig
    except TimeoutError:
        raise _Left from None
    finally:
        patience.close()
    return body


def _query(text: bytes) -> Mapping[str, str]:
    return dict(parse_qsl(text.decode("latin-1"), keep_blank_values=True)) if text else {}


def _wish(dialect: Dialect, asked: Asked) -> SpeechWish | Exception:
    try:
        return dialect.wish(asked)
    except Exception as error:
        return error


def _problem(error: Exception) -> Problem:
    problem = problem_of(error)
    if isinstance(error, ProviderError):
        logger.warning("%s", error)
    if problem is None:
        logger.error("speech met what nobody foresaw", exc_info=error)
        problem = problem_of(Fault())
        assert problem is not None
    return problem


def _address(scope: Scope, headers: Mapping[str, str]) -> str:
    """As Django sees it."""
    if "x-forwarded-for" not in headers:
        return _address_without_proxies((scope.get("client") or ("", 0))[0])
    request = HttpRequest()
    request.META = environ_of(scope, io.BytesIO())
    return address_of(request)


@functools.lru_cache(maxsize=1024)
def _address_without_proxies(remote: str) -> str:
    request = HttpRequest()
    request.META = {"REMOTE_ADDR": remote}
    return address_of(request)


def _left(caller: Caller) -> Mapping[str, str]:
    return caller.standing.headers() if caller.standing is not None else {}


def _language(caller: Caller, headers: Mapping[str, str]) -> str:
    """The token owner's choice, else what the program asks for, else the site's own."""
    if caller.language:
        return caller.language
    for wanted, _weight in parse_accept_lang_header(headers.get("accept-language", "")):
        with suppress(LookupError):
            return get_supported_language_variant(wanted)
    return settings.LANGUAGE_CODE


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


# --- from the first audio on -----------------------------------------------------------------------------------------


async def _speak(relay: Relay, exchange: Exchange, admitted: Admitted) -> None:
    """Raises what is refused before the first audio; after it, whatever happens is told by the transfer and the row."""
    job = admitted.job
    logbook.note(user=job.owner_id, token=job.token_id, voice=job.voice_id, job=job.pk)
    watching = asyncio.create_task(_watch(exchange.receive, relay, admitted.job))
    try:
        if admitted.job.is_repeat:
            voice: Voice | Replay = await relay.repeat(admitted.job, admitted.kept)
        else:
            voice = await relay.open(admitted.job, admitted.speech, wait=admitted.wait, pieces=admitted.pieces)
        try:
            await _pass_on(voice, exchange, admitted.delivery)
        except BaseException as error:
            told = await voice.leave(ClientLeft() if isinstance(error, TimeoutError) else error)
            logger.info("speech of job %s broke off: %s", voice.job.pk, told)
            raise _Left from None
        logger.info("spoke %d characters, first heard after %s ms", voice.tally.characters, voice.tally.first_audio_ms)
    except asyncio.CancelledError:
        raise _Left from None
    finally:
        watching.cancel()


async def _watch(receive: Receive, relay: Relay, job: SynthesisJob) -> None:
    """Stop the voice when its listener hangs up."""
    while (await receive())["type"] != "http.disconnect":
        pass
    if voice := relay.speaking.get(job.pk):
        voice.stop(ClientLeft())


async def _pass_on(voice: Voice | Replay, exchange: Exchange, delivery: Delivery) -> None:
    dialect, wish = exchange.dialect, exchange.wish
    speaking = speaking_of(voice, delivery)
    framing = dialect.framing(wish, speaking)
    repeat = repeats.HEADER if voice.job.is_repeat else {}
    response = Response(exchange, {**exchange.headers, **STREAMED, **repeat, **dialect.headers(wish, speaking)})
    body = framing.opening()
    clip = Clip(delivery, is_measured=bool(wish.framing) or wish.marks)
    try:
        while (piece := await voice.next()) is not None:
            data, marks = piece
            await response.send(body + framing.audio(await clip.take(data), delivery.heard(marks)))
            body = b""
        await response.send(framing.audio(await clip.rest(), ()))
        spoken = Spoken(characters=voice.tally.characters, milliseconds=await clip.milliseconds())
        # Before the end: whoever has heard all of it finds its job done.
        await voice.leave()
    except Exception as error:
        if last_words := framing.failure(_problem(error)):
            await response.send(last_words)
        raise
    finally:
        response.close()
    await response.end(body + framing.ending(spoken))


class Clip:
    """What leaves of a voice: what the provider speaks as it is, or encoded on the way, off the event loop. Its length is only
    known where somebody asks, for then all of it is kept."""

    def __init__(self, delivery: Delivery, *, is_measured: bool) -> None:
        self._delivery = delivery
        self._encoder: Encoder | None = None
        self._kept: list[bytes] | None = [] if is_measured else None

    async def take(self, data: bytes) -> bytes:
        if data and not self._delivery.is_untouched:
            if self._encoder is None:
                self._encoder = await asyncio.to_thread(self._delivery.encoder)
            data = await asyncio.to_thread(self._encoder.feed, data)
        return self._noted(data)

    async def rest(self) -> bytes:
        """What the encoder still holds when all has been said."""
        return self._noted(await asyncio.to_thread(self._encoder.finish)) if self._encoder else b""

    async def milliseconds(self) -> int | None:
        if self._kept is None:
            return None
        kept, to = self._kept, self._delivery
        return await asyncio.to_thread(
            lambda: audio.milliseconds(b"".join(kept), to.audio_format, sample_rate=to.sample_rate)
        )

    def _noted(self, data: bytes) -> bytes:
        if self._kept is not None:
            self._kept.append(data)
        return data


def speaking_of(voice: Voice | Replay, delivery: Delivery) -> Speaking:
    job = voice.job
    return Speaking(
        job_id=job.pk,
        voice_id=job.voice_id,
        provider=job.provider,
        model=job.model,
        text=job.text,
        audio_format=delivery.audio_format,
        sample_rate=delivery.sample_rate,
        characters=0 if job.is_repeat else job.characters_expected,
        request_id=voice.tally.request_id,
    )
