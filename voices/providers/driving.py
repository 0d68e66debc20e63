"""What both drivers of a `SpeechSession` agree on: which events leave, what a lost connection is, whose connection is whose."""

from __future__ import annotations

import functools
import hashlib
import ssl
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Protocol, Self

import certifi

from voices.providers.base import Audio, Done, Mark, Progress, Speech, SpeechConnection, Started, Usage
from voices.providers.errors import (
    ConfigurationError,
    CredentialsRejected,
    ProviderError,
    ProviderTrouble,
    RateLimited,
    Unreachable,
)

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
LARGEST_REFUSAL = 4096
"""Bytes of a refused handshake's body that are read."""

Spoken = Started | Audio | Mark | Progress | Usage | Done


class Said(Protocol):
    """What is spoken on an event loop, as it comes in: never nothing, to the end. Who does not hear it to its end closes it."""

    def __aiter__(self) -> AsyncIterator[Sequence[Spoken]]: ...

    def __anext__(self) -> Awaitable[Sequence[Spoken]]: ...

    def aclose(self) -> Awaitable[None]: ...


Key = tuple[str, str, str]
"""Account, address and credentials: connections of one key may stand in for each other, and no others."""


def key_of(where: SpeechConnection) -> Key:
    return (where.account_key, where.url, _digest(tuple(where.headers.items())))


@functools.lru_cache(maxsize=256)
def _digest(headers: tuple[tuple[str, str], ...]) -> str:
    lines = "\n".join(f"{name}: {value}" for name, value in sorted(headers))
    return hashlib.sha256(lines.encode()).hexdigest()


@functools.cache
def certificates() -> ssl.SSLContext:
    # Loading the certificates takes longer than the handshake itself, so once.
    return ssl.create_default_context(cafile=certifi.where())


# --- a connection that is of no more use ---------------------------------------------------------------------------------


class Lost(Exception):
    """`hung_up` when the other side left, as against saying nothing or nonsense."""

    def __init__(self, reason: str, *, hung_up: bool = False) -> None:
        super().__init__(reason)
        self.hung_up = hung_up

    @classmethod
    def because_of_silence(cls, seconds: float) -> Self:
        return cls(f"nothing was received for {seconds:g} s")

    @classmethod
    def because_of_no_sound(cls, seconds: float) -> Self:
        return cls(f"no sound was received for {seconds:g} s")

    @classmethod
    def because_of_close(cls, payload: bytes) -> Self:
        code = str(struct.unpack("!H", payload[:2])[0]) if len(payload) >= 2 else "no code"
        return cls(f"the provider closed the connection ({code})", hung_up=True)

    @classmethod
    def because_of_size(cls) -> Self:
        return cls(f"the provider sent a message of more than {MAX_MESSAGE_BYTES} bytes")

    @classmethod
    def because_of_text(cls) -> Self:
        return cls("the provider sent text that is not UTF-8")


class Patience:
    """With a provider that says one thing and another, and nothing that can be heard."""

    def __init__(self, where: SpeechConnection) -> None:
        self._seconds = where.sound_timeout
        self.heard()

    def heard(self) -> None:
        """A sound, and it has been passed on."""
        self._until = time.monotonic() + self._seconds

    def check(self) -> None:
        """Raises Lost."""
        if time.monotonic() > self._until:
            raise Lost.because_of_no_sound(self._seconds)


# --- a connection that never stood ---------------------------------------------------------------------------------------


def refused(speech: Speech, where: SpeechConnection, status: int, body: bytes, *, date: str) -> ProviderError:
    """What it means that the handshake was answered with this status: the provider may know better than the number."""
    told = speech.handshake_refused(status, body[:LARGEST_REFUSAL].decode(errors="replace"), date=date)
    return told or _refused_by_status(where, status)


def unreachable(where: SpeechConnection, error: Exception) -> Unreachable:
    """Not to be chained, and it quotes nothing: an address may carry a signature."""
    return Unreachable(f"{type(error).__name__} while connecting", provider=where.provider)


def no_address(where: SpeechConnection) -> ConfigurationError:
    return ConfigurationError(
        f"The WebSocket address of the {where.provider} account is not a URL. Give one that starts with wss:// or ws://."
    )


def _refused_by_status(where: SpeechConnection, status: int) -> ProviderError:
    kind: type[ProviderError] = Unreachable
    if status in {401, 403}:
        kind = CredentialsRejected
    elif status == 429:
        kind = RateLimited
    elif status >= 500:
        kind = ProviderTrouble
    return kind("the WebSocket handshake was refused", provider=where.provider, http_status=status)
