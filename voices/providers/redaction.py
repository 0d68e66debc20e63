"""What a provider says goes into logs and rows; keys and signed links do not."""

from __future__ import annotations

import re
from collections.abc import Iterable

from voices.providers.wire import storable

MAX_DETAIL = 500

# Only the origin of a link survives: a signature may sit in its query, in its path, or before its host.
_LINK = re.compile(r"\b(https?|wss?|oss)://(?:[^\s/@\"'<>]*@)?([^\s/?#\"'<>]+)[^\s\"'<>]*", re.IGNORECASE)
_QUERY = re.compile(r"\?[\w.~%+/-]+=[^\s\"'<>]*")


def redacted(text: str, *, secrets: Iterable[str]) -> str:
    """Another's words, fit to keep: without our secrets, with links cut to their origin, `MAX_DETAIL` characters at most."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "[secret]")
    text = " ".join(_QUERY.sub("?…", _LINK.sub(r"\1://\2/…", storable(text))).split())
    return text if len(text) <= MAX_DETAIL else text[: MAX_DETAIL - 1] + "…"
