"""What operators decide about a voice: whether it was made, where its provider neither lists nor takes a mark and the answer was
lost; and that a row which says it is under way is to be held against the provider before anything goes on."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from voices import failures
from voices.durable import move, wake
from voices.errors import InvalidInput, WrongState
from voices.findings import Finding
from voices.models import VoiceClone, VoiceEvent
from voices.outcomes import ADVANCE
from voices.reconciling import take

State = VoiceClone.State
UNDER_WAY = (State.INIT, State.TRAINING, State.UNKNOWN)


def is_undecided(voice: VoiceClone) -> bool:
    """Nobody but the operator can say what became of it."""
    return voice.state == State.UNKNOWN and voice.due_at is None


def may_be_doubted(voice: VoiceClone) -> bool:
    return voice.kind == VoiceClone.Kind.CLONED and voice.state in UNDER_WAY


def it_was_made(voice: VoiceClone, *, remote_id: str, by: str) -> None:
    """The operator has found it at the provider, under this id. Raises InvalidInput, WrongState."""
    _undecided(voice)
    remote_id = remote_id.strip()
    if not remote_id or len(remote_id) > 200 or not remote_id.isascii() or not remote_id.isprintable():
        raise InvalidInput(fields={"remote_id": [_("Please give the voice's id exactly as the provider shows it.")]})
    with transaction.atomic():
        take(voice, remote_id=remote_id, event="operator_found_it", by=by)
        _forget_findings(voice)


def nothing_happened(voice: VoiceClone, *, by: str) -> None:
    """The operator has looked, and the provider has made nothing: the recording is handed over anew, as another intent."""
    _undecided(voice)
    now = timezone.now()
    moved = move(
        voice,
        states={State.UNKNOWN},
        event=VoiceEvent(row=voice, kind="operator_found_nothing", detail={"by": by}),
        state=State.INIT,
        intent="",
        intent_at=None,
        looks=0,
        attempts=0,
        due_at=now,
        deadline=now + timedelta(seconds=voice.traits.training_deadline_seconds),
        **failures.CLEARED,
    )
    if not moved:
        raise WrongState(_("This voice has changed meanwhile. Please look at it again before going on."))
    _forget_findings(voice)
    wake(ADVANCE, voice.pk)


def look_it_up(voice: VoiceClone, *, by: str) -> None:
    """Do not believe the row: what the provider has is looked for, as after a lost answer, before anything is sent again.

    For what is still under way; what has ended has given its place back, and the comparison of lists finds what is left of it.
    Raises WrongState.
    """
    now = timezone.now()
    if voice.lease_until is not None and voice.lease_until > now:
        raise WrongState(_("This voice is being worked on just now. Look at it again in a minute."))
    if not may_be_doubted(voice):
        raise WrongState(_("Nothing is under way for this voice. Compare the account's list with ours instead."))
    event = VoiceEvent(row=voice, kind="operator_doubted", detail={"by": by})
    known = {"state": State.UNKNOWN, "looks": 0, "attempts": 0, "due_at": now}
    if not move(voice, states=UNDER_WAY, event=event, **known):
        raise WrongState(_("This voice has changed meanwhile. Please look at it again before going on."))
    wake(ADVANCE, voice.pk)


def _forget_findings(voice: VoiceClone) -> None:
    Finding.objects.filter(kind=Finding.Kind.UNDECIDED, voice=voice).delete()


def _undecided(voice: VoiceClone) -> None:
    if not is_undecided(voice):
        raise WrongState(_("Nothing has to be decided about this voice: it is cleared up by itself."))
