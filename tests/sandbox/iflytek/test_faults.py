"""Things that go wrong on demand, over HTTP and on the sockets."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest
import websocket

from voiceclone_site.sandbox.faults import At, How
from voiceclone_site.sandbox.remote import ControlError, Sandbox

from .wire import OWNER, STRANGER, add_task, ask_token, call, message, spoken, submit, talk, token, token_body

MIDDLE = "今天天气怎么样？我们一起去公园吧。路上的花都开了，非常漂亮。"


@pytest.mark.parametrize("code", ["10017", "10018", "10019", "10020", "10021", "99999"])
def test_it_gives_any_code_of_the_training_service(sandbox: Sandbox, code: str) -> None:
    sandbox.fail(operation="ifly:task/add", how="error", code=code, message="训练失败")
    answer = call(sandbox, "task/add", {"resourceType": 12})
    assert (answer.status, answer.json) == (200, {"code": int(code), "desc": "训练失败", "data": None, "flag": False})
    assert call(sandbox, "task/add", {"resourceType": 12}).code == 0


def test_it_gives_any_retcode_of_the_token_service(sandbox: Sandbox) -> None:
    sandbox.fail(operation="ifly:token", how="error", code="999999", message="内部错误")
    assert ask_token(sandbox, token_body()).json == {"retcode": "999999", "desc": "内部错误"}


def test_it_strikes_the_nth_call_of_one_application(sandbox: Sandbox) -> None:
    sandbox.fail(operation="ifly:traintext", how="error", code="10019", nth=2, account="iflytek-1")
    known, other = token(sandbox), token(sandbox, STRANGER)
    asked = {"textId": 5001}
    codes = [call(sandbox, "task/traintext", asked, with_token=known).code for _ in range(3)]
    assert codes == [0, 10019, 0]
    assert call(sandbox, "task/traintext", asked, account=STRANGER, with_token=other).code == 0


@pytest.mark.parametrize("status", [500, 502])
def test_it_answers_with_a_page(sandbox: Sandbox, status: int) -> None:
    sandbox.fail(operation="ifly:result", how="html", status=status)
    answer = call(sandbox, "task/result", {"taskId": "1"})
    assert (answer.status, answer.text.startswith("<html>")) == (status, True)


@pytest.mark.parametrize("how", ["drop", "reset", "cut_body"])
def test_it_breaks_an_exchange_off(sandbox: Sandbox, how: How) -> None:
    known = token(sandbox)
    sandbox.fail(operation="ifly:traintext", how=how)
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        call(sandbox, "task/traintext", {"textId": 5001}, with_token=known)


def test_it_sends_half_an_answer_and_a_slow_one(sandbox: Sandbox) -> None:
    sandbox.fail(operation="ifly:submit", how="half_json")
    with pytest.raises(json.JSONDecodeError):
        assert call(sandbox, "task/submit", {"taskId": "1"}).json
    sandbox.fail(operation="ifly:submit", how="drip", seconds=0.001)
    assert call(sandbox, "task/submit", {"taskId": "1"}).code == 60000


def test_it_takes_effect_when_only_the_answer_is_lost(sandbox: Sandbox) -> None:
    task_id = add_task(sandbox)
    sandbox.fail(operation="ifly:submitWithAudio", how="drop", at="after")
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        submit(sandbox, task_id)
    assert len(sandbox.ledger.created("iflytek-1")) == 1
    sandbox.fail(operation="ifly:task/add", how="error", code="99999", at="after")
    assert call(sandbox, "task/add", {"resourceType": 12}).code == 99999
    assert len(sandbox.iflytek_tasks("iflytek-1")) == 2


def test_it_loses_a_token_on_demand(sandbox: Sandbox) -> None:
    sandbox.fail(operation="ifly:result", how="error", code="10000")
    assert call(sandbox, "task/result", {"taskId": "1"}).code == 10000


@pytest.mark.parametrize("at", ["start", "before", "after"])
def test_it_gives_any_code_of_the_engine_at_any_time(sandbox: Sandbox, at: At) -> None:
    sandbox.fail(operation="ifly:tts", how="error", code="11503", message="server error :atmos return", at=at, frame=3)
    heard = spoken(sandbox.iflytek_tts, message(MIDDLE))
    assert heard.error == (11503, "server error :atmos return")
    assert len(heard.payloads) == (3 if at == "after" else 0)


def test_it_gives_an_error_in_the_flat_form(sandbox: Sandbox) -> None:
    sandbox.fail(operation="ifly:tts", how="flat_error", code="10010", message="service license not enough")
    heard = spoken(sandbox.iflytek_tts, message())
    sid = heard.frames[0]["header"]["sid"]
    assert heard.frames[-1] == {"code": 10010, "message": "service license not enough", "sid": sid}


def test_it_closes_with_1000_before_the_end(sandbox: Sandbox) -> None:
    sandbox.fail(operation="ifly:tts", how="close", at="after", frame=2)
    heard = spoken(sandbox.iflytek_tts, message(MIDDLE))
    assert heard.close is not None
    assert heard.close[0] == 1000
    assert heard.statuses == [1, 1]


@pytest.mark.parametrize("how", ["drop", "reset"])
@pytest.mark.parametrize("at", ["start", "before", "after"])
def test_it_cuts_the_connection(sandbox: Sandbox, how: How, at: At) -> None:
    sandbox.fail(operation="ifly:tts", how=how, at=at)
    assert spoken(sandbox.iflytek_tts, message(MIDDLE)).lost


def test_it_stalls_for_a_while_or_for_ever(sandbox: Sandbox) -> None:
    sandbox.fail(operation="ifly:tts", how="stall", at="after", seconds=0.01)
    assert spoken(sandbox.iflytek_tts, message(MIDDLE)).statuses[-1] == 2
    sandbox.fail(operation="ifly:tts", how="stall", at="after")
    with talk(sandbox.iflytek_tts) as line:
        line.send(message(MIDDLE))
        assert line.hear(frames=2).statuses == [1]
        line.socket.settimeout(0.3)
        with pytest.raises(websocket.WebSocketTimeoutException):
            line.socket.recv()


@pytest.mark.parametrize(
    ("how", "seen"),
    [
        ("no_sid", lambda frame: "sid" not in frame["header"]),
        ("extra_fields", lambda frame: frame["trace"] == {"node": 7}),
        ("bad_base64", lambda frame: frame.get("payload", {}).get("audio", {}).get("audio", "%%%") == "%%%"),
    ],
)
def test_it_bends_every_frame(sandbox: Sandbox, how: How, seen: Any) -> None:
    sandbox.fail(operation="ifly:tts", how=how)
    with talk(sandbox.iflytek_tts) as line:
        line.send(message(MIDDLE))
        assert all(seen(frame) for frame in line.hear(frames=3).frames)


def test_it_sends_half_a_frame(sandbox: Sandbox) -> None:
    sandbox.fail(operation="ifly:tts", how="half_json")
    with talk(sandbox.iflytek_tts) as line:
        line.send(message(MIDDLE))
        line.hear(frames=1)
        with pytest.raises(json.JSONDecodeError):
            line.hear(frames=1)


def test_it_sends_a_huge_frame(sandbox: Sandbox) -> None:
    sandbox.fail(operation="ifly:tts", how="huge")
    with talk(sandbox.iflytek_tts) as line:
        line.send(message(MIDDLE))
        line.hear(frames=1)
        assert len(line.hear(frames=1).pieces[0]) > 12 * 1024 * 1024


def test_it_lists_its_operations_when_a_fault_is_unknown(sandbox: Sandbox) -> None:
    with pytest.raises(ControlError, match="ifly:submitWithAudio"):
        sandbox.ask("POST", "/faults", {"how": "drop"})


def test_it_takes_only_options_that_it_has(sandbox: Sandbox) -> None:
    with pytest.raises(ControlError, match="No such iFlytek option"):
        sandbox.configure(iflytek={"colour": "blue"})
    assert sandbox.options()["iflytek"]["frames"] == "live"
    assert OWNER.api_key not in json.dumps(sandbox.options())
