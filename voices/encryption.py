"""A JSON column that is encrypted at rest with keys that can be rotated (Fernet: AES-128-CBC with HMAC-SHA-256)."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models


class EncryptedJSONField(models.TextField):  # type: ignore[type-arg]  # Django has no subscript at run time
    """Holds any JSON value. The newest key of ENCRYPTION_KEYS encrypts, all decrypt."""

    if TYPE_CHECKING:  # django-stubs takes a text column to hold text
        _pyi_private_set_type: Any
        _pyi_private_get_type: Any
        _pyi_lookup_exact_type: Any

    def from_db_value(self, value: str | None, *_args: object) -> Any:
        return None if value is None else json.loads(decrypt(value))

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else encrypt(json.dumps(value))

    def value_to_string(self, obj: models.Model) -> str:
        """Serialized as it is stored, so that no dump ever carries a secret."""
        return str(self.get_prep_value(self.value_from_object(obj)))

    def to_python(self, value: Any) -> Any:
        return value


def encrypt(text: str) -> str:
    return _keys().encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """Raises ImproperlyConfigured when none of the keys fits: the key that wrote the value is gone."""
    try:
        return _decrypted(token, tuple(settings.ENCRYPTION_KEYS))
    except InvalidToken:
        raise ImproperlyConfigured(
            "A stored credential cannot be decrypted with any of ENCRYPTION_KEYS. "
            "Add the key it was written with (DATA_DIR/keys/encryption_key by default) to the end of the list."
        ) from None


def rotated(token: str) -> str:
    """The same value, encrypted anew with the newest key."""
    return _keys().rotate(token.encode()).decode()


@functools.lru_cache(maxsize=64)
def _decrypted(token: str, keys: Sequence[str]) -> str:
    """Remembered: every request needs the credentials of an account, and what one token says with the same keys never changes."""
    return _of(keys).decrypt(token.encode()).decode()


def _keys() -> MultiFernet:
    return _of(settings.ENCRYPTION_KEYS)


def _of(keys: Sequence[str]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])
