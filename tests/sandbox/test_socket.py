"""The synthesis socket, frame by frame."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
import websocket

from tests.listening import listen
from tests.recordings import WOMAN
from tests.sample_server import SampleServer
from tests.sandbox_server import ALIYUN_ACCOUNT, OTHER_ALIYUN_KEY
from voiceclone_site.sandbox.remote import Sandbox

from .dialogue import dialogue, spoken
from .enrolling import enroll

MODEL = "cosyvoice-v3-flash"


@pytest.fixture
def voice(sandbox: Sandbox, samples: SampleServer) -> str:
    return enroll(sandbox, samples, speaker=WOMAN, model=MODEL)


def test_it_speaks_each_sentence_in_the_documented_order(sandbox: Sandbox, voice: str) -> None:
    heard = spoken(sandbox, model=MODEL, voice=voice, text="你好,abc。再见！", format="wav")
    sentence = r"sentence-begin (sentence-synthesis audio )+sentence-end "
    assert re.fullmatch(rf"({sentence}){{2}}task-finished", " ".join(heard.order))
    ends = heard.outputs("sentence-end")
    assert [(end["original_text"], end["sentence"]["index"]) for end in ends] == [("你好,abc。", 0), ("再见！", 1)]
    usages = [e["payload"]["usage"]["characters"] for e in heard.events if "usage" in e["payload"]]
    assert usages == [9, 14, 14]
    assert heard.last["header"]["attributes"]["request_uuid"]
    assert max(map(len, heard.messages)) <= 8000
    assert sandbox.ledger.characters(ALIYUN_ACCOUNT) == 14


def test_it_runs_several_tasks_on_one_connection(sandbox: Sandbox, voice: str) -> None:
    with dialogue(sandbox, path="/") as talk:
        for text, characters in (("第一句。", 7), ("第二次。", 7)):
            talk.run(model=MODEL, voice=voice, format="pcm")
            talk.hear("task-started")
            talk.say(text)
            talk.finish()
            heard = talk.hear()
            assert heard.last["header"]["task_id"] == talk.task_id
            assert heard.characters == characters
    assert len(sandbox.ledger.calls("handshake")) == 1
    assert len(sandbox.ledger.calls("run-task")) == 2


def test_it_keeps_an_unfinished_sentence_until_more_text_comes(sandbox: Sandbox, voice: str) -> None:
    with dialogue(sandbox) as talk:
        talk.run(model=MODEL, voice=voice, format="pcm")
        talk.hear("task-started")
        talk.say("圆周率是3.")
        talk.say("14，不是4。剩")
        first = talk.hear("sentence-end")
        talk.finish()
        rest = talk.hear()
    assert [output["original_text"] for output in first.outputs("sentence-end")] == ["圆周率是3.14，不是4。"]
    assert [output["original_text"] for output in rest.outputs("sentence-end")] == ["剩"]


def test_it_reports_words_with_times(sandbox: Sandbox, voice: str) -> None:
    text = "2026年Python很好。"
    heard = spoken(sandbox, model=MODEL, voice=voice, text=text, format="pcm", word_timestamp_enabled=True)
    words = heard.outputs("sentence-end")[0]["sentence"]["words"]
    assert [word["text"] for word in words] == ["2026", "年", "Python", "很", "好"]
    assert all(text[word["begin_index"] : word["end_index"]] == word["text"] for word in words)
    assert all(0 <= word["begin_time"] < word["end_time"] for word in words)
    assert words[-1]["end_time"] == pytest.approx(1000 * len(heard.audio) / 2 / 22050, rel=0.02)


def test_it_speaks_ssml_once_without_counting_tags(sandbox: Sandbox, voice: str) -> None:
    markup = '<speak>你好<break time="300ms"/>世界 &amp; 再见</speak>'
    heard = spoken(sandbox, model=MODEL, voice=voice, text=markup, enable_ssml=True)
    assert heard.characters == len("你好世界 & 再见") + 6
    with dialogue(sandbox) as talk:
        talk.run(model=MODEL, voice=voice, enable_ssml=True)
        talk.hear("task-started")
        talk.say("你好。")
        talk.say("再见。")
        refused = talk.hear()
        assert refused.last["header"]["error_message"] == "Text request limit violated, expected 1."
        assert talk.hear().order == ["close"]


@pytest.mark.parametrize("markup", ["<speak>a < b</speak>", "<speak><p>a</speak>", "<speak>a", "<speak>a</speak>b"])
def test_it_refuses_malformed_ssml(sandbox: Sandbox, voice: str, markup: str) -> None:
    heard = spoken(sandbox, model=MODEL, voice=voice, text=markup, enable_ssml=True)
    assert heard.last["header"]["error_code"] == "InvalidParameter"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Please ensure input text is valid."),
        ("……？！", "Please ensure input text is valid."),
        ("字" * 10001, "Text is too long"),
    ],
    ids=["empty", "only marks", "too long"],
)
def test_it_refuses_text_that_cannot_be_spoken(sandbox: Sandbox, voice: str, text: str, message: str) -> None:
    heard = spoken(sandbox, model=MODEL, voice=voice, text=text)
    assert heard.order[-1] == "task-failed"
    assert message in heard.last["header"]["error_message"]
    assert sandbox.ledger.characters(ALIYUN_ACCOUNT) == 0


@pytest.mark.parametrize(
    ("parameters", "part"),
    [
        ({"volume": 101}, "volume"),
        ({"volume": 5.5}, "volume"),
        ({"rate": 2.1}, "rate"),
        ({"pitch": 0.4}, "pitch"),
        ({"sample_rate": 12345}, "sample_rate"),
        ({"format": "flac"}, "format"),
        ({"seed": 65536}, "seed"),
        ({"bit_rate": 5}, "bit_rate"),
        ({"text_type": "SSML"}, "text_type"),
        ({"voice": ""}, "Request voice is invalid!"),
        ({"instruction": "字" * 51}, "instruction"),
    ],
    ids=str,
)
def test_it_refuses_parameters_out_of_range(
    sandbox: Sandbox, voice: str, parameters: dict[str, Any], part: str
) -> None:
    heard = spoken(sandbox, model=MODEL, text="你好。", **{"voice": voice, **parameters})
    assert heard.order == ["task-failed"]
    assert heard.last["header"]["error_code"] == "InvalidParameter"
    assert part in heard.last["header"]["error_message"]


def test_it_ignores_parameters_it_does_not_know(sandbox: Sandbox, voice: str) -> None:
    heard = spoken(
        sandbox, model=MODEL, voice=voice, text="你好。", format="Default", sample_rate=0, type=0, instructions="x"
    )
    assert listen(heard.audio).rate == 22050


@pytest.mark.parametrize(
    ("model", "parameters", "part"),
    [
        ("cosyvoice-v2", {}, "411"),
        ("cosyvoice-v9", {}, "Model not exist"),
        ("cosyvoice-v2", {"instruction": "快乐地说"}, "428"),
        ("cosyvoice-v1", {"format": "opus"}, "format"),
    ],
)
def test_it_binds_a_voice_and_parameters_to_the_model(
    sandbox: Sandbox, voice: str, model: str, parameters: dict[str, Any], part: str
) -> None:
    heard = spoken(sandbox, model=model, voice=voice, text="你好。", **parameters)
    assert part in heard.last["header"]["error_message"]


@pytest.mark.parametrize("status", ["DEPLOYING", "UNDEPLOYED"])
def test_it_does_not_speak_with_a_voice_that_is_not_ok(sandbox: Sandbox, voice: str, status: str) -> None:
    sandbox.set_status(voice, status)
    heard = spoken(sandbox, model=MODEL, voice=voice, text="你好。")
    assert heard.last["header"]["error_message"] == "[tts:]Engine return error code: 418"


def test_it_does_not_speak_with_a_strangers_voice(sandbox: Sandbox, voice: str) -> None:
    with dialogue(sandbox, key=OTHER_ALIYUN_KEY) as talk:
        talk.run(model=MODEL, voice=voice)
        assert talk.hear().last["header"]["error_message"] == "[tts:]Engine return error code: 418"


def test_it_answers_a_wrong_key_at_the_handshake(sandbox: Sandbox) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException) as refused, dialogue(sandbox, key="sk-nobody"):
        pass
    assert refused.value.status_code == 401


WRONG_FRAMES: dict[str, str] = {
    "no json": "{",
    "no header": "{}",
    "text before run-task": json.dumps(
        {"header": {"action": "continue-task", "task_id": "t", "streaming": "duplex"}, "payload": {"input": {}}}
    ),
    "no input": json.dumps({"header": {"action": "run-task", "task_id": "t", "streaming": "duplex"}, "payload": {}}),
    "not duplex": json.dumps({"header": {"action": "run-task", "task_id": "t"}, "payload": {"input": {}}}),
    "no model": json.dumps(
        {"header": {"action": "run-task", "task_id": "t", "streaming": "duplex"}, "payload": {"input": {}}}
    ),
    "unknown action": json.dumps(
        {"header": {"action": "stop-task", "task_id": "t", "streaming": "duplex"}, "payload": {"input": {}}}
    ),
}


@pytest.mark.parametrize("frame", WRONG_FRAMES.values(), ids=WRONG_FRAMES)
def test_it_refuses_frames_that_break_the_protocol(sandbox: Sandbox, frame: str) -> None:
    with dialogue(sandbox) as talk:
        talk.socket.send(frame)
        assert talk.hear().last["header"]["error_code"] == "InvalidParameter"
        assert talk.hear().order == ["close"]


def test_it_refuses_text_of_another_task(sandbox: Sandbox, voice: str) -> None:
    with dialogue(sandbox) as talk:
        talk.run(model=MODEL, voice=voice)
        talk.hear("task-started")
        talk.task_id = "somebody else"
        talk.say("你好。")
        assert "task_id" in talk.hear().last["header"]["error_message"]


def test_it_gives_up_on_a_client_that_goes_quiet(sandbox: Sandbox, voice: str) -> None:
    sandbox.configure(idle_seconds=0.2)
    with dialogue(sandbox) as talk:
        talk.run(model=MODEL, voice=voice)
        talk.hear("task-started")
        failed = talk.hear().last["header"]
        assert (failed["error_code"], failed["error_message"]) == (
            "InvalidParameter",
            "request timeout after 0.2 seconds.",
        )
        assert talk.hear().order == ["close"]


def test_it_closes_a_connection_that_is_not_used_again(sandbox: Sandbox) -> None:
    sandbox.configure(between_tasks_seconds=0.2)
    with dialogue(sandbox) as talk:
        assert talk.hear().order == ["close"]


def test_it_limits_tasks_by_account(sandbox: Sandbox, voice: str) -> None:
    sandbox.configure(synthesis_rate=1)
    with dialogue(sandbox) as first, dialogue(sandbox) as second:
        for talk in (first, second):
            talk.run(model=MODEL, voice=voice)
        heard = [talk.hear("task-started").last["header"] for talk in (first, second)]
    assert sorted(header.get("error_code", "") for header in heard) == ["", "Throttling.RateQuota"]


def test_it_bills_what_was_sent_to_a_client_that_left(sandbox: Sandbox, voice: str) -> None:
    sandbox.configure(speed=2)
    with dialogue(sandbox) as talk:
        talk.run(model=MODEL, voice=voice, format="pcm")
        talk.hear("task-started")
        talk.say("第一句话很短。第二句话没有人听到了。")
        talk.finish()
        talk.hear("sentence-synthesis")
    deadline = time.monotonic() + 10
    while not (left := sandbox.ledger.calls("disconnect")):
        assert time.monotonic() < deadline
    assert left[0].body == {"code": "ClientDisconnect", "characters": 13}
    assert sandbox.ledger.characters(ALIYUN_ACCOUNT) == 13


def test_it_stops_speaking_when_cancelled(sandbox: Sandbox, voice: str) -> None:
    sandbox.configure(speed=1)
    with dialogue(sandbox) as talk:
        talk.run(model=MODEL, voice=voice, format="pcm")
        talk.hear("task-started")
        talk.say("这是很长的一段话，" * 10 + "。")
        talk.hear("sentence-synthesis")
        talk.finish(directive="cancel")
        heard = talk.hear()
    assert heard.order[-1] == "task-finished"
    assert "sentence-end" not in heard.order


def test_it_sends_audio_while_it_is_still_speaking(sandbox: Sandbox, voice: str) -> None:
    sandbox.configure(first_audio_seconds=0.1, speed=8)
    text = "这一句话比较长，因为我们要看一看，声音是不是一块一块地送来的。"
    heard = spoken(sandbox, model=MODEL, voice=voice, text=text, format="pcm")
    times = [entry.at for entry in sandbox.ledger.answers("audio")]
    seconds = len(heard.audio) / 2 / 22050
    assert len(times) > 10
    assert times[-1] - times[0] > 0.8 * seconds / 8


def test_it_speaks_louder_faster_and_higher_when_asked(sandbox: Sandbox, voice: str) -> None:
    def heard(**parameters: Any) -> Any:
        text = "今天天气怎么样？我们一起去公园吧。"
        audio = spoken(sandbox, model=MODEL, voice=voice, text=text, format="wav", **parameters).audio
        return listen(audio)

    plain, loud, quiet = heard(), heard(volume=100), heard(volume=0)
    assert loud.loudness - plain.loudness == pytest.approx(6, abs=1)
    assert quiet.loudness < -80
    assert heard(rate=2.0).duration == pytest.approx(plain.duration / 2, rel=0.15)
    assert heard(rate=0.5).duration == pytest.approx(plain.duration * 2, rel=0.15)
    assert heard(pitch=1.3).f0 == pytest.approx(plain.f0 * 1.3, rel=0.06)


def test_it_repeats_itself_for_equal_seeds_only(sandbox: Sandbox, voice: str) -> None:
    def audio(seed: int) -> bytes:
        return spoken(sandbox, model=MODEL, voice=voice, text="今天天气怎么样？", format="pcm", seed=seed).audio

    assert audio(7) == audio(7)
    assert audio(7) != audio(8)
