"""What can be had here: every provider's Traits as data, and at which of them a voice can be made right now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from voices import options
from voices.consent import STATEMENT, VERSION
from voices.errors import InvalidInput, NoAccount
from voices.models import ProviderAccount
from voices.providers import registry
from voices.providers.base import Choice, Parameter, Traits, VoiceModel


def default_provider() -> str:
    """The first, in the registry's order, with an open account. Raises NoAccount when there is none."""
    open_ones = _origins_of_open_accounts()
    for slug in registry.slugs():
        if slug in open_ones:
            return slug
    raise NoAccount


def chosen(provider: str, model: str) -> tuple[Traits, str]:
    """By name, or what is usual where a name is empty. Raises InvalidInput for a provider that is none, and NoAccount."""
    slug = provider or default_provider()
    if slug not in registry.slugs():
        raise InvalidInput(fields={"provider": [_("There is no such provider. Choose one of those offered.")]})
    traits = registry.traits(slug)
    return traits, model or traits.default_model


def default_language(traits: Traits, model: str) -> str:
    """The first that the model lists. Raises InvalidInput when there is no such model."""
    return options.valid_model(traits, model).languages[0].value


def is_model(slug: str) -> bool:
    """Whether any provider has this model, open or not."""
    return any(model.slug == slug for name in registry.slugs() for model in registry.traits(name).models)


@dataclass(frozen=True, slots=True)
class SpeakingModel:
    """An engine that voices of open accounts speak with. `since` it can be had here, in seconds since 1970."""

    provider: str
    slug: str
    label: Any
    languages: tuple[Choice, ...]
    can_be_trained: bool
    since: int


def speaking_models() -> list[SpeakingModel]:
    """In the registry's order. One query."""
    opened: dict[str, datetime] = {}
    rows = ProviderAccount.objects.filter(is_open=True).values_list("provider", "created_at")
    for slug, created_at in rows:
        opened[slug] = min(created_at, opened.get(slug, created_at))
    return [
        SpeakingModel(
            provider=traits.slug,
            slug=model.slug,
            label=model.label,
            languages=model.languages,
            can_be_trained=not model.stock_only,
            since=int(opened[traits.slug].timestamp()),
        )
        for traits in (registry.traits(slug) for slug in registry.slugs() if slug in opened)
        if traits.can_synthesize
        for model in traits.models
    ]


def catalogue() -> dict[str, Any]:
    """All that an integrator has to know; sentences and labels still to be translated."""
    open_ones = _origins_of_open_accounts()
    return {
        "providers": [_provider(registry.traits(slug), open_ones.get(slug, set())) for slug in registry.slugs()],
        "consent": {"statement": STATEMENT, "version": VERSION},
    }


def _origins_of_open_accounts() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for slug, origin in ProviderAccount.objects.filter(is_open=True).values_list("provider", "origin"):
        found.setdefault(slug, set()).add(origin)
    return found


def _provider(traits: Traits, origins: set[str]) -> dict[str, Any]:
    return {
        "slug": traits.slug,
        "label": traits.label,
        "open": bool(origins),
        "sandbox": origins == {ProviderAccount.Origin.SANDBOX},
        "default_model": traits.default_model,
        "models": [_model(traits, model) for model in traits.models],
        "sample": traits.sample,
        "needs_reading_text": traits.needs_reading_text,
        "notes": [note for note in (traits.speech_note, traits.delete_note) if note],
        "formats": traits.audio_formats,
        "default_format": traits.default_format,
        "sample_rates": traits.sample_rates,
        "default_sample_rate": traits.default_sample_rate,
        "max_characters": traits.max_characters,
        "speech_is_experimental": traits.speech_is_experimental,
        "can": {
            "synthesize": traits.can_synthesize,
            "retrain": traits.can_retrain,
            "delete": traits.can_delete,
            "rename_at_provider": traits.can_rename,
        },
    }


def _model(traits: Traits, model: VoiceModel) -> dict[str, Any]:
    return {
        "slug": model.slug,
        "label": model.label,
        "languages": model.languages,
        "formats": [name for name in traits.audio_formats if name in model.audio_formats],
        "price": model.price,
        "enrollment_parameters": _parameters(traits.enrollment_parameters(model.slug)),
        "speech_parameters": _parameters(traits.speech_parameters(model.slug)),
    }


def _parameters(parameters: tuple[Parameter, ...]) -> list[Parameter]:
    """What most people turn comes first."""
    return sorted(parameters, key=lambda parameter: parameter.advanced)
