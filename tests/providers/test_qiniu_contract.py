"""The contract that every provider keeps. What only this one does is asked in test_qiniu.py."""

from __future__ import annotations

import dataclasses

import pytest

from tests.providers.contract import CloningContract, Stage, TraitsContract
from tests.sandbox_server import OTHER_QINIU_KEY, QINIU_ACCOUNT, QINIU_KEY
from voiceclone_site.sandbox.remote import Sandbox
from voices.providers.base import Account


@pytest.fixture
def stage(sandbox: Sandbox) -> Stage:
    first = Account(key="1", credentials={"api_key": QINIU_KEY}, endpoints={"http": sandbox.qiniu_http})
    return Stage(
        slug="qiniu",
        account=first,
        other_account=dataclasses.replace(first, key="2", credentials={"api_key": OTHER_QINIU_KEY}),
        wrong_key=dataclasses.replace(first, key="3", credentials={"api_key": "qiniu-nobodys-key"}),
        ledger_account=QINIU_ACCOUNT,
        create="create_clone",
        train="train_clone",
        unwell={"code": "500"},
        strange={"code": "477"},
        status="get_clone",
    )


class TestTraits(TraitsContract):
    SLUG = "qiniu"


class TestCloning(CloningContract):
    pass
