"""How a call proves who makes it: an MD5 chain for training, an HMAC in the URL for speech.

The signers are functions of credentials, request and time; each is held against the known answers of the vendor and of our own
notes. MD5 is the vendor's choice.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from urllib.parse import urlencode, urlsplit

from voices.providers.errors import ConfigurationError, ProviderError, ProviderTrouble
from voices.providers.http import Answer, Content, HttpClient
from voices.providers.iflytek.codes import integer
from voices.providers.iflytek.errors import token_refused
from voices.providers.iflytek.traits import SLUG
from voices.providers.wire import note

# The vendor's own clients renew this long before the end; of a shorter life, a quarter.
RENEW_BEFORE_SECONDS = 1800.0
# Where the answer does not say, or not what could be believed; and the documented default.
TOKEN_SECONDS = 7200.0
LONGEST_LIFE = 30 * 24 * 3600
LONGEST_TOKEN = 4096

_SENDABLE = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Credentials:
    """One application of the vendor's console. The secret signs speech only."""

    app_id: str
    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.api_key, self.api_secret)


def credentials(given: Mapping[str, str]) -> Credentials:
    """Raises ConfigurationError for a value with spaces, line ends or non-ASCII characters: it would not survive a header."""
    for name in ("app_id", "api_key", "api_secret"):
        if not _SENDABLE.fullmatch(given[name]):
            raise ConfigurationError(
                f"The {name} of the {SLUG} account holds characters that none has. Copy it again from the vendor's console."
            )
    return Credentials(app_id=given["app_id"], api_key=given["api_key"], api_secret=given["api_secret"])


# --- signers ---------------------------------------------------------------------------------------------------------


def token_signature(*, api_key: str, timestamp: str, body: bytes) -> str:
    """`Authorization` of the token call. `timestamp` is the string in the body; `body` the very bytes that are sent."""
    return _md5(_md5(f"{api_key}{timestamp}".encode()).encode() + body)


def training_signature(*, api_key: str, timestamp: str, body: bytes) -> str:
    """`X-Sign` of a training call. `timestamp` is the string in `X-Time`; `body` the very bytes that are sent.

    Six shipped clients of the vendor hash six different things here (2026-11), so its server can hardly be checking. The exact
    bytes are what its page asks for.
    """
    return _md5(f"{api_key}{timestamp}{_md5(body)}".encode())


def url_signature(*, api_secret: str, host: str, date: str, path: str, method: str = "GET") -> str:
    """The HMAC-SHA256 over host, date and request line. The secret is taken as text, although it looks like base64."""
    origin = f"host: {host}\ndate: {date}\n{method} {path} HTTP/1.1"
    return base64.b64encode(hmac.new(api_secret.encode(), origin.encode(), hashlib.sha256).digest()).decode()


def signed_url(endpoint: str, *, api_key: str, api_secret: str, now: float) -> str:
    """`endpoint` with its proof; dead five minutes after `now` (seconds since 1970). Never log it: it carries the key."""
    parts = urlsplit(endpoint)
    date = formatdate(now, usegmt=True)
    signature = url_signature(api_secret=api_secret, host=parts.netloc, date=date, path=parts.path or "/")
    proof = f'api_key="{api_key}", algorithm="hmac-sha256", headers="host date request-line", signature="{signature}"'
    query = {"authorization": base64.b64encode(proof.encode()).decode(), "date": date, "host": parts.netloc}
    return f"{endpoint}?{urlencode(query)}"


def milliseconds(now: float) -> str:
    return str(int(now * 1000))


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


# --- the access token ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    good_until: float


@dataclass(slots=True)
class _Shelf:
    """One application's token; whoever needs it while it is being fetched waits for that one call."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    token: _Token | None = None


_shelves: dict[str, _Shelf] = {}
_lock = threading.Lock()


def forget_tokens() -> None:
    """The next call of every account fetches a token of its own: between tests."""
    with _lock:
        _shelves.clear()


@dataclass(frozen=True, slots=True)
class Tokens:
    """The bearer token of the training service, shared by all threads that use the same account with the same credentials.

    Nothing says that a new token ends an old one, so a process that fetches its own disturbs no other.
    """

    client: HttpClient
    credentials: Credentials
    clock: Callable[[], float] = time.time

    def current(self) -> str:
        """A token with some life left. Raises ProviderError when there is none and none is given."""
        return self._given(rejected="")

    def renewed(self, rejected: str) -> str:
        """Another token than `rejected`: the one that somebody else has fetched meanwhile, or a new one."""
        return self._given(rejected=rejected)

    def _given(self, *, rejected: str) -> str:
        shelf = _shelf(self._key())
        with shelf.lock:
            token = shelf.token
            if token is None or token.value == rejected or token.good_until <= self.clock():
                token = shelf.token = self._fetched()
            return token.value

    def _fetched(self) -> _Token:
        now = self.clock()
        timestamp = milliseconds(now)
        asked = {"base": {"appid": self.credentials.app_id, "version": "v1", "timestamp": timestamp}, "model": "remote"}
        body = json.dumps(asked, separators=(",", ":")).encode()
        signature = token_signature(api_key=self.credentials.api_key, timestamp=timestamp, body=body)
        answer = self.client.call(
            "POST",
            "",
            effect=False,
            headers={"Authorization": signature},
            content=Content(body, "application/json"),
        )
        if answer.status >= 400 or answer.body.get("retcode") != "000000":
            raise self._refused(answer)
        value = answer.body.get("accesstoken")
        if not isinstance(value, str) or len(value) > LONGEST_TOKEN or not _SENDABLE.fullmatch(value):
            raise ProviderTrouble("success without a usable token", provider=SLUG, http_status=answer.status)
        said = integer(answer.body.get("expiresin"))
        life = float(said) if said is not None and 0 < said <= LONGEST_LIFE else TOKEN_SECONDS
        return _Token(value, good_until=now + life - min(RENEW_BEFORE_SECONDS, life / 4))

    def _refused(self, answer: Answer) -> ProviderError:
        return token_refused(
            code=note(answer.body.get("retcode")),
            message=self.client.redact(str(answer.body.get("desc") or answer.body.get("message") or "")),
            http_status=answer.status,
            retry_after=answer.retry_after,
        )

    def _key(self) -> str:
        told = (self.client.account_key, self.client.base_url, self.credentials.app_id, self.credentials.api_key)
        return hashlib.sha256("\n".join(told).encode()).hexdigest()


def _shelf(key: str) -> _Shelf:
    with _lock:
        return _shelves.setdefault(key, _Shelf())


def _forget_locks_of_parent() -> None:
    # A lock may have been held by a thread that the child does not have.
    global _lock
    _lock = threading.Lock()
    _shelves.clear()


os.register_at_fork(after_in_child=_forget_locks_of_parent)
