"""Every fault the sandbox knows, in every call that a voice needs: it ends in words or goes on, and never takes two places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import pytest

from tests.worker import drain, finish
from voiceclone_site.sandbox.faults import At
from voiceclone_site.sandbox.remote import Sandbox
from voices import services
from voices.models import ProviderAccount, VoiceClone

State = VoiceClone.State
Order = Callable[..., VoiceClone]

ANSWERS: list[dict[str, Any]] = [
    {"how": "drop"},
    {"how": "reset"},
    {"how": "half_json"},
    {"how": "html", "status": 200},
    {"how": "html", "status": 403},
    {"how": "html", "status": 429},
    {"how": "html", "status": 502},
    {"how": "error", "status": 400, "code": "Brand.New", "message": "\x00 <script>alert(1)</script>"},
    {"how": "error", "status": 401, "code": "InvalidApiKey"},
    {"how": "error", "status": 429, "code": "Throttling.RateQuota"},
    {"how": "error", "status": 500, "code": "InternalError"},
    {"how": "error", "status": 503, "code": ""},
]
faults = pytest.mark.parametrize("fault", ANSWERS, ids=lambda fault: "-".join(str(fault[name]) for name in fault)[:30])
moments = pytest.mark.parametrize("at", [moment for moment in get_args(At) if moment != "start"])


def held(account: ProviderAccount) -> int:
    account.refresh_from_db()
    return account.voices_held


def at_the_provider(sandbox: Sandbox) -> list[str]:
    return [each["voice_id"] for each in sandbox.voices("aliyun-1")]


@faults
@moments
def test_it_makes_one_voice_or_none(
    order_voice: Order, sandbox: Sandbox, aliyun_account: ProviderAccount, fault: dict[str, Any], at: At
) -> None:
    sandbox.fail(operation="create_voice", at=at, **fault)
    voice = finish(order_voice())
    refused_after_all = at == "after" and fault.get("status") in (400, 401, 403, 429)
    if voice.state == State.SUCCESS:
        assert at_the_provider(sandbox) == [voice.remote_id] or refused_after_all
        assert held(aliyun_account) == 1
    else:
        assert voice.state == State.FAILED
        assert voice.error_sentence
        assert held(aliyun_account) == 0
    assert len(sandbox.ledger.created("aliyun-1")) <= (2 if refused_after_all else 1)

    services.request_delete(voice)
    finish(voice)
    assert voice.state == State.DELETED
    assert held(aliyun_account) == 0


@faults
@pytest.mark.parametrize("operation", ["query_voice", "list_voice"])
def test_it_goes_on_after_a_question_that_failed(
    order_voice: Order, sandbox: Sandbox, aliyun_account: ProviderAccount, fault: dict[str, Any], operation: str
) -> None:
    sandbox.fail(operation=operation, **fault)
    voices = [order_voice(name=name) for name in ("Annie", "Adam")]
    for voice in voices:
        finish(voice)
        assert voice.state == State.SUCCESS, voice.error_detail
        assert voice.error_code == ""
    assert held(aliyun_account) == 2


@faults
@moments
def test_it_trains_again_in_the_same_place_or_says_why_not(
    ready_voice: VoiceClone, sandbox: Sandbox, aliyun_account: ProviderAccount, fault: dict[str, Any], at: At
) -> None:
    sandbox.fail(operation="update_voice", at=at, **fault)
    services.retrain(ready_voice)
    finish(ready_voice)
    assert ready_voice.state in (State.SUCCESS, State.FAILED)
    assert bool(ready_voice.error_sentence) == (ready_voice.state == State.FAILED)
    assert at_the_provider(sandbox) == [ready_voice.remote_id]
    assert held(aliyun_account) == 1


@faults
@moments
def test_it_deletes_in_the_end(
    ready_voice: VoiceClone, sandbox: Sandbox, aliyun_account: ProviderAccount, fault: dict[str, Any], at: At
) -> None:
    sandbox.fail(operation="delete_voice", at=at, **fault)
    services.request_delete(ready_voice)
    drain()
    finish(ready_voice)
    assert ready_voice.state == State.DELETED
    assert at_the_provider(sandbox) == []
    assert held(aliyun_account) == 0
