"""The only user of requests: one call, one answer, every failure a typed error.

What separates "nothing happened" from "nobody knows" is whether any byte of the order had left when it broke, so the body
itself keeps track of that. There is no retry and no redirect here: who calls knows what a second try would cost.
Connections go straight to the provider; proxy variables and .netrc of the environment are not consulted.
"""

from __future__ import annotations

import io
import json as json_format
import os
import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from voices.providers.errors import (
    ConfigurationError,
    CredentialsRejected,
    InvalidRequest,
    OutcomeUnknown,
    ProviderError,
    ProviderTrouble,
    RateLimited,
    Refused,
    Unreachable,
)
from voices.providers.redaction import redacted
from voices.providers.wire import json_array, json_object, pause

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
MAX_ANSWER_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON object and the status it came with, whatever that status was. `retry_after` in seconds."""

    status: int
    body: Mapping[str, Any]
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """A body as the exact bytes to send, for providers that sign them or take files. `kind` is its Content-Type."""

    data: bytes = field(repr=False)
    kind: str


def multipart(
    fields: Mapping[str, str], *, name: str, filename: str, data: bytes, kind: str, boundary: str = ""
) -> Content:
    """A form with one file, in the part `name` and before the fields. `filename` is ours: plain ASCII without quotes."""
    line = b"--" + (boundary := boundary or secrets.token_hex(16)).encode() + b"\r\n"
    head = f'Content-Disposition: form-data; name="{name}"; filename="{filename}"\r\nContent-Type: {kind}\r\n\r\n'
    parts = [head.encode() + data + b"\r\n"]
    parts += [
        f'Content-Disposition: form-data; name="{each}"\r\n\r\n{value}\r\n'.encode() for each, value in fields.items()
    ]
    body = b"".join(line + part for part in parts) + b"--" + boundary.encode() + b"--\r\n"
    return Content(body, f"multipart/form-data; boundary={boundary}")


@dataclass(frozen=True, slots=True)
class HttpClient:
    """Calls one provider for one account. Instances of the same `account_key` share warm connections, and nobody else does.

    `read_seconds` bounds the wait for the first byte and, counted anew, the whole reading of the answer.
    """

    provider: str
    account_key: str
    base_url: str
    secrets: tuple[str, ...] = field(default=(), repr=False)
    connect_seconds: float = CONNECT_SECONDS
    read_seconds: float = READ_SECONDS
    max_bytes: int = MAX_ANSWER_BYTES

    def call(
        self,
        method: str,
        path: str,
        *,
        effect: bool,
        headers: Mapping[str, str],
        json: object | None = None,
        content: Content | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request. `effect` is true when doing it twice would cost something.

        Raises Unreachable when nothing of it left this machine; after that OutcomeUnknown for a call with an effect, and
        ProviderTrouble for one that may simply be asked again. An answer that is no JSON object counts as unreadable, unless
        its status alone is a clear no (CredentialsRejected, RateLimited, InvalidRequest).
        """
        response, answered = self._exchanged(
            method, path, effect=effect, headers=headers, json=json, content=content, query=query
        )
        return self._answer(response, answered, effect=effect)

    def items(self, path: str, *, headers: Mapping[str, str]) -> Sequence[Any]:
        """GET what answers with a bare JSON array. Raises as a `call` without effect does; whatever else comes, under any status
        but 200, is no list."""
        response, answered = self._exchanged("GET", path, effect=False, headers=headers)
        found = json_array(answered) if response.status_code == 200 else None
        if found is None:
            raise self._without_json(response, answered, effect=False)
        return found

    def _exchanged(
        self,
        method: str,
        path: str,
        *,
        effect: bool,
        headers: Mapping[str, str],
        json: object | None = None,
        content: Content | None = None,
        query: Mapping[str, str] | None = None,
    ) -> tuple[requests.Response, bytes]:
        if json is not None:
            content = Content(json_format.dumps(json, ensure_ascii=False).encode(), "application/json; charset=utf-8")
        body = None if content is None else _Outgoing(content.data)
        sent = dict(headers) | ({} if content is None else {"Content-Type": content.kind})
        with (
            self._translated(effect=effect, left=lambda error: _has_left(body, error)),
            _session(self.account_key).request(
                method,
                self.base_url.rstrip("/") + path,
                headers=sent,
                data=body,
                params=query,
                timeout=(self.connect_seconds, self.read_seconds),
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            return response, self._read(response, effect=effect, max_bytes=self.max_bytes)

    def download(self, url: str, *, hosts: Collection[str], max_bytes: int) -> bytes:
        """The file behind a link that the provider gave: without our credentials, without redirects, `max_bytes` at most.

        Only from `hosts` and what lies beneath them, for a link is the provider's word and we stand where others cannot reach.
        Raises Refused for any other link and for one that no longer works, ProviderTrouble when it may work later.
        """
        if not _allowed(url, hosts):
            raise Refused(self.redact(f"a link to a host that is not allowed: {url}"), provider=self.provider)
        with (
            self._translated(effect=False, left=lambda _error: True),
            _session(f"{self.account_key}:files").get(
                url,
                headers={"Accept": "*/*"},
                timeout=(self.connect_seconds, self.read_seconds),
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            if response.status_code >= 500:
                raise self._unclear("the link answers with an error", response, effect=False)
            if response.status_code != 200:
                raise Refused("the link does not work", provider=self.provider, http_status=response.status_code)
            return self._read(response, effect=False, max_bytes=max_bytes)

    def redact(self, text: str) -> str:
        return redacted(text, secrets=self.secrets)

    def _read(self, response: requests.Response, *, effect: bool, max_bytes: int) -> bytes:
        until = time.monotonic() + self.read_seconds
        content = bytearray()
        while chunk := response.raw.read1(65536, decode_content=True):
            content += chunk
            if len(content) > max_bytes:
                raise self._unclear(f"the answer is longer than {max_bytes} bytes", response, effect=effect)
            if time.monotonic() > until:
                raise self._unclear(f"the answer took longer than {self.read_seconds:g} s", response, effect=effect)
        return bytes(content)

    def _answer(self, response: requests.Response, content: bytes, *, effect: bool) -> Answer:
        body = json_object(content)
        if body is not None:
            return Answer(status=response.status_code, body=body, retry_after=_retry_after(response))
        raise self._without_json(response, content, effect=effect)

    def _without_json(self, response: requests.Response, content: bytes, *, effect: bool) -> ProviderError:
        status = response.status_code
        if status < 300 or status >= 500:
            return self._unclear(f"no JSON object: {_beginning(content)}", response, effect=effect)
        kind = {401: CredentialsRejected, 403: CredentialsRejected, 429: RateLimited}.get(status, InvalidRequest)
        explained = "redirects are not followed; check the base URL" if status < 400 else _beginning(content)
        return kind(
            self.redact(explained),
            provider=self.provider,
            http_status=status,
            retry_after=_retry_after(response) if status == 429 else None,
        )

    def _unclear(self, detail: str, response: requests.Response, *, effect: bool) -> ProviderError:
        kind = OutcomeUnknown if effect else ProviderTrouble
        return kind(self.redact(detail), provider=self.provider, http_status=response.status_code)

    @contextmanager
    def _translated(self, *, effect: bool, left: Callable[[Exception], bool]) -> Iterator[None]:
        with translated(provider=self.provider, effect=effect, left=left, redact=self.redact):
            yield


@contextmanager
def translated(
    *, provider: str, effect: bool, left: Callable[[Exception], bool], redact: Callable[[str], str]
) -> Iterator[None]:
    """Turns whatever requests raises into our errors; `left` tells whether the order had begun to leave.

    The original is not chained: its text holds addresses, and headers when one of them cannot be sent.
    """
    try:
        yield
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema):
        raise ConfigurationError(
            f"The HTTP address of the {provider} account is not a URL. Give one that starts with https:// or http://."
        ) from None
    except requests.exceptions.InvalidHeader:
        raise ConfigurationError(
            f"The credentials of the {provider} account hold characters that no key has. Enter them again."
        ) from None
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        detail = redact(f"{type(error).__name__}: {_cause(error)}")
        if not left(error):
            raise Unreachable(detail, provider=provider) from None
        if effect:
            raise OutcomeUnknown(detail, provider=provider) from None
        raise ProviderTrouble(detail, provider=provider) from None


def _allowed(url: str, hosts: Collection[str]) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or parts.username is not None:
        return False
    return any(host == name.lower() or host.endswith(f".{name.lower()}") for name in hosts if name)


class _Outgoing(io.BytesIO):
    """A body that remembers whether the connection has begun to take it."""

    taken = False

    def read(self, size: int | None = -1, /) -> bytes:
        self.taken = True
        return super().read(size)


def _has_left(body: _Outgoing | None, error: Exception) -> bool:
    if body is not None:
        return body.taken
    reason = getattr(error.args[0], "reason", None) if error.args else None
    never_connected = isinstance(reason, urllib3.exceptions.NewConnectionError)
    return not (never_connected or isinstance(error, requests.exceptions.ConnectTimeout))


def _cause(error: Exception) -> object:
    # The outermost text quotes the path and its query; the reason inside does not.
    said = error.args[0] if error.args else ""
    return getattr(said, "reason", None) or said


def _retry_after(response: requests.Response) -> float | None:
    return pause(response.headers.get("Retry-After", ""))


def _beginning(content: bytes) -> str:
    return content[:200].decode(errors="replace") or "an empty answer"


# --- connections ---------------------------------------------------------------------------------------------------------

_sessions: dict[str, requests.Session] = {}
_lock = threading.Lock()


def close_connections() -> None:
    """Close all that stand idle: at shutdown, and between tests."""
    with _lock:
        closing = list(_sessions.values())
        _sessions.clear()
    for session in closing:
        session.close()


def _session(account_key: str) -> requests.Session:
    with _lock:
        session = _sessions.get(account_key)
        if session is None:
            session = _sessions[account_key] = _new_session()
        return session


def _new_session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.headers.update({"User-Agent": "voiceclone-portal", "Accept": "application/json"})
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_connections=4, pool_maxsize=16, max_retries=0))
    return session


def _forget_connections_of_parent() -> None:
    # Two processes that write to one inherited socket would read each other's answers.
    global _lock
    _lock = threading.Lock()
    _sessions.clear()


os.register_at_fork(after_in_child=_forget_connections_of_parent)
