"""Provider accounts as the environment describes them: a real one where its key is set, the sandbox's otherwise."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction

from voices import stock
from voices.models import ProviderAccount
from voices.providers import registry

Origin = ProviderAccount.Origin


def sync_from_settings() -> list[ProviderAccount]:
    """Make the rows match `settings.PROVIDERS`; safe to repeat at every start. Returns the accounts that are now in use.

    An operator's own changes to caps and rates are kept. A sandbox account that is no longer wanted is removed, or closed
    when voices were trained there.
    """
    with transaction.atomic():
        accounts = [_sync(slug, block) for slug, block in settings.PROVIDERS.items()]
        for account in accounts:
            stock.offer(account)
        return accounts


def _sync(slug: str, block: dict[str, Any]) -> ProviderAccount:
    real = all(block["credentials"].values())
    origin, other = (Origin.ENVIRONMENT, Origin.SANDBOX) if real else (Origin.SANDBOX, Origin.ENVIRONMENT)
    described = {
        "credentials": block["credentials" if real else "sandbox_credentials"],
        "endpoints": block["endpoints" if real else "sandbox_endpoints"],
        "is_open": True,
    }
    traits = registry.traits(slug)
    account, _made = ProviderAccount.objects.update_or_create(
        provider=slug,
        origin=origin,
        defaults=described,
        create_defaults=described
        | {
            "name": str(origin),
            "voice_cap": traits.voice_cap,
            "enrollment_rate": traits.enrollment_rate,
            "synthesis_rate": traits.synthesis_rate,
        },
    )
    for stale in ProviderAccount.objects.filter(provider=slug, origin=other):
        if other == Origin.SANDBOX and not stale.voices.exists():
            stale.delete()
        else:
            ProviderAccount.objects.filter(pk=stale.pk).update(is_open=False)
    return account
