"""Things that go wrong on demand, as a client meets them."""

from __future__ import annotations

import time

import pytest
import requests
import websocket

from tests.recordings import WOMAN, recording
from tests.sample_server import SampleServer
from tests.sandbox_server import ALIYUN_ACCOUNT, OTHER_ALIYUN_ACCOUNT, OTHER_ALIYUN_KEY
from voiceclone_site.sandbox.remote import ControlError, Sandbox

from .dialogue import Heard, dialogue, spoken
from .enrolling import ask, enroll

MODEL = "cosyvoice-v2"
TEXT = "今天天气怎么样？我们一起去公园吧。"


@pytest.fixture
def voice(sandbox: Sandbox, samples: SampleServer) -> str:
    return enroll(sandbox, samples, model=MODEL)


def create(sandbox: Sandbox, samples: SampleServer) -> requests.Response:
    url = samples.url(recording(WOMAN))
    return ask(sandbox, action="create_voice", target_model=MODEL, prefix="test", url=url)


def speak(sandbox: Sandbox, voice: str) -> Heard:
    return spoken(sandbox, model=MODEL, voice=voice, text=TEXT, format="pcm")


def test_it_drops_the_connection_before_the_effect(sandbox: Sandbox, samples: SampleServer) -> None:
    sandbox.fail(operation="create_voice", how="drop")
    with pytest.raises(requests.ConnectionError):
        create(sandbox, samples)
    assert sandbox.voices() == []
    (call,) = sandbox.ledger.calls("create_voice")
    assert call.fault == "drop"


@pytest.mark.parametrize("how", ["drop", "reset"])
def test_it_loses_the_answer_after_the_effect(sandbox: Sandbox, samples: SampleServer, how: str) -> None:
    sandbox.fail(operation="create_voice", how="drop" if how == "drop" else "reset", at="after")
    with pytest.raises(requests.ConnectionError):
        create(sandbox, samples)
    (voice,) = sandbox.voices(ALIYUN_ACCOUNT)
    assert sandbox.ledger.created(ALIYUN_ACCOUNT) == [voice["voice_id"]]
    assert voice["status"] == "OK"


def test_it_answers_with_a_given_error_on_the_nth_call(sandbox: Sandbox) -> None:
    sandbox.fail(
        operation="list_voice", how="error", nth=2, times=2, status=400, code="Arrearage", message="Access denied."
    )
    answers = [ask(sandbox, action="list_voice") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 400, 400, 200]
    assert (answers[1].json()["code"], answers[1].json()["message"]) == ("Arrearage", "Access denied.")


def test_it_strikes_one_account_only(sandbox: Sandbox) -> None:
    sandbox.fail(operation="*", how="error", account=OTHER_ALIYUN_ACCOUNT, times=0)
    assert ask(sandbox, action="list_voice").status_code == 200
    for _ in range(2):
        assert ask(sandbox, key=OTHER_ALIYUN_KEY, action="list_voice").status_code == 500


@pytest.mark.parametrize("status", [200, 502])
def test_it_answers_with_html(sandbox: Sandbox, status: int) -> None:
    sandbox.fail(operation="list_voice", how="html", status=status)
    answer = ask(sandbox, action="list_voice")
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("text/html")


def test_it_answers_with_half_a_json_document(sandbox: Sandbox) -> None:
    sandbox.fail(operation="list_voice", how="half_json")
    answer = ask(sandbox, action="list_voice")
    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


def test_it_delays_an_answer(sandbox: Sandbox) -> None:
    sandbox.fail(operation="list_voice", how="delay", seconds=0.3)
    began = time.monotonic()
    ask(sandbox, action="list_voice")
    assert time.monotonic() - began >= 0.3


def test_it_rejects_a_voice_in_review(sandbox: Sandbox, samples: SampleServer) -> None:
    sandbox.fail(operation="create_voice", how="undeployed")
    create(sandbox, samples)
    assert [voice["status"] for voice in sandbox.voices()] == ["UNDEPLOYED"]


@pytest.mark.parametrize("status", [401, 403, 429])
def test_it_refuses_a_handshake(sandbox: Sandbox, status: int) -> None:
    sandbox.fail(operation="handshake", how="error", status=status)
    with pytest.raises(websocket.WebSocketBadStatusException) as refused, dialogue(sandbox):
        pass
    assert refused.value.status_code == status


def test_it_drops_a_handshake(sandbox: Sandbox) -> None:
    sandbox.fail(operation="handshake", how="drop")
    with pytest.raises((websocket.WebSocketException, ConnectionError)), dialogue(sandbox):
        pass


def test_it_never_starts_a_task(sandbox: Sandbox, voice: str) -> None:
    sandbox.fail(operation="synthesis", how="no_task_started")
    with dialogue(sandbox) as talk:
        talk.run(model=MODEL, voice=voice)
        talk.socket.settimeout(0.3)
        with pytest.raises(websocket.WebSocketTimeoutException):
            talk.hear()


def test_it_fails_a_task_instead_of_starting_it(sandbox: Sandbox, voice: str) -> None:
    sandbox.fail(operation="synthesis", how="error", at="start", code="Arrearage", message="Access denied.")
    heard = speak(sandbox, voice)
    assert heard.order == ["task-failed"]
    assert heard.last["header"]["error_code"] == "Arrearage"


def test_it_fails_a_task_before_any_audio(sandbox: Sandbox, voice: str) -> None:
    sandbox.fail(operation="synthesis", how="error", code="DataInspectionFailed", message="inappropriate content")
    with dialogue(sandbox) as talk:
        talk.run(model=MODEL, voice=voice)
        assert talk.hear().order == ["task-started", "task-failed"]
    assert sandbox.ledger.characters(ALIYUN_ACCOUNT) == 0


def test_it_fails_a_task_after_its_first_audio(sandbox: Sandbox, voice: str) -> None:
    sandbox.fail(operation="synthesis", how="error", at="after")
    heard = speak(sandbox, voice)
    assert heard.order == ["sentence-begin", "sentence-synthesis", "audio", "task-failed"]
    assert sandbox.ledger.characters(ALIYUN_ACCOUNT) == 15
    assert speak(sandbox, voice).order[-1] == "task-finished"


def test_it_closes_a_task_without_finishing_it(sandbox: Sandbox, voice: str) -> None:
    sandbox.fail(operation="synthesis", how="close", at="after")
    assert speak(sandbox, voice).order == ["sentence-begin", "sentence-synthesis", "audio", "close"]


def test_it_resets_a_task_in_the_middle(sandbox: Sandbox, voice: str) -> None:
    sandbox.fail(operation="synthesis", how="reset", at="after")
    with pytest.raises((websocket.WebSocketConnectionClosedException, ConnectionError)):
        speak(sandbox, voice)


def test_it_answers_for_another_task(sandbox: Sandbox, voice: str) -> None:
    sandbox.fail(operation="synthesis", how="wrong_task_id")
    heard = speak(sandbox, voice)
    assert {event["header"]["task_id"] for event in heard.events} == {"0" * 32}


@pytest.mark.parametrize("at", ["before", "after"])
def test_it_cuts_a_json_frame_in_half(sandbox: Sandbox, voice: str, at: str) -> None:
    sandbox.fail(operation="synthesis", how="half_json", at="before" if at == "before" else "after")
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        speak(sandbox, voice)


def test_it_drips_audio_in_small_pieces(sandbox: Sandbox, voice: str) -> None:
    sandbox.fail(operation="synthesis", how="drip", seconds=0.005)
    with dialogue(sandbox) as talk:
        talk.run(model=MODEL, voice=voice, format="opus")
        talk.hear("task-started")
        talk.say("你好。")
        began = time.monotonic()
        heard = talk.hear("sentence-end")
    assert max(map(len, heard.messages)) <= 400
    assert time.monotonic() - began >= 0.005 * len(heard.messages)


def test_it_stalls_in_the_middle(sandbox: Sandbox, voice: str) -> None:
    sandbox.fail(operation="synthesis", how="stall", at="after")
    with dialogue(sandbox) as talk:
        talk.run(model=MODEL, voice=voice, format="pcm")
        talk.hear("task-started")
        talk.say(TEXT)
        talk.hear("sentence-synthesis")
        talk.socket.settimeout(0.3)
        assert talk.socket.recv_data()[0] == websocket.ABNF.OPCODE_BINARY
        with pytest.raises(websocket.WebSocketTimeoutException):
            talk.socket.recv_data()


def test_it_says_a_sentence_twice_or_not_at_all(sandbox: Sandbox, voice: str) -> None:
    whole = len(speak(sandbox, voice).audio)
    sandbox.fail(operation="synthesis", how="duplicate_sentence")
    sandbox.fail(operation="synthesis", how="missing_sentence", nth=2)
    assert len(speak(sandbox, voice).audio) > 1.3 * whole
    assert len(speak(sandbox, voice).audio) < 0.7 * whole


def test_it_refuses_a_fault_it_does_not_know(sandbox: Sandbox) -> None:
    for fault in ({"operation": "synthesis", "how": "explode"}, {"how": "drop"}, {"operation": "*", "when": 1}):
        with pytest.raises(ControlError, match=r"must be|No such field"):
            sandbox.ask("POST", "/faults", fault)
    assert sandbox.ask("GET", "/faults") == []
