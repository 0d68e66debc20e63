"""slug -> the package that speaks to that provider, imported on first use. Adding a provider is one line here.

Where the settings choose an experiment for a provider, a package of its own stands in: the same provider, with what is being tried.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.conf import settings

from voices.providers.base import Account, Provider, Traits
from voices.providers.book import BookEntry
from voices.providers.errors import ConfigurationError

PROVIDERS: dict[str, str] = {
    "aliyun": "voices.providers.aliyun",
    "iflytek": "voices.providers.iflytek",
    "qiniu": "voices.providers.qiniu",
}
EXPERIMENTS: dict[tuple[str, str], str] = {
    ("qiniu", "aitoken"): "voices.providers.qiniu.aitoken",
}
"""Slug and the `experiment` of its block in the settings -> the package that stands in."""


def slugs() -> tuple[str, ...]:
    return tuple(PROVIDERS)


def traits(slug: str) -> Traits:
    """Raises ConfigurationError for a provider that is not registered."""
    declared: Traits = _package(slug).TRAITS
    return declared


def book(slug: str) -> tuple[BookEntry, ...]:
    """What the provider's codes mean. Raises ConfigurationError for a provider that is not registered."""
    written: tuple[BookEntry, ...] = _package(slug).BOOK
    return written


def build(slug: str, account: Account) -> Provider:
    """Raises ConfigurationError for an unknown provider, and for an account that lacks a credential or an address."""
    declared = traits(slug)
    for needed, given in (
        (declared.credential_names, account.credentials),
        (declared.endpoint_names, account.endpoints),
    ):
        missing = [name for name in needed if not given.get(name)]
        if missing:
            raise ConfigurationError(
                f"The {slug} account has no {', '.join(missing)}. Enter it on the provider account."
            )
    built: Provider = _package(slug).build(account)
    return built


def _package(slug: str) -> Any:
    try:
        path = PROVIDERS[slug]
    except KeyError:
        known = ", ".join(PROVIDERS)
        raise ConfigurationError(
            f"No provider is registered as {slug!r}, only {known}. Correct the name, or add a line to voices/providers/registry.py."
        ) from None
    experiment = settings.PROVIDERS.get(slug, {}).get("experiment", "")
    return import_module(EXPERIMENTS[slug, experiment] if experiment else path)
