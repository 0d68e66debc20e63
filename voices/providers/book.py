"""The error book: every code that a provider is known to answer with, once, as data.

Each provider's package has its own as `BOOK`, looks its typed errors up in it, and so cannot say one thing on the help page and do
another. A code that is in no book is carried all the same; only its meaning is then guessed by who received it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voices.providers.errors import Act, ProviderError

if TYPE_CHECKING:
    from voices.providers.errors import Sentence


@dataclass(frozen=True, slots=True)
class BookEntry:
    """One code of one service of one provider.

    `service` keeps apart what one number means in two places ("enrollment", "training", "synthesis", "account", "handshake", …).
    `saying` is a piece of the provider's message, in lower case, where only that tells two troubles of one code apart. `sentence`
    is what the person who asked is shown; `cause` and `remedy` are for whoever looks the code up. `retry_after` in seconds, where
    the provider itself does not say.
    """

    provider: str
    service: str
    code: str
    kind: type[ProviderError]
    cause: Sentence
    remedy: Sentence
    sentence: Sentence | None = None
    saying: str = ""
    retryable: bool | None = None
    retry_after: float | None = None
    act: Act | None = None

    @property
    def anchor(self) -> str:
        """Where the entry stands on the help page."""
        return "-".join(
            "".join(sign if sign.isalnum() else "-" for sign in part).lower()
            for part in (self.provider, self.service, self.code, self.saying)
            if part
        )

    @property
    def acts(self) -> Act:
        return self.act or self.kind.act

    @property
    def comes_right(self) -> bool:
        """The same call may succeed later without anybody changing anything."""
        return self.kind.retryable if self.retryable is None else self.retryable

    def error(
        self,
        detail: str,
        *,
        code: str | None = None,
        request_id: str = "",
        http_status: int | None = None,
        retry_after: float | None = None,
        retryable: bool | None = None,
    ) -> ProviderError:
        """The typed error. `code` is what the provider said, where that is not the entry's own; `retryable` overrules the book."""
        return self.kind(
            detail,
            provider=self.provider,
            provider_code=self.code if code is None else code,
            request_id=request_id,
            http_status=http_status,
            sentence=self.sentence,
            retryable=self.retryable if retryable is None else retryable,
            retry_after=self.retry_after if retry_after is None else retry_after,
            act=self.act,
        )


def found(book: Iterable[BookEntry], *services: str, code: str, message: str = "") -> BookEntry | None:
    """The entry for a code, in the first of the services that knows it: by code and message, else by code, else by the family
    that a dotted code belongs to (`Audio.Anything` is of the family `Audio`)."""
    entries = tuple(book)
    said = message.lower()
    for service in services:
        here = [entry for entry in entries if entry.service == service]
        for wanted in dict.fromkeys((code, code.partition(".")[0])):
            of_code = [entry for entry in here if entry.code == wanted]
            for entry in of_code:
                if entry.saying and entry.saying in said:
                    return entry
            for entry in of_code:
                if not entry.saying:
                    return entry
    return None
