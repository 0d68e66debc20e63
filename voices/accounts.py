"""Provider accounts as the environment describes them: a real one where its key is set, the sandbox's otherwise."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction

from voices import stock
from voices.models import ProviderAccount
from voices.providers import registry
from voices.providers.base import Account
from voices.providers.errors import ConfigurationError

Origin = ProviderAccount.Origin


def sync_from_settings() -> list[ProviderAccount]:
    """Make the rows match `settings.PROVIDERS`; safe to repeat at every start. Returns the accounts that are now in use.

    An operator's own changes to caps and rates are kept. A sandbox account that is no longer wanted is removed, or closed
    when voices were trained there.
    """
    with transaction.atomic():
        accounts = [
            _sync(slug, block) for slug, block in settings.PROVIDERS.items() if settings.SANDBOX or _is_real(block)
        ]
        if not settings.SANDBOX:
            ProviderAccount.objects.filter(origin=Origin.SANDBOX).update(is_open=False)
        for account in accounts:
            stock.offer(account)
        return accounts


def of_environment(slug: str) -> Account:
    """The account that the environment describes, or the sandbox's, without a row. Raises ConfigurationError for a provider
    that has no block in the settings."""
    block = settings.PROVIDERS.get(slug)
    if block is None:
        raise ConfigurationError(f"PROVIDERS in the settings has no block for {slug!r}. Add one.")
    return Account(key=f"environment-{slug}", **_described(block))


def _described(block: dict[str, Any]) -> dict[str, Any]:
    real = _is_real(block)
    return {
        "credentials": block["credentials" if real else "sandbox_credentials"],
        "endpoints": block["endpoints" if real else "sandbox_endpoints"],
    }


def _is_real(block: dict[str, Any]) -> bool:
    return all(block["credentials"].values())


def _sync(slug: str, block: dict[str, Any]) -> ProviderAccount:
    real = _is_real(block)
    origin, other = (Origin.ENVIRONMENT, Origin.SANDBOX) if real else (Origin.SANDBOX, Origin.ENVIRONMENT)
    described = _described(block) | {"is_open": True}
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
