"""One bearer key, made in the vendor's console; its form and its life are not published."""

from __future__ import annotations

import re
from collections.abc import Mapping

from voices.providers.errors import ConfigurationError

_KEY = re.compile(r"[\x21-\x7e]+")


def bearer(api_key: str) -> Mapping[str, str]:
    """Raises ConfigurationError for a key with spaces, line ends or non-ASCII characters: it would not survive a header."""
    if not _KEY.fullmatch(api_key):
        raise ConfigurationError("The API key of the qiniu account holds characters that no key has. Enter it again.")
    return {"Authorization": f"Bearer {api_key}"}
