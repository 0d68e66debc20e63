"""Places that a provider makes before it trains, where they carry no mark of ours: whose is which."""

from __future__ import annotations

from django.utils import timezone

from voices.durable import back_off
from voices.models import VoiceClone
from voices.outcomes import write_or_give_back
from voices.providers.base import Places, RemoteVoice, VoiceOrder

State = VoiceClone.State


def alone_in_making(voice: VoiceClone) -> bool:
    """Whether no other voice of the account is just being made. False: this one has stepped back and comes again shortly.

    Where places carry no mark, one that has just been made for another voice looks like nobody's until that voice's row knows it.
    Each of two commits its intent before it looks for the other's, so never do both go on.
    """
    others = VoiceClone.objects.filter(account=voice.account_id, intent="create", lease_until__gt=timezone.now())
    if not others.exclude(pk=voice.pk).exists():
        return True
    attempts = max(voice.attempts - 1, 0)
    write_or_give_back(voice, keep={"intent": ""}, intent="", attempts=attempts, due_at=timezone.now() + back_off(1))
    return False


def unclaimed(voice: VoiceClone, places: Places | None, order: VoiceOrder) -> RemoteVoice | None:
    """An empty place at the provider that none of our voices has: left behind by a lost answer, or by somebody's visit there."""
    if places is None:
        return None
    found = {place.remote_id: place for place in places.unclaimed(order)}
    had = VoiceClone.objects.filter(provider=voice.provider, remote_id__in=found).exclude(state=State.DELETED)
    for remote_id in had.values_list("remote_id", flat=True):
        found.pop(remote_id, None)
    return next(iter(found.values()), None)
