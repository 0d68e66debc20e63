"""Key to main account. Several keys may belong to one account, which alone owns voices and rates."""

from __future__ import annotations

from collections.abc import Mapping

from . import refusals


def authenticate(headers: Mapping[str, str], *, keys: Mapping[str, str]) -> str:
    """The account of a bearer key. Raises RefusalError `InvalidApiKey`. The scheme's case does not matter."""
    scheme, _, key = headers.get("Authorization", "").partition(" ")
    account = keys.get(key.strip()) if scheme.lower() == "bearer" else None
    if account is None:
        raise refusals.invalid_key()
    return account
