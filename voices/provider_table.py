"""Who can do what, as the Markdown table of docs/providers.md: a column for each provider, straight from its Traits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from django.utils import translation

from voices.providers import registry
from voices.providers.base import Traits, VoiceModel

Cell = Callable[[Traits], str]


def _trained(traits: Traits) -> list[VoiceModel]:
    return [model for model in traits.models if not model.stock_only]


def _per_model(traits: Traits, told: Callable[[VoiceModel], str]) -> str:
    """One word where all models agree, else a line for each."""
    by_word: dict[str, list[str]] = {}
    for model in traits.models:
        by_word.setdefault(told(model), []).append(f"`{model.slug}`")
    if len(by_word) == 1:
        return next(iter(by_word))
    return "<br>".join(f"{', '.join(slugs)}: {word}" for word, slugs in by_word.items())


def _listed(values: Iterable[object]) -> str:
    return ", ".join(str(value) for value in values) or "none"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _sample(traits: Traits) -> str:
    rules = traits.sample
    advised = "–".join(f"{seconds:g}" for seconds in rules.advised_seconds)
    return (
        f"{rules.min_seconds:g}–{rules.max_seconds:g} s, best {advised}; from {rules.min_sample_rate // 1000} kHz; "
        f"{rules.min_speech_seconds:g} s of speech"
    )


def _longest(traits: Traits, model: VoiceModel) -> str:
    characters, most_bytes = traits.text_limits(model.slug)
    return f"{characters:_}".replace("_", " ") + (f", {most_bytes:_} bytes".replace("_", " ") if most_bytes else "")


def _speaks(traits: Traits) -> bool:
    return traits.can_synthesize


ROWS: Mapping[str, Cell] = {
    "slug": lambda traits: f"`{traits.slug}`",
    "models for cloning, the default first": lambda traits: _listed(
        f"`{model.slug}`" for model in sorted(_trained(traits), key=lambda each: each.slug != traits.default_model)
    ),
    "languages": lambda traits: _per_model(traits, lambda model: _listed(c.value for c in model.languages)),
    "a recording": _sample,
    "fetches the recording from us": lambda traits: _yes(traits.needs_public_url),
    "has to be a reading of a given text": lambda traits: _yes(traits.needs_reading_text),
    "settings of a training": lambda traits: _per_model(traits, lambda model: _listed(sorted(model.enrollment))),
    "makes a place first, trains it then": lambda traits: _yes(traits.trains_in_two_steps),
    "trains a voice again in place": lambda traits: _yes(traits.can_retrain),
    "training twice costs nothing more": lambda traits: _yes(traits.trains_idempotently),
    "finds a voice by our mark": lambda traits: _yes(traits.can_find_by_tag),
    "keeps the voice's name": lambda traits: f"yes, {traits.max_name_length} characters" if traits.can_rename else "no",
    "deletes a voice": lambda traits: _yes(traits.can_delete),
    "removes a voice that has not spoken for": lambda traits: (
        f"{traits.forgotten_after_days} days" if traits.forgotten_after_days else "–"
    ),
    "voices that one call answers for": lambda traits: str(traits.voices_per_call),
    "speaks with a cloned voice": lambda traits: _yes(traits.can_synthesize),
    "formats": lambda traits: (
        _per_model(traits, lambda model: _listed(name for name in traits.audio_formats if name in model.audio_formats))
        if _speaks(traits)
        else "–"
    ),
    "sample rates, Hz": lambda traits: _listed(traits.sample_rates) if _speaks(traits) else "–",
    "longest text, counted characters": lambda traits: (
        _per_model(traits, lambda model: _longest(traits, model)) if _speaks(traits) else "–"
    ),
    "parameters of speech": lambda traits: (
        _per_model(traits, lambda model: str(len(model.speech))) if _speaks(traits) else "–"
    ),
    "voices of its own": lambda traits: str(len(traits.stock_voices)) if traits.stock_voices else "none",
    "CNY per 10 000 characters": lambda traits: (
        _per_model(traits, lambda model: f"{model.price:g}") if _speaks(traits) else "–"
    ),
    "voice places of an account": lambda traits: str(traits.voice_cap),
    "calls a second: training, speech": lambda traits: (
        f"{traits.enrollment_rate:g}, {traits.synthesis_rate:g}" if _speaks(traits) else f"{traits.enrollment_rate:g}"
    ),
    "waited for a training": lambda traits: f"{traits.training_deadline_seconds / 60:g} min",
    "codes in the error book": lambda traits: str(len({entry.code for entry in registry.book(traits.slug)})),
    "credentials": lambda traits: _listed(f"`{name}`" for name in traits.credential_names),
}


def table() -> str:
    """In English, ends without a line end."""
    with translation.override("en"):
        providers = [registry.traits(slug) for slug in registry.slugs()]
        lines = [["", *(str(traits.label) for traits in providers)], ["---"] * (len(providers) + 1)]
        lines += [[name, *(cell(traits) for traits in providers)] for name, cell in ROWS.items()]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)
