"""What a script reads goes to stdout, what a person reads to stderr."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from django.conf import settings
from django.utils.translation import gettext as _

from voices import book
from voices.errors import InvalidInput, PortalError
from voices.providers.errors import ConfigurationError, ProviderError


class Lines(Protocol):
    def write(self, msg: str) -> Any: ...

    def isatty(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Output:
    out: Lines
    err: Lines
    as_json: bool

    def result(self, plain: str, data: Mapping[str, Any]) -> None:
        """The one thing that was asked for: `plain` as it stands, or with --json `data` in one line."""
        self.out.write(json.dumps(data, ensure_ascii=False) if self.as_json else plain)

    def tell(self, sentence: object) -> None:
        self.err.write(str(sentence))

    def failed(self, error: ProviderError | PortalError | ConfigurationError) -> None:
        """The sentence, then what support would ask for."""
        for sentence in _sentences(error):
            self.tell(f"voiceclone: {sentence}")
        if isinstance(error, ProviderError):
            evidence = {
                _("provider's code"): error.provider_code,
                _("provider's request id"): error.request_id,
                _("provider's words"): error.detail,
            }
            for name, value in evidence.items():
                if value:
                    self.tell(f"  {name}: {value}")
            if error.provider_code:
                path = book.help_url(error.provider_code, book.entry_of_error(error))
                more = _("more")
                self.tell(f"  {more}: {settings.PUBLIC_BASE_URL}{path}")


def _sentences(error: ProviderError | PortalError | ConfigurationError) -> list[str]:
    match error:
        case InvalidInput():
            return [str(sentence) for sentences in error.fields.values() for sentence in sentences]
        case ProviderError() | PortalError():
            return [str(error.sentence)]
    return [str(error)]
