"""An error, as it is kept in a row and shown again later, in whatever language is read then."""

from __future__ import annotations

from typing import Any

from django.utils import translation
from django.utils.translation import gettext

from voices.errors import Fault, PortalError, StorageUnavailable
from voices.providers.errors import Act, ProviderError

CLEARED: dict[str, Any] = {
    "error_code": "",
    "error_sentence": "",
    "error_detail": "",
    "error_provider_code": "",
    "error_action": "",
}


def kept(error: ProviderError | PortalError) -> dict[str, Any]:
    """The columns of a durable row that tell of `error`. Sentences are kept untranslated, as the catalogue's key."""
    with translation.override(None):
        sentence = str(error.sentence)
    if isinstance(error, PortalError):
        action = str(Act.OPERATOR) if isinstance(error, Fault | StorageUnavailable) else ""
        detail = error.detail[:2000] if isinstance(error, StorageUnavailable) else ""
        told = {"error_code": error.code, "error_sentence": sentence, "error_detail": detail, "error_action": action}
        return CLEARED | told
    columns = CLEARED | {
        "error_code": error.code,
        "error_sentence": sentence,
        "error_detail": error.detail[:2000],
        "error_provider_code": error.provider_code[:120],
        "error_action": str(error.act),
    }
    if error.request_id:
        columns["provider_request_id"] = error.request_id[:120]
    return columns


def shown(sentence: str) -> str:
    """The kept sentence in the reader's language."""
    return gettext(sentence) if sentence else ""
