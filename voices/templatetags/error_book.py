"""The error book in templates: `{% book_entry "slug" "training" "10019" as entry %}`, `{% book_entry_of row as entry %}`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import template

from voices import book, tickets
from voices.durable import DurableRow
from voices.providers.book import BookEntry

if TYPE_CHECKING:
    from voices.errors import Sentence

register = template.Library()


@register.simple_tag
def book_entry(provider: str, service: str, code: str) -> BookEntry | None:
    return book.entry(provider, service, code)


@register.simple_tag
def book_entry_of(row: DurableRow) -> BookEntry | None:
    """What the provider's code in a failed row means."""
    return book.entry_of(row)


@register.filter
def acts_label(entry: BookEntry) -> Sentence:
    return book.ACTS[entry.acts]


@register.filter
def ticket(row: DurableRow) -> str:
    """For staff alone: it tells of the account."""
    return tickets.ticket(row)


@register.simple_tag
def help_address(code: str, entry: BookEntry | None = None) -> str:
    return book.help_url(code, entry)
