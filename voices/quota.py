"""Voice places at a provider account: taken and given back by conditional updates, so that the cap holds under any rush."""

from __future__ import annotations

from django.db.models import F
from django.utils.translation import gettext_lazy as _

from voices.errors import Exhausted, NoAccount
from voices.models import ProviderAccount, VoiceClone


def hold_slot(provider: str) -> ProviderAccount:
    """Take a voice place at the open account of `provider` that has the most room.

    Raises NoAccount when none is open, Exhausted when all are full.
    """
    accounts = list(
        ProviderAccount.objects.filter(provider=provider, is_open=True).order_by(
            F("voices_held") - F("voice_cap"), "pk"
        )
    )
    if not accounts:
        raise NoAccount
    for account in accounts:
        if hold_slot_at(account):
            return account
    raise Exhausted(
        _(
            "All voice places at this provider are taken. Delete a voice you no longer need, or ask the operator for more."
        ),
        code="slots_exhausted",
    )


def hold_slot_at(account: ProviderAccount) -> bool:
    room = ProviderAccount.objects.filter(pk=account.pk, voices_held__lt=F("voice_cap"))
    return bool(room.update(voices_held=F("voices_held") + 1))


def release_slot(voice: VoiceClone) -> None:
    """Give the voice's place back, once, however often this is called."""
    if VoiceClone.objects.filter(pk=voice.pk, holds_slot=True).update(holds_slot=False):
        ProviderAccount.objects.filter(pk=voice.account_id, voices_held__gt=0).update(voices_held=F("voices_held") - 1)
        voice.holds_slot = False
