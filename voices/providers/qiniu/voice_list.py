"""Which voices the speech service says it has (`GET /voice/list`): nothing is said with an id that is not among them.

Kept for each account in this process. What is listed is believed for an hour; that an id is missing only for a minute, for its
training may just have ended; and that the list could not be had for moments, so that a rush of listeners asks once.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from voices.providers.errors import ConfigurationError, ProviderError
from voices.providers.http import HttpClient
from voices.providers.qiniu.speech_errors import list_refused, not_listed
from voices.providers.qiniu.traits import SLUG
from voices.providers.wire import identifier, mapping

LISTED_SECONDS = 3600.0
MISSING_SECONDS = 60.0
FAILED_SECONDS = 5.0
READ_SECONDS = 8.0

_SCHEMES = {"wss": "https", "ws": "http"}


@dataclass(slots=True)
class _Shelf:
    """What one account was last told; whoever needs it while it is being asked for waits for that one call."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    ids: frozenset[str] = frozenset()
    asked_at: float | None = None
    failure: ProviderError | None = None
    failed_at: float = 0.0


_shelves: dict[str, _Shelf] = {}
_lock = threading.Lock()


def forget_lists() -> None:
    """The next voice of every account is asked for anew: between tests."""
    with _lock:
        _shelves.clear()


@dataclass(frozen=True, slots=True)
class VoiceList:
    client: HttpClient
    headers: Mapping[str, str] = field(repr=False)
    clock: Callable[[], float] = time.monotonic

    def knows(self, remote_id: str) -> bool:
        """Whether the id was listed a short while ago; never waits."""
        shelf = self._shelf()
        return remote_id in shelf.ids and self._is_younger(shelf.asked_at, LISTED_SECONDS)

    def require(self, remote_id: str) -> None:
        """Asks where what is known is too old. Raises VoiceNotUsable for an id that is not listed, and ProviderError when that
        cannot be found out."""
        shelf = self._shelf()
        with shelf.lock:
            if self.knows(remote_id):
                return
            if shelf.failure is not None and self._is_younger(shelf.failed_at, FAILED_SECONDS):
                raise shelf.failure.with_traceback(None)
            if not self._is_younger(shelf.asked_at, MISSING_SECONDS):
                self._ask(shelf)
            if remote_id not in shelf.ids:
                raise not_listed()

    def _ask(self, shelf: _Shelf) -> None:
        try:
            rows = self.client.items("/list", headers=self.headers)
        except ProviderError as error:
            shelf.failure, shelf.failed_at = list_refused(error), self.clock()
            raise shelf.failure from None
        shelf.ids = frozenset(filter(None, (identifier(mapping(row).get("voice_type")) for row in rows)))
        shelf.asked_at, shelf.failure = self.clock(), None

    def _is_younger(self, than: float | None, seconds: float) -> bool:
        return than is not None and self.clock() - than < seconds

    def _shelf(self) -> _Shelf:
        told = (self.client.account_key, self.client.base_url, *self.client.secrets)
        key = hashlib.sha256("\n".join(told).encode()).hexdigest()
        with _lock:
            return _shelves.setdefault(key, _Shelf())


def address_beside(tts_url: str) -> str:
    """Beneath which `/list` lies, by the address of the speech itself. Raises ConfigurationError when it is no such address."""
    try:
        parts = urlsplit(tts_url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in _SCHEMES or not parts.path.endswith("/tts"):
        raise ConfigurationError(
            f"The speech address of the {SLUG} account is no WebSocket address that ends in /voice/tts. "
            "Give one such as wss://api.qnaigc.com/v1/voice/tts."
        )
    return urlunsplit((_SCHEMES[parts.scheme], parts.netloc, parts.path.removesuffix("/tts"), "", ""))


def _forget_locks_of_parent() -> None:
    # A lock may have been held by a thread that the child does not have.
    global _lock
    _lock = threading.Lock()
    _shelves.clear()


os.register_at_fork(after_in_child=_forget_locks_of_parent)
