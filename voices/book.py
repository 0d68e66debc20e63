"""The error book of every provider: searched by the help page, and opened where a row or an error names a code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from voices import failures
from voices.durable import DurableRow
from voices.providers import registry
from voices.providers.base import Traits
from voices.providers.book import BookEntry, found
from voices.providers.errors import Act, ProviderError

if TYPE_CHECKING:
    from voices.errors import Sentence

# A service that is not named here goes by its provider's word for it.
SERVICES: Mapping[str, Sentence] = {
    "account": _("Any call"),
    "token": _("Access token"),
    "enrollment": _("Making a voice"),
    "training": _("Training a voice"),
    "synthesis": _("Making speech"),
    "handshake": _("Opening a connection to speak"),
    "create": _("Making a place for a voice"),
    "train": _("Handing over the recording"),
    "rename": _("Renaming"),
    "delete": _("Deleting"),
    "list": _("Listing voices"),
    "paid training": _("Training in a paid place"),
}
ACTS: Mapping[Act, Sentence] = {
    Act.USER: _("You"),
    Act.OPERATOR: _("The operator of this site"),
    Act.PROVIDER: _("The provider"),
}
LONGEST_QUERY = 100


@dataclass(frozen=True, slots=True)
class Line:
    """Codes of one service that mean one and the same."""

    entries: tuple[BookEntry, ...]

    @property
    def meaning(self) -> BookEntry:
        return self.entries[0]

    @property
    def acts(self) -> Sentence:
        return ACTS[self.meaning.acts]


@dataclass(frozen=True, slots=True)
class Chapter:
    """What one service of a provider may answer."""

    traits: Traits
    service: str
    lines: tuple[Line, ...]

    @property
    def label(self) -> Sentence:
        return SERVICES.get(self.service, self.service)


def chapters(query: str = "") -> list[Chapter]:
    """Everything that has each word of `query`, in its code, its provider's name or its sentences in the reader's language."""
    words = query[:LONGEST_QUERY].lower().split()
    written: list[Chapter] = []
    for slug in registry.slugs():
        traits = registry.traits(slug)
        matching = [entry for entry in registry.book(slug) if _has(entry, traits, words)]
        for service in dict.fromkeys(entry.service for entry in matching):
            of_service = [entry for entry in matching if entry.service == service]
            written.append(Chapter(traits=traits, service=service, lines=tuple(_lines(of_service))))
    return written


def entry(provider: str, service: str, code: str) -> BookEntry | None:
    """None for a code that nobody has described, and for a provider that is not here any more."""
    return found(_book(provider), service, code=code)


def entry_for(*, provider: str, code: str, kind: str, sentence: str = "", message: str = "") -> BookEntry | None:
    """What an error was that has been kept or raised. A code means different things in different services, so the one whose error
    it became is taken first: of that `kind` (such as `account_blocked`), with that `sentence` in the reader's language."""
    if not code:
        return None
    entries = _book(provider)
    of_kind = [each for each in entries if each.kind.code == kind]
    so_said = [each for each in of_kind if str(each.sentence or each.kind.default_sentence) == sentence]
    for candidates in (so_said, of_kind, entries):
        # In whichever service: the provider's words tell more than its code.
        for among in ([each for each in candidates if each.saying], candidates):
            services = dict.fromkeys(each.service for each in among)
            known = found(among, *services, code=code, message=message)
            if known is not None:
                return known
    return None


def entry_of_error(error: ProviderError) -> BookEntry | None:
    return entry_for(
        provider=error.provider,
        code=error.provider_code,
        kind=error.code,
        sentence=str(error.sentence),
        message=error.detail,
    )


def entry_of(row: DurableRow) -> BookEntry | None:
    return entry_for(
        provider=row.provider,
        code=row.error_provider_code,
        kind=row.error_code,
        sentence=failures.shown(row.error_sentence),
        message=row.error_detail,
    )


def help_url(code: str, known: BookEntry | None = None) -> str:
    """Where a code is explained; a path. One that is in no book leads there too, for the page says what to do with it."""
    address = f"{reverse('help_errors')}?{urlencode({'q': code})}"
    return f"{address}#{known.anchor}" if known else address


def _book(provider: str) -> tuple[BookEntry, ...]:
    return registry.book(provider) if provider in registry.slugs() else ()


def _has(entry: BookEntry, traits: Traits, words: list[str]) -> bool:
    told = (entry.code, entry.saying, traits.slug, traits.label, entry.kind.code, entry.cause, entry.remedy)
    text = " ".join(str(part) for part in (*told, entry.sentence or "", SERVICES.get(entry.service, ""))).lower()
    return all(word in text for word in words)


def _lines(entries: list[BookEntry]) -> Iterator[Line]:
    alike: list[BookEntry] = []
    for each in entries:
        if alike and _meaning(each) != _meaning(alike[0]):
            yield Line(tuple(alike))
            alike = []
        alike.append(each)
    if alike:
        yield Line(tuple(alike))


def _meaning(entry: BookEntry) -> tuple[object, ...]:
    return entry.kind, str(entry.cause), str(entry.remedy), entry.acts, entry.comes_right
