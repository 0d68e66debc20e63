"""Whether an account's credentials are believed: by the cheapest real call that its provider has, when an operator asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from voices import circuit, leave
from voices.models import ProviderAccount, new_tag
from voices.providers.errors import ConfigurationError, ProviderError

if TYPE_CHECKING:
    from voices.errors import Sentence


@dataclass(frozen=True, slots=True)
class Verdict:
    believed: bool
    sentence: Sentence


def try_credentials(account: ProviderAccount) -> Verdict:
    """Asks for something that changes nothing and costs nothing. An open circuit is tried by it, and closes when it succeeds.

    Raises Busy (AccountPaused, where an operator has paused it) when no call may leave now.
    """
    circuit.try_now(account)
    account.refresh_from_db()
    leave.ask(account, "enrollment")
    try:
        with leave.watched(account, "enrollment"):
            return Verdict(True, _ask(account))
    except ConfigurationError:
        return Verdict(False, _("These credentials cannot be sent as they are. Enter them anew, without blanks."))
    except ProviderError as error:
        said = str(error.provider_code or error.code)
        return Verdict(False, format_lazy("{sentence} ({said})", sentence=error.sentence, said=said))


def _ask(account: ProviderAccount) -> Sentence:
    provider, traits = account.client(), account.traits
    if traits.needs_reading_text:
        texts = provider.cloning.reading_texts()
        return format_lazy(
            _(
                "The provider knows these credentials: it sent {count} texts to read aloud. "
                "Whether they let voices speak shows only when one does."
            ),
            count=len(texts),
        )
    if traits.can_find_by_tag:
        provider.cloning.find(new_tag())
        return _("The provider knows these credentials: it looked for a voice that nobody has made.")
    if provider.inventory is not None:
        return format_lazy(
            _("The provider knows these credentials: its list has {count} voices."),
            count=len(provider.inventory.held()),
        )
    provider.cloning.statuses([new_tag()])
    return _("The provider knows these credentials: it answered a question about a voice that nobody has made.")
