"""Keys that the portal makes for itself on first start, kept in DATA_DIR/keys and readable by its owner alone."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

WEAK_MARKS = ("django-insecure", "changeme", "change-me", "secret", "password", "example")


def kept_secret(path: Path, *, make: Callable[[], str] = lambda: secrets.token_urlsafe(50)) -> str:
    """The secret in `path`; made and written first when there is none.

    Several processes may start at once: the file appears whole by a hard link, and whoever comes second reads the first's.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        value = make()
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{value}\n")
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text().strip()


def refuse_weak(secret_key: str) -> str:
    """Raises ImproperlyConfigured for a SECRET_KEY that could be guessed: short, of few characters, or a known example."""
    lowered = secret_key.lower()
    if len(secret_key) < 32 or len(set(secret_key)) < 8 or any(lowered.startswith(mark) for mark in WEAK_MARKS):
        raise ImproperlyConfigured(
            "SECRET_KEY is weak: it needs at least 32 characters that nobody can guess. "
            "Leave it empty to have one made and kept in DATA_DIR/keys, or set the output of: "
            "python -c 'import secrets; print(secrets.token_urlsafe(50))'"
        )
    return secret_key
