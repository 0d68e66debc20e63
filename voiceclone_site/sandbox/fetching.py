"""Fetching a sample the way a provider does, with the difference that only this machine is reachable."""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import dataclass
from typing import Literal

import aiohttp
from yarl import URL

Trouble = Literal["invalid", "not_loopback", "refused", "timeout", "status", "redirect", "too_large", "broken"]
_CHUNK = 64 * 1024


@dataclass(frozen=True)
class Fetched:
    audio: bytes
    content_type: str
    declared_length: int | None


class FetchError(Exception):
    def __init__(self, trouble: Trouble, detail: str) -> None:
        super().__init__(detail)
        self.trouble = trouble


def is_loopback(host: str | None) -> bool:
    """Whether a host name or address is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address((host or "").strip("[]")).is_loopback
    except ValueError:
        return False


async def fetch(url: str, *, most_bytes: int, seconds: float) -> Fetched:
    """GET `url` from this machine, following no redirect. Raises FetchError."""
    try:
        target = URL(url)
    except ValueError as error:
        raise FetchError("invalid", f"not a URL: {error}") from error
    if target.scheme not in ("http", "https") or not target.host:
        raise FetchError("invalid", f"scheme {target.scheme or 'none'} cannot be fetched")
    if not is_loopback(target.host):
        raise FetchError("not_loopback", f"the sandbox reaches only this machine, not {target.host}")
    timeout = aiohttp.ClientTimeout(total=seconds)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(target, allow_redirects=False) as response,
        ):
            if 300 <= response.status < 400:
                raise FetchError("redirect", f"redirected with {response.status}")
            if response.status != 200:
                raise FetchError("status", f"answered {response.status}")
            audio = bytearray()
            async for chunk in response.content.iter_chunked(_CHUNK):
                audio += chunk
                if len(audio) > most_bytes:
                    raise FetchError("too_large", f"more than {most_bytes} bytes")
            return Fetched(bytes(audio), response.content_type, response.content_length)
    except aiohttp.ClientConnectorError as error:
        raise FetchError("refused", "connection refused") from error
    except TimeoutError as error:
        raise FetchError("timeout", f"no whole answer within {seconds:g} s") from error
    except (aiohttp.ClientError, asyncio.IncompleteReadError) as error:
        raise FetchError("broken", f"broken off: {type(error).__name__}") from error
