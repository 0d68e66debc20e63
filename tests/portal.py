"""The portal between its sandbox and its people: an account to speak through, and an address the sandbox can fetch samples from."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer
from django.db import connections
from django.test.testcases import QuietWSGIRequestHandler
from pytest_django import Settings

from tests.sandbox_server import IFLYTEK, QINIU_KEY, QINIU_TTS_KEY
from voiceclone_site.sandbox.remote import Sandbox
from voices.models import ProviderAccount
from voices.providers.iflytek.auth import forget_tokens
from voices.providers.qiniu.voice_list import forget_lists

UNHURRIED = 1000.0
"""Calls a second that no test reaches, so that none waits for a slot."""


@pytest.fixture
def aliyun_account(db: None, sandbox: Sandbox) -> ProviderAccount:
    """The sandbox's first Aliyun account, open, with room and rates for everything."""
    return aliyun_account_at(sandbox)


def aliyun_account_at(
    sandbox: Sandbox, *, api_key: str = "sk-sandbox-aliyun-1", name: str = "sandbox"
) -> ProviderAccount:
    return ProviderAccount.objects.create(
        provider="aliyun",
        name=name,
        origin=ProviderAccount.Origin.SANDBOX,
        credentials={"api_key": api_key},
        endpoints={"http": sandbox.aliyun_http, "websocket": sandbox.aliyun_websocket},
        voice_cap=1000,
        enrollment_rate=UNHURRIED,
        synthesis_rate=UNHURRIED,
    )


@pytest.fixture
def iflytek_account(db: None, sandbox: Sandbox) -> Iterator[ProviderAccount]:
    """The sandbox's first iFlytek account, open, with room and rates for everything; it checks signatures to the byte."""
    sandbox.configure(iflytek={"signature": "strict"})
    forget_tokens()
    yield iflytek_account_at(sandbox)
    forget_tokens()


def iflytek_account_at(
    sandbox: Sandbox, *, credentials: Mapping[str, str] = IFLYTEK, name: str = "sandbox"
) -> ProviderAccount:
    return ProviderAccount.objects.create(
        provider="iflytek",
        name=name,
        origin=ProviderAccount.Origin.SANDBOX,
        credentials=dict(credentials),
        endpoints=iflytek_endpoints(sandbox),
        voice_cap=1000,
        enrollment_rate=UNHURRIED,
        synthesis_rate=UNHURRIED,
    )


def iflytek_endpoints(sandbox: Sandbox) -> dict[str, str]:
    return {
        "token": sandbox.iflytek_token,
        "train": sandbox.iflytek_train,
        "clone": sandbox.iflytek_clone,
        "tts": sandbox.iflytek_tts,
    }


@pytest.fixture
def qiniu_account(db: None, sandbox: Sandbox) -> ProviderAccount:
    """The sandbox's first Qiniu account, open, with room and rates for everything."""
    return qiniu_account_at(sandbox)


def qiniu_account_at(sandbox: Sandbox, *, api_key: str = QINIU_KEY, name: str = "sandbox") -> ProviderAccount:
    return ProviderAccount.objects.create(
        provider="qiniu",
        name=name,
        origin=ProviderAccount.Origin.SANDBOX,
        credentials={"api_key": api_key},
        endpoints={"http": sandbox.qiniu_http},
        voice_cap=1000,
        enrollment_rate=UNHURRIED,
        synthesis_rate=UNHURRIED,
    )


@pytest.fixture
def speaking_qiniu_account(db: None, settings: Settings, sandbox: Sandbox) -> Iterator[ProviderAccount]:
    """As `qiniu_account`, with the experiment switched on by which its voices may speak."""
    settings.PROVIDERS = speaking_qiniu(settings)
    forget_lists()
    account = qiniu_account_at(sandbox)
    account.credentials |= {"tts_api_key": QINIU_TTS_KEY}
    account.endpoints |= {"tts": sandbox.qiniu_tts}
    account.save()
    yield account
    forget_lists()


def speaking_qiniu(settings: Settings) -> dict[str, dict[str, Any]]:
    """The providers' settings as `QINIU_TTS_MODE=aitoken` makes them, as far as the registry reads them."""
    return {**settings.PROVIDERS, "qiniu": {**settings.PROVIDERS["qiniu"], "experiment": "aitoken"}}


@pytest.fixture(scope="session")
def _listener() -> Iterator[_OnTheTestsConnection]:
    server = _OnTheTestsConnection(("127.0.0.1", 0), QuietWSGIRequestHandler)
    server.daemon_threads = True
    server.set_app(WSGIHandler())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="portal", daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def public_address(
    db: None, settings: Settings, _listener: _OnTheTestsConnection, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The portal listens here and sees the test's own rows, uncommitted ones too; the settings say so.

    For one conversation at a time, such as the sandbox fetching a sample while the test waits for it. A test that streams
    or asks in parallel needs `live_server`.
    """
    address = f"http://127.0.0.1:{_listener.server_port}"
    settings.PUBLIC_BASE_URL = settings.LOOPBACK_BASE_URL = address
    connection = connections["default"]
    connection.inc_thread_sharing()
    # Django closes what it finds inside a transaction between two requests; here that transaction is the test's.
    monkeypatch.setattr(connection, "close_if_unusable_or_obsolete", lambda: None)
    _listener.shared = {"default": connection}
    yield address
    _listener.shared = {}
    connection.dec_thread_sharing()


class _OnTheTestsConnection(ThreadedWSGIServer):
    shared: dict[str, Any] = {}

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        for alias, connection in self.shared.items():
            connections[alias] = connection
        super().process_request_thread(request, client_address)

    def _close_connections(self) -> None:
        """They are the test's, which goes on after this request."""
