"""What a new voice can be made with: the models of every provider that has an open account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from voices.models import ProviderAccount
from voices.providers import registry
from voices.providers.base import Traits, VoiceModel
from voices.verdict import longest_accepted


@dataclass(frozen=True, slots=True)
class Engine:
    """A model of a provider, under one name for a form."""

    traits: Traits
    model: VoiceModel

    @property
    def slug(self) -> str:
        return f"{self.traits.slug}/{self.model.slug}"

    @property
    def label(self) -> str:
        """Of the provider and the model: many a model's own name does not tell whose it is."""
        return f"{self.traits.label} · {self.model.label}"

    @property
    def prefix(self) -> str:
        """For the names of its own fields: letters, digits, dots and hyphens only."""
        return f"{self.traits.slug}.{self.model.slug}"

    def for_the_page(self) -> dict[str, Any]:
        """What the recorder and the choice of languages go by while the person is still deciding; lengths in seconds."""
        rules = self.traits.sample
        return {
            "provider": self.traits.slug,
            "languages": [choice.value for choice in self.model.languages],
            "shortest": rules.min_seconds,
            "longest": longest_accepted(rules),
            "advised": list(rules.advised_seconds),
        }


def engines() -> list[Engine]:
    """The providers in the registry's order, each with its default model first."""
    open_ones = set(ProviderAccount.objects.filter(is_open=True).values_list("provider", flat=True))
    found: list[Engine] = []
    for slug in registry.slugs():
        if slug in open_ones:
            traits = registry.traits(slug)
            models = sorted(traits.trained_models, key=lambda model: model.slug != traits.default_model)
            found.extend(Engine(traits, model) for model in models)
    return found
