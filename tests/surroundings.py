"""What every test stands in: storage, mail and cache of its own, Chinese until somebody asks for another language."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.cache import cache
from django.utils import translation
from pytest_django import Settings

from voices import samples
from voices.inspection import Facts, Order
from voices.providers import http, ws
from voices.verdict import Finding

_look = samples._examine
_seen: dict[tuple[str, str], tuple[Facts | Finding, bytes]] = {}


@pytest.fixture(autouse=True)
def _surroundings(settings: Settings, tmp_path: Path) -> Iterator[None]:
    settings.DATA_DIR = tmp_path
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.STORAGES = {
        "default": {
            "BACKEND": "voiceclone_site.private_disk.PrivateDisk",
            "OPTIONS": {"location": tmp_path / "media"},
        },
        # the manifest is made by collectstatic, which tests do not wait for
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    if not settings.REDIS_URL:
        settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "tests"}}
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    cache.clear()
    translation.activate(settings.LANGUAGE_CODE)
    yield
    cache.clear()
    translation.activate(settings.LANGUAGE_CODE)


@pytest.fixture(autouse=True)
def _cold_connections() -> Iterator[None]:
    """No test meets a connection that another one warmed."""
    yield
    http.close_connections()
    ws.close_connections()


@pytest.fixture(autouse=True)
def _looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording that another test has sent is not decoded again, in a process of its own: what is known of it is the same.

    Tests of the looking itself put a fixture of this name in its place.
    """
    monkeypatch.setattr(samples, "_examine", _remembered)


def _remembered(descriptor: int, order: Order) -> tuple[Facts | Finding, bytes]:
    content = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    key = (hashlib.sha256(content).hexdigest(), order.as_argument())
    if key not in _seen:
        _seen[key] = _look(descriptor, order)
    return _seen[key]
