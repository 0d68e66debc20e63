"""The one door to addresses that people give: where it leads, and what comes back through it."""

from __future__ import annotations

import ipaddress
import socket
import time
from typing import Any

import pytest
from django.utils.translation import override
from pytest_django import Settings

from tests.sample_server import Answer, SampleServer
from voices import outward
from voices.outward import AddressRefused, OutwardFailed


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("fe80::1", False),
        ("fc00::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::5db8:d822", True),
        ("2002:a00:1::", False),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", False),
    ],
)
def test_it_knows_what_is_public(address: str, public: bool) -> None:
    assert outward.is_public(ipaddress.ip_address(address)) is public


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f.1"])
def test_it_looks_at_what_a_name_resolves_to(host: str) -> None:
    with pytest.raises((AddressRefused, OutwardFailed)):
        outward.fetch(f"http://{host}:1/", seconds=2, max_bytes=10)


def test_it_refuses_a_name_that_is_public_and_private_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def answers(*_args: Any, **_kwargs: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("93.184.216.34", "10.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", answers)
    with pytest.raises(AddressRefused):
        outward.fetch("http://both.example/", seconds=2, max_bytes=10)


def test_it_goes_where_it_looked_and_asks_the_name_once(
    samples: SampleServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OUTWARD_LOOPBACK = True
    asked: list[str] = []
    port = samples.port

    def rebinding(host: str, *_args: Any, **_kwargs: Any) -> list[Any]:
        if host == "rebinding.localhost":
            asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    path = samples.url(b"sound").rpartition("/")[2]
    assert outward.fetch(f"http://rebinding.localhost:{port}/{path}", seconds=5, max_bytes=10) == b"sound"
    assert asked == ["rebinding.localhost"]


def test_it_fetches_a_file_and_follows_a_redirect(samples: SampleServer, settings: Settings) -> None:
    settings.OUTWARD_LOOPBACK = True
    there = samples.url(b"sound")
    moved = samples.url_of(Answer(status=302, location=there.rpartition("/")[2]))
    assert outward.fetch(moved, seconds=5, max_bytes=10) == b"sound"


def test_it_follows_no_redirect_to_where_it_may_not_go(samples: SampleServer, settings: Settings) -> None:
    settings.OUTWARD_LOOPBACK = True
    for target in ("http://10.0.0.1/", "file:///etc/passwd", "http://[fe80::1]/"):
        with pytest.raises(AddressRefused):
            outward.fetch(samples.url_of(Answer(status=302, location=target)), seconds=5, max_bytes=10)


def test_it_does_not_run_in_circles(samples: SampleServer, settings: Settings) -> None:
    settings.OUTWARD_LOOPBACK = True
    circle = samples.url_of(Answer(status=302, location=f"/{len(samples.answers)}"))
    with pytest.raises(OutwardFailed):
        outward.fetch(circle, seconds=5, max_bytes=10)


def test_it_takes_no_more_than_it_was_told(samples: SampleServer, settings: Settings) -> None:
    settings.OUTWARD_LOOPBACK = True
    with override("en"), pytest.raises(OutwardFailed, match="too large"):
        outward.fetch(samples.url(b"x" * 100_000), seconds=5, max_bytes=99_999)


def test_it_waits_no_longer_than_it_was_told(samples: SampleServer, settings: Settings) -> None:
    settings.OUTWARD_LOOPBACK = True
    began = time.monotonic()
    with pytest.raises(OutwardFailed):
        outward.fetch(samples.url_of(Answer(hangs=True)), seconds=0.3, max_bytes=10)
    assert time.monotonic() - began < 3


def test_it_tells_nothing_of_the_address(settings: Settings) -> None:
    settings.OUTWARD_LOOPBACK = True
    with pytest.raises(OutwardFailed) as failed:
        outward.fetch("http://127.0.0.1:1/secret?key=secret", seconds=2, max_bytes=10)
    assert "secret" not in f"{failed.value} {failed.value.detail} {failed.value.__cause__}"
