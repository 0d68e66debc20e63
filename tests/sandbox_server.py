"""The sandbox for tests: one per session (and per xdist worker), swept clean after every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from voiceclone_site.sandbox.options import CHANGEABLE, for_tests
from voiceclone_site.sandbox.remote import Sandbox
from voiceclone_site.sandbox.running import running

ALIYUN_KEY = "sk-sandbox-aliyun-1"
ALIYUN_ACCOUNT = "aliyun-1"
OTHER_ALIYUN_KEY = "sk-sandbox-aliyun-2"
OTHER_ALIYUN_ACCOUNT = "aliyun-2"
IFLYTEK = {"app_id": "a1b2c3d4", "api_key": "k" * 32, "api_secret": "s" * 32}
IFLYTEK_ACCOUNT = "iflytek-1"
OTHER_IFLYTEK = {"app_id": "b2c3d4e5", "api_key": "m" * 32, "api_secret": "t" * 32}
OTHER_IFLYTEK_ACCOUNT = "iflytek-2"
QINIU_KEY = "qiniu-sandbox-1"
QINIU_ACCOUNT = "qiniu-1"
OTHER_QINIU_KEY = "qiniu-sandbox-2"
OTHER_QINIU_ACCOUNT = "qiniu-2"
QINIU_TTS_KEY = "sk-sandbox-qiniu-1"
OTHER_QINIU_TTS_KEY = "sk-sandbox-qiniu-2"


@pytest.fixture(scope="session")
def sandbox_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox on a free port, without waits and rate limits. Use `sandbox` instead."""
    with running(for_tests(tmp_path_factory.mktemp("sandbox"))) as server:
        yield server


@pytest.fixture
def sandbox(sandbox_server: Sandbox) -> Iterator[Sandbox]:
    """The running sandbox without faults, voices, ledger entries or changed options from other tests."""
    options = sandbox_server.options()
    yield sandbox_server
    sandbox_server.clear_faults()
    sandbox_server.forget_voices()
    sandbox_server.ledger.clear()
    sandbox_server.configure(**{name: options[name] for name in CHANGEABLE})
