"""Key to account. One account does not see what another has."""

from __future__ import annotations

from collections.abc import Mapping

from .envelopes import RefusalError


def authenticate(headers: Mapping[str, str], *, keys: Mapping[str, str]) -> str:
    """The account of a bearer key: the word, one space, the key. Raises RefusalError 401."""
    scheme, _, key = headers.get("Authorization", "").partition(" ")
    account = keys.get(key) if scheme == "Bearer" else None
    if account is None:
        raise RefusalError(401)
    return account
