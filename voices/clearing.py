"""Clearing up a call without an answer: by the provider's own word, never by a guess and never by sending it again unseen."""

from __future__ import annotations

from django.utils import timezone

from voices import failures, leave
from voices.durable import back_off, declare_intent, wake
from voices.models import VoiceClone, VoiceEvent
from voices.orders import order_for
from voices.outcomes import ADVANCE, LEASE, LOOK_AFTER, adopt, apply, may_call, pause, write_or_give_back
from voices.places import alone_in_making, unclaimed
from voices.providers.base import Cloning, RemoteState, RemoteVoice
from voices.providers.errors import ProviderError
from voices.queues import Queue

State = VoiceClone.State


def look_for(voice: VoiceClone) -> None:
    """Clear up what became of a call without an answer.

    With an id in hand the provider's own state tells. Without one our tag does, where the provider lists by it; and where places
    carry no mark, any that nobody has is as good as the one we asked for.
    """
    provider = voice.account.client()
    if not (voice.remote_id or voice.traits.can_find_by_tag or provider.places is not None):
        write_or_give_back(voice, event=VoiceEvent(row=voice, kind="needs_operator"), due_at=None)
        return
    if not may_call(voice):
        return
    if voice.remote_id:
        _see_whether_it_trains(voice, provider.cloning)
        return
    if provider.places is not None and not (declare_intent(voice, "create", lease=LEASE) and alone_in_making(voice)):
        return
    try:
        with leave.watched(voice.account, "enrollment"):
            if provider.places is not None:
                place = unclaimed(voice, provider.places, order_for(voice))
                found = [] if place is None else [place]
            else:
                found = _found_by_tag(voice, provider.cloning)
    except ProviderError as error:
        due_at = timezone.now() + pause(voice, error)
        write_or_give_back(voice, keep={"intent": ""}, intent="", due_at=due_at, **failures.kept(error))
        return
    if found:
        adopt(voice, found[0], kind="adopted")
    elif voice.looks + 1 < len(LOOK_AFTER):
        due_at = timezone.now() + LOOK_AFTER[voice.looks + 1]
        write_or_give_back(voice, keep={"intent": ""}, intent="", looks=voice.looks + 1, due_at=due_at)
    else:
        write_or_give_back(
            voice,
            event=VoiceEvent(row=voice, kind="nothing_happened", detail={"looks": voice.looks + 1}),
            keep={"intent": ""},
            state=State.INIT,
            intent="",
            looks=0,
            attempts=0,
            due_at=timezone.now(),
        )
        wake(ADVANCE, voice.pk, queue=Queue.SLOW)


def _found_by_tag(voice: VoiceClone, cloning: Cloning) -> list[RemoteVoice]:
    """The voice that carries our tag, or none; what was made twice is removed."""
    found = list(cloning.find(voice.tag))
    for surplus in found[1:]:
        cloning.delete(surplus.remote_id)
        VoiceEvent.objects.create(row=voice, kind="duplicate_removed", detail={"remote_id": surplus.remote_id})
    return found[:1]


def _see_whether_it_trains(voice: VoiceClone, cloning: Cloning) -> None:
    """A `train` without an answer has begun when the voice is not what it was before. Otherwise it is sent once more."""
    try:
        with leave.watched(voice.account, "enrollment"):
            remote = cloning.statuses([voice.remote_id]).get(voice.remote_id)
    except ProviderError as error:
        write_or_give_back(voice, due_at=timezone.now() + pause(voice, error), **failures.kept(error))
        return
    if remote is None:
        write_or_give_back(voice, due_at=timezone.now() + back_off(voice.attempts))
        return
    unchanged = remote.raw_state == voice.provider_state and remote.demo_url in ("", voice.demo_url)
    if remote.state == RemoteState.EMPTY or (unchanged and remote.state in (RemoteState.READY, RemoteState.FAILED)):
        event = VoiceEvent(row=voice, kind="not_handed_over", detail={"provider_state": remote.raw_state})
        write_or_give_back(voice, event=event, state=State.INIT, polled_at=timezone.now(), due_at=timezone.now())
        wake(ADVANCE, voice.pk, queue=Queue.SLOW)
    elif remote.state == RemoteState.WORKING:
        adopt(voice, remote, kind="training_started")
    else:
        apply(voice, remote)
