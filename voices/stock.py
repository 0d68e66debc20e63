"""The voices that a provider brings along, as rows that everybody may speak with while the operator offers them."""

from __future__ import annotations

from voices.models import ProviderAccount, VoiceClone

State = VoiceClone.State


def offer(account: ProviderAccount) -> int:
    """Make a row for every stock voice that has none yet at this account; how many were made.

    A voice that the operator has withdrawn stays withdrawn.
    """
    known = set(
        VoiceClone.objects.filter(account=account, kind=VoiceClone.Kind.STOCK).values_list("remote_id", flat=True)
    )
    fresh = [
        VoiceClone(
            owner=None,
            kind=VoiceClone.Kind.STOCK,
            account=account,
            provider=account.provider,
            remote_id=voice.remote_id,
            name=str(voice.label)[:60],
            language=voice.language,
            model=voice.model,
            state=State.SUCCESS,
        )
        for voice in account.traits.stock_voices
        if voice.remote_id not in known
    ]
    return len(VoiceClone.objects.bulk_create(fresh))


def withdraw(voice: VoiceClone) -> bool:
    """Nobody may speak with this stock voice any more, until it is offered again."""
    stock = VoiceClone.objects.filter(pk=voice.pk, kind=VoiceClone.Kind.STOCK, state=State.SUCCESS)
    return bool(stock.update(state=State.EXPIRED))


def offer_again(voice: VoiceClone) -> bool:
    stock = VoiceClone.objects.filter(pk=voice.pk, kind=VoiceClone.Kind.STOCK, state=State.EXPIRED)
    return bool(stock.update(state=State.SUCCESS))
