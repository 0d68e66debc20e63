"""Who asks, what for, and may they: all that has to be known and written before the first byte, in one short visit to the database.

It runs in a thread of the relay's. Nothing in it is remembered from one request to the next: a token that has been revoked a
moment ago, by whatever process, is refused.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import IO

from django.db import InterfaceError, OperationalError
from django.http import Http404
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import PermissionDenied

from synthesis import services
from synthesis.delivery import Delivery
from synthesis.in_turn import Passage
from synthesis.models import SynthesisJob
from synthesis.repeats import opened
from synthesis.stream_services import StreamOrder, check_stream, delivery_of, pieces_of
from voiceclone_site.accounts import limits
from voiceclone_site.accounts.errors import TokenMissing, TooManyRequests
from voiceclone_site.accounts.limits import Standing
from voiceclone_site.accounts.models import ApiToken, User
from voiceclone_site.accounts.permissions import need_scope
from voiceclone_site.accounts.scopes import Scope
from voiceclone_site.accounts.services import check_token
from voiceclone_site.speech.dialect import SpeechWish, Token, VoiceRef
from voices import plain_sql
from voices.errors import InvalidInput, NotSupported
from voices.models import VoiceClone
from voices.plain_sql import Lookup
from voices.providers.base import Speech
from voices.threads import Together, check_connection, on_a_living_connection


@dataclass(frozen=True, slots=True)
class Admitted:
    """A job whose intent is committed: it may be sent, in `wait` seconds."""

    job: SynthesisJob
    speech: Speech
    delivery: Delivery
    wait: float = 0.0
    pieces: Sequence[Passage] = ()
    kept: IO[bytes] | None = None
    """Of a repeat: its audio, where it has been opened."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A checked wish that kept audio may answer. The storage knows whether it is there still, and it may be another machine."""

    wanted: StreamOrder
    speech: Speech
    found: SynthesisJob

    def admitted(self) -> Admitted:
        """As a repeat, or to be spoken after all. Raises Busy, and what a hold raises."""
        with ExitStack() as unused:
            kept = opened(self.found)
            if kept is not None:
                unused.callback(kept.close)
            # Begun once: what it writes may be committed though the connection dies before it says so.
            check_connection()
            begun = services.begin(self.wanted.order, of=None if kept is None else self.found)
            if begun.job.is_repeat:
                unused.pop_all()
            else:
                kept = None
            return Admitted(begun.job, self.speech, self.wanted.delivery, begun.wait, self.wanted.pieces, kept)


@dataclass(slots=True)
class Caller:
    """Who asks, as it becomes known: `address` at once, empty where nobody knows it; `token` when it has been checked; `standing`
    when the request has been counted."""

    address: str
    token: ApiToken | None = None
    standing: Standing | None = None

    @property
    def language(self) -> str:
        """Empty while it is not known."""
        return self.token.owner.language if self.token is not None else ""


@dataclass(frozen=True, slots=True)
class Asking:
    """One request that wants to be let in. `wish` is what was wrong with it, where it was found wrong: who asks comes first, and a
    stranger is not told. `naming` as in `Dialect`.
    """

    token: Token
    wish: SpeechWish | Exception
    naming: Callable[[str], str]
    caller: Caller


Admission = Together[Asking, Admitted | Candidate]
MOST_TOGETHER = 32
"""Who come at the same time are let in by one visit to the database; beyond so many by the next, for the first of a rush need not
wait for the last."""


def admit_together(asking: Sequence[Asking]) -> list[Admitted | Candidate | Exception]:
    """All who came at the same time, in one visit to the database; each is let in or refused by itself: with the NotLetIn tree,
    PermissionDenied, TooManyRequests, Http404, what `services.check` raises, Exhausted or Busy.

    A row is read once for all who came before it was read. Raises OperationalError or InterfaceError when the database was away
    while it was read: then nothing was written, and all may be asked again.
    """
    answers: dict[int, Admitted | Candidate | Exception] = {}
    orders: dict[int, StreamOrder] = {}
    voices = _Voices()
    for place, refused in enumerate(_checked_tokens(asking)):
        try:
            if refused is not None:
                raise refused
            wanted = _order(asking[place], voices)
            if (found := services.said_before(wanted.order)) is not None:
                answers[place] = Candidate(wanted, voices.speech_of(wanted.order.voice), found)
            else:
                orders[place] = wanted
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            answers[place] = error
    together = services.begin_together([wanted.order for wanted in orders.values()])
    for (place, wanted), begun in zip(orders.items(), together, strict=True):
        if isinstance(begun, Exception):
            answers[place] = begun
        else:
            speech = voices.speech_of(wanted.order.voice)
            answers[place] = Admitted(begun.job, speech, wanted.delivery, begun.wait, wanted.pieces)
    return [answers[place] for place in range(len(asking))]


def let_in(asking: Sequence[Asking]) -> list[Admitted | Candidate | Exception]:
    return on_a_living_connection(partial(admit_together, asking))


def _order(asking: Asking, voices: _Voices) -> StreamOrder:
    wish, token = asking.wish, asking.caller.token
    if isinstance(wish, Exception):
        raise wish
    assert token is not None
    voice = voices.find(token.owner, wish.voice)
    with _named(asking.naming):
        if wish.model and wish.model != voice.model:
            raise InvalidInput(fields={"model": [_("This voice speaks with another model. Leave the choice to it.")]})
        checked = check_stream(
            token.owner,
            voice=voice,
            text=wish.text,
            audio_format=wish.audio_format,
            sample_rate=wish.sample_rate,
            parameters=wish.parameters,
            token_id=token.pk,
            bit_rate=wish.bit_rate,
            speed=wish.speed or (voice.usual_speed if wish.at_usual_speed else None),
            hints=wish.hints,
            word_times=wish.marks,
        )
    voices.speech_of(voice)
    return checked


class _Voices:
    """Those that one group of requests has asked for, each read once."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, VoiceRef], VoiceClone] = {}
        self._speech: dict[uuid.UUID, Speech] = {}

    def find(self, owner: User, ref: VoiceRef) -> VoiceClone:
        """Raises as `find_voice` does."""
        known = (owner.pk, ref)
        if known not in self._found:
            self._found[known] = find_voice(owner, ref)
        return self._found[known]

    def speech_of(self, voice: VoiceClone) -> Speech:
        """Raises as `speech_of` does."""
        if voice.pk not in self._speech:
            self._speech[voice.pk] = speech_of(voice)
        return self._speech[voice.pk]


def _checked_tokens(asking: Sequence[Asking]) -> list[Exception | None]:
    """Count the requests, and let their callers know who they are; why one is refused: the NotLetIn tree, PermissionDenied or
    TooManyRequests.
    """
    refused: list[Exception | None] = [None] * len(asking)
    by_token: dict[tuple[str, str], list[int]] = {}
    for place, each in enumerate(asking):
        by_token.setdefault((each.token.text, each.caller.address), []).append(place)
    for (text, address), places in by_token.items():
        try:
            if not text:
                raise TokenMissing
            row = check_token(text, address=address)
            for place in places:
                asking[place].caller.token = row
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            for place in places:
                refused[place] = error
            continue
        for place, standing in zip(places, limits.count_together(row.owner, row, requests=len(places)), strict=True):
            asking[place].caller.standing = standing
            try:
                standing.hold()
                need_scope(row, Scope.SPEECH)
            except (TooManyRequests, PermissionDenied) as error:
                refused[place] = error
    return refused


def begun_by_a_view(job_id: str, *, wait: float, audio_format: str, sample_rate: int) -> Admitted:
    """A job that a view has begun just now, with everything that its voice needs, and how it leaves."""
    job = SynthesisJob.objects.select_related("voice__account").get(pk=job_id)
    return Admitted(job, speech_of(job.voice), delivery_of(job, audio_format, sample_rate), wait, pieces_of(job))


def speech_of(voice: VoiceClone) -> Speech:
    speech = voice.account.client().speech
    if speech is None:
        raise NotSupported
    return speech


def find_voice(owner: User, ref: VoiceRef) -> VoiceClone:
    """Raises Http404 for what does not exist, for what is somebody else's, and for what is no id at all. Of several voices of one
    name the newest is meant."""
    try:
        found = _by_id(owner.pk, plain_sql.value_of(uuid.UUID(ref.text)))
    except ValueError:
        found = _by_name(owner.pk, ref.text) if ref.may_be_name else []
    if not found:
        raise Http404
    return found[0]


_SOMEBODY, _SOME_ID, _SOME_NAME = -1, uuid.UUID(int=1), "a name"
_by_id: Lookup[VoiceClone] = Lookup(
    lambda owner, pk: VoiceClone.objects.visible_to(owner).select_related("account").filter(pk=pk),
    (_SOMEBODY, _SOME_ID),
)
_by_name: Lookup[VoiceClone] = Lookup(
    lambda owner, name: VoiceClone.objects.visible_to(owner).select_related("account").filter(name=name)[:1],
    (_SOMEBODY, _SOME_NAME),
)


@contextmanager
def _named(naming: Callable[[str], str]) -> Iterator[None]:
    """What turns out wrong is called what the caller called it."""
    try:
        yield
    except InvalidInput as wrong:
        wrong.fields = {naming(name): sentences for name, sentences in wrong.fields.items()}
        raise
