"""Who asks, what for, and may they: all that has to be known and written before the first byte, in one short visit to the database.

It runs in a thread of the relay's. Nothing in it is remembered from one request to the next: a token that has been revoked a
moment ago, by whatever process, is refused.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from django.http import Http404
from django.utils.translation import gettext_lazy as _

from synthesis import services
from synthesis.delivery import Delivery
from synthesis.in_turn import Passage
from synthesis.models import SynthesisJob
from synthesis.stream_services import check_stream, delivery_of, pieces_of
from voiceclone_site.accounts import limits
from voiceclone_site.accounts.errors import TokenMissing
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


@dataclass(frozen=True, slots=True)
class Admitted:
    """A job whose intent is committed: it may be sent, in `wait` seconds."""

    job: SynthesisJob
    speech: Speech
    delivery: Delivery
    wait: float = 0.0
    pieces: Sequence[Passage] = ()


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


def admit(token: Token, wish: SpeechWish, *, naming: Callable[[str], str], caller: Caller) -> Admitted:
    """Raises the NotLetIn tree, PermissionDenied, Http404, what `services.check` raises, and Busy."""
    row = checked_token(token, caller=caller)
    voice = find_voice(row.owner, wish.voice)
    with _named(naming):
        if wish.model and wish.model != voice.model:
            raise InvalidInput(fields={"model": [_("This voice speaks with another model. Leave the choice to it.")]})
        checked = check_stream(
            row.owner,
            voice=voice,
            text=wish.text,
            audio_format=wish.audio_format,
            sample_rate=wish.sample_rate,
            parameters=wish.parameters,
            token_id=row.pk,
            bit_rate=wish.bit_rate,
            speed=wish.speed or (voice.usual_speed if wish.at_usual_speed else None),
            hints=wish.hints,
            word_times=wish.marks,
        )
    speech = speech_of(voice)
    begun = services.begin(checked.order)
    return Admitted(begun.job, speech, checked.delivery, begun.wait, checked.pieces)


def checked_token(token: Token, *, caller: Caller) -> ApiToken:
    """Counts the request. Raises the NotLetIn tree, PermissionDenied and TooManyRequests."""
    if not token.text:
        raise TokenMissing
    row = caller.token = check_token(token.text, address=caller.address)
    caller.standing = limits.count(row.owner, row)
    caller.standing.hold()
    need_scope(row, Scope.SPEECH)
    return row


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
