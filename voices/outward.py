"""Reach an address that a person gave us: a webhook's, or a recording's. The one door for both.

We stand where others cannot reach, so that an address is not believed: its name is resolved here, every answer must be a public
address, and the connection goes to exactly what was checked, whatever the name resolves to a moment later. Nothing of the
environment is consulted (proxies, .netrc), no cookie and no credential is sent, and each call has one deadline for everything.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urljoin, urlsplit

import certifi
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from voices.errors import PortalError

if TYPE_CHECKING:
    from voices.errors import Sentence

CONNECT_SECONDS = 5.0
REDIRECTS = 3
_CHUNK = 64 * 1024
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_USER_AGENT = "voiceclone-portal"

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressRefused(PortalError):
    """An address that we do not go to. Nothing was sent."""

    code = "address_refused"
    default_sentence = _("This address does not lead to the public internet. Give one that everybody can reach.")


class OutwardFailed(PortalError):
    """Nothing usable came back. `detail` is for whoever runs the other end; it holds no part of an address."""

    code = "address_unreachable"
    default_sentence = _("Nothing usable came back from this address. Check that it can be reached, then try again.")

    def __init__(self, detail: str, sentence: Sentence | None = None) -> None:
        super().__init__(sentence)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Reply:
    """`body` is cut at the length that was asked for; `ms` from before the name was resolved to the last byte."""

    status: int
    body: bytes = field(repr=False)
    location: str = ""
    ms: int = 0


def check_address(url: str, *, schemes: tuple[str, ...]) -> None:
    """What can be told of an address without asking anybody. Raises AddressRefused with the reason."""
    _parts(url, schemes=schemes)


def post(url: str, body: bytes, *, headers: Mapping[str, str], seconds: float, keep: int) -> Reply:
    """Send once, over https, following nothing; of the answer at most `keep` bytes are read.

    Raises AddressRefused before, and OutwardFailed after something may have been sent.
    """
    parts = _parts(url, schemes=("https",))
    with _exchange(parts, "POST", body=body, headers=headers, until=time.monotonic() + seconds) as (answer, started):
        read = answer.read(keep)
        return Reply(answer.status, read, ms=_ms_since(started))


def fetch(url: str, *, seconds: float, max_bytes: int) -> bytes:
    """A file of `max_bytes` at most. A redirect is followed up to three times, each step checked like the first.

    Raises AddressRefused, or OutwardFailed for any answer but 200, for one that is longer, and for one that takes longer.
    """
    until = time.monotonic() + seconds
    for _step in range(REDIRECTS + 1):
        parts = _parts(url, schemes=("https", "http"))
        with _exchange(parts, "GET", body=None, headers={"Accept": "*/*"}, until=until) as (answer, _started):
            if answer.status in (301, 302, 303, 307, 308):
                url = urljoin(url, answer.getheader("Location", ""))
                continue
            if answer.status != 200:
                raise OutwardFailed(
                    f"status {answer.status}",
                    _("The address of the recording does not answer with a file. Check the link, then try again."),
                )
            return _bounded(answer, max_bytes, until=until)
    raise OutwardFailed(f"more than {REDIRECTS} redirects")


# --- where it leads ---------------------------------------------------------------------------------------------------


def is_public(address: IPAddress) -> bool:
    """Whether packets to it leave for the internet, also where an IPv4 address hides in an IPv6 one."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.teredo is not None:
            return False
        hidden = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            hidden = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if hidden is not None:
            return is_public(hidden)
    return address.is_global and not address.is_multicast and not address.is_reserved


def _parts(url: str, *, schemes: tuple[str, ...]) -> SplitResult:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if not host or port == 0 or not url.isascii() or any(letter <= " " for letter in url):
        raise AddressRefused(_("This is not a web address. Give one such as https://example.com/hooks."))
    if settings.OUTWARD_LOOPBACK and _names_loopback(host):
        schemes = ("https", "http")
    if parts.scheme not in schemes:
        raise AddressRefused(_("This address has to begin with https://.") if "http" not in schemes else None)
    if parts.username is not None or parts.password is not None:
        raise AddressRefused(_("Leave user name and password out of the address."))
    with suppress(ValueError):
        if not _may_go_to(ipaddress.ip_address(host)):
            raise AddressRefused
    return parts


def _names_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def _may_go_to(address: IPAddress) -> bool:
    return is_public(address) or (settings.OUTWARD_LOOPBACK and address.is_loopback)


def _checked_addresses(host: str, port: int) -> list[str]:
    """Every address of the host; one that is not public refuses them all, for a name that has both is a trick."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise OutwardFailed(
            "the name does not resolve", _("There is no host of this name. Check the address.")
        ) from None
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    if not all(_may_go_to(ipaddress.ip_address(address.partition("%")[0])) for address in addresses):
        raise AddressRefused
    return addresses


# --- the exchange -----------------------------------------------------------------------------------------------------


@contextmanager
def _exchange(
    parts: SplitResult, method: str, *, body: bytes | None, headers: Mapping[str, str], until: float
) -> Iterator[tuple[http.client.HTTPResponse, float]]:
    started = time.monotonic()
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    addresses = _checked_addresses(host, port)
    connection = http.client.HTTPConnection(host, port)
    try:
        connection.sock = _connected(addresses, port, until=until)
        if parts.scheme == "https":
            connection.sock = _TLS.wrap_socket(connection.sock, server_hostname=host, do_handshake_on_connect=False)
        with _cut_off_at(until, connection.sock):
            if isinstance(connection.sock, ssl.SSLSocket):
                connection.sock.do_handshake()
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target, body=body, headers={**_standing(parts), **headers})
            yield connection.getresponse(), started
    except (OSError, http.client.HTTPException, ValueError) as error:
        # The error's own text may hold the address, and an address may hold a secret.
        raise OutwardFailed(f"the connection failed ({type(error).__name__})") from None
    finally:
        connection.close()


def _standing(parts: SplitResult) -> dict[str, str]:
    return {"Host": parts.netloc, "User-Agent": _USER_AGENT, "Connection": "close", "Accept-Encoding": "identity"}


def _connected(addresses: list[str], port: int, *, until: float) -> socket.socket:
    failed: OSError | None = None
    for address in addresses:
        left = until - time.monotonic()
        if left <= 0:
            break
        try:
            connected = socket.create_connection((address, port), timeout=min(CONNECT_SECONDS, left))
        except OSError as error:
            failed = error
        else:
            connected.settimeout(max(left, 0.1))
            return connected
    raise failed or TimeoutError


@contextmanager
def _cut_off_at(until: float, sock: socket.socket) -> Iterator[None]:
    """A socket's own time-out starts anew with every byte; this one does not."""

    def cut() -> None:
        with suppress(OSError):
            socket.socket.shutdown(
                sock, socket.SHUT_RDWR
            )  # not TLS's own, which would take its state from under a reader

    timer = threading.Timer(max(until - time.monotonic(), 0.0), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _bounded(answer: http.client.HTTPResponse, max_bytes: int, *, until: float) -> bytes:
    content = bytearray()
    while chunk := answer.read(_CHUNK):
        content += chunk
        if len(content) > max_bytes:
            raise OutwardFailed(
                f"more than {max_bytes} bytes",
                _("The file behind this address is too large. Give the address of a shorter recording."),
            )
    if answer.length or time.monotonic() > until:  # where no length was told, being cut off looks like the end
        raise OutwardFailed("the answer was cut off before its end")
    return bytes(content)


def _ms_since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


_TLS = ssl.create_default_context(cafile=certifi.where())
