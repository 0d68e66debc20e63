"""The synthesis task frame by frame, without a socket."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from voices.providers.aliyun.speech import AliyunSpeech, CosyVoiceTask, pieces
from voices.providers.aliyun.traits import TRAITS, count_characters
from voices.providers.base import Audio, Done, Event, Mark, OptionValue, Send, SpeechRequest, Usage
from voices.providers.errors import (
    Act,
    InvalidRequest,
    ProviderError,
    ProviderTrouble,
    RateLimited,
    StreamBroken,
    TextRejected,
    VoiceNotUsable,
)

KEY = "sk-very-secret-1"
VOICE = "cosyvoice-v3-flash-abc-0123456789abcdef0123456789abcdef"


def task(
    text: str = "你好。",
    *,
    model: str = "cosyvoice-v3-flash",
    audio_format: str = "mp3",
    options: Mapping[str, OptionValue] | None = None,
) -> CosyVoiceTask:
    return CosyVoiceTask(
        SpeechRequest(
            remote_id=VOICE,
            model=model,
            text=text,
            audio_format=audio_format,
            sample_rate=24000,
            options=options or {},
        ),
        secrets=(KEY,),
    )


def sent(events: list[Event]) -> list[dict[str, Any]]:
    return [json.loads(event.frame) for event in events if isinstance(event, Send)]


def opened(session: CosyVoiceTask) -> dict[str, Any]:
    (frame,) = [json.loads(send.frame) for send in session.open()]
    assert isinstance(frame, dict)
    return frame


def parameters(**given: Any) -> dict[str, Any]:
    found: dict[str, Any] = opened(task(**given))["payload"]["parameters"]
    return found


def hears(session: CosyVoiceTask, event: str, payload: object = None, **header: object) -> list[Event]:
    frame = {
        "header": {"task_id": session.request_id, "event": event, "attributes": {}, **header},
        "payload": payload or {},
    }
    return list(session.receive(json.dumps(frame, ensure_ascii=False)))


def started(text: str = "你好。", **given: Any) -> CosyVoiceTask:
    session = task(text, **given)
    opened(session)
    hears(session, "task-started")
    return session


def texts(frames: list[dict[str, Any]]) -> list[str]:
    return [frame["payload"]["input"]["text"] for frame in frames if frame["header"]["action"] == "continue-task"]


# --- opening ---


def test_it_opens_with_run_task_alone() -> None:
    session = task()
    frame = opened(session)
    assert frame["header"] == {"action": "run-task", "task_id": session.request_id, "streaming": "duplex"}
    assert frame["payload"] == {
        "model": "cosyvoice-v3-flash",
        "task_group": "audio",
        "task": "tts",
        "function": "SpeechSynthesizer",
        "input": {},
        "parameters": {"text_type": "PlainText", "voice": VOICE, "format": "mp3", "sample_rate": 24000},
    }


def test_every_task_has_an_id_of_its_own() -> None:
    assert task().request_id != task().request_id


def test_it_sends_the_text_and_the_end_once_the_task_has_started() -> None:
    session = task("你好,abc。")
    opened(session)
    frames = sent(hears(session, "task-started"))
    assert [frame["header"]["action"] for frame in frames] == ["continue-task", "finish-task"]
    assert frames[0]["payload"]["input"] == {"text": "你好,abc。"}
    assert frames[1]["payload"] == {"input": {}}


@pytest.mark.parametrize("text", ["", " \n "])
def test_it_refuses_empty_text_before_asking(text: str) -> None:
    with pytest.raises(TextRejected):
        task(text)


# --- parameters ---

_VALUES: dict[str, OptionValue] = {
    "volume": 80,
    "rate": 1.2,
    "pitch": 0.9,
    "seed": 7,
    "instruction": "请用广东话表达。",
    "word_timestamp_enabled": True,
    "enable_ssml": True,
    "enable_markdown_filter": True,
    "enable_aigc_tag": True,
    "aigc_propagator": "me",
    "aigc_propagate_id": "1",
}


@pytest.mark.parametrize("name", _VALUES)
def test_it_sends_an_option_as_it_is_called_on_the_wire(name: str) -> None:
    assert parameters(options={name: _VALUES[name]})[name] == _VALUES[name]


def test_it_sends_the_language_as_a_list() -> None:
    assert parameters(options={"language_hints": "en"})["language_hints"] == ["en"]


def test_it_sends_the_bit_rate_for_opus_only() -> None:
    assert parameters(audio_format="opus", options={"bit_rate": 64})["bit_rate"] == 64
    assert "bit_rate" not in parameters(audio_format="mp3", options={"bit_rate": 64})


def test_it_sends_pronunciations_and_replacements_as_hot_fix() -> None:
    options: dict[str, OptionValue] = {"pronunciation": "天气=tian1 qi4\n 重庆 = chong2 qing4", "replace": "今天=金天;"}
    assert parameters(options=options)["hot_fix"] == {
        "pronunciation": [{"天气": "tian1 qi4"}, {"重庆": "chong2 qing4"}],
        "replace": [{"今天": "金天"}],
    }


@pytest.mark.parametrize("written", ["天气", "=tian1", "天气=", "a=b;c"])
def test_it_refuses_a_pronunciation_that_is_no_pair(written: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        task(options={"pronunciation": written})
    assert caught.value.act is Act.USER


def test_it_counts_an_instruction_as_the_vendor_does() -> None:
    task(options={"instruction": "字" * 50})
    with pytest.raises(InvalidRequest):
        task(options={"instruction": "字" * 51})


@pytest.mark.parametrize("name", ["instruction", "language_hints", "pronunciation", "aigc_propagator"])
def test_it_leaves_out_what_was_left_empty(name: str) -> None:
    assert parameters(options={name: ""}) == parameters()


@pytest.mark.parametrize("model", [model.slug for model in TRAITS.models])
def test_it_takes_every_option_of_a_model_and_no_other(model: str) -> None:
    for parameter in TRAITS.speech:
        value: OptionValue = {"pronunciation": "a=b", "replace": "a=b"}.get(parameter.name, 1)
        if parameter.name in TRAITS.model(model).speech:
            task(model=model, options={parameter.name: value})
        else:
            with pytest.raises(InvalidRequest, match=parameter.name):
                task(model=model, options={parameter.name: value})


def test_it_refuses_a_format_that_the_model_does_not_speak() -> None:
    with pytest.raises(InvalidRequest, match="opus"):
        task(model="cosyvoice-v1", audio_format="opus")


def test_a_model_we_do_not_know_speaks_without_options() -> None:
    assert opened(task(model="cosyvoice-v9"))["payload"]["model"] == "cosyvoice-v9"
    with pytest.raises(InvalidRequest):
        task(model="cosyvoice-v9", options={"rate": 1.0})


# --- text in pieces ---


def test_pieces_are_the_same_text_within_the_limit() -> None:
    text = "第一句话，很短。Second one! 第三句？\n" * 200
    cut = pieces(text, limit=2000)
    assert "".join(cut) == text
    assert all(count_characters(piece) <= 2000 for piece in cut)
    assert len(cut) <= count_characters(text) // 1900 + 1


def test_pieces_end_where_sentences_end() -> None:
    assert pieces("一二三。四五六！七八九？", limit=14) == ["一二三。四五六！", "七八九？"]


def test_a_decimal_point_ends_no_sentence() -> None:
    assert pieces("Pi is 3.14159 or so. Yes.", limit=21) == ["Pi is 3.14159 or so.", " Yes."]


def test_a_closing_quote_stays_with_its_sentence() -> None:
    assert pieces("“一二三。”四五六。", limit=10) == ["“一二三。”", "四五六。"]


def test_a_long_sentence_is_cut_at_its_commas() -> None:
    assert pieces("一二三，四五六，七八九。", limit=14) == ["一二三，四五六，", "七八九。"]


def test_a_sentence_without_any_pause_is_cut_all_the_same() -> None:
    cut = pieces("字" * 5001, limit=2000)
    assert "".join(cut) == "字" * 5001
    assert all(count_characters(piece) <= 2000 for piece in cut)


def test_long_text_goes_out_in_order_as_answers_come_in() -> None:
    text = "".join(f"第{number}句话说的是同一件事。" for number in range(3000))
    session = task(text)
    opened(session)
    frames = sent(hears(session, "task-started"))
    assert len(frames) == 10
    while frames[-1]["header"]["action"] != "finish-task":
        frames += sent(list(session.receive(b"audio")))
    assert "".join(texts(frames)) == text
    assert sent(list(session.receive(b"audio"))) == []


def test_ssml_goes_out_whole() -> None:
    text = "<speak>" + "很长的一句话。" * 500 + "</speak>"
    session = task(text, options={"enable_ssml": True})
    opened(session)
    assert texts(sent(hears(session, "task-started"))) == [text]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("你好", 4),
        ("中A文123", 8),
        ("中 文。", 6),
        ("カナ", 2),
        ("한글", 2),
        ("𠮷", 2),
        ("<speak>你好<break/></speak>", 4),
        ("<b>", 3),
    ],
)
def test_it_counts_as_the_vendor_bills(text: str, count: int) -> None:
    assert count_characters(text) == count


# --- answers ---


def test_binary_frames_are_audio() -> None:
    assert list(started().receive(b"abc")) == [Audio(b"abc")]


def words(*entries: tuple[str, int, int, int]) -> list[dict[str, object]]:
    return [
        {"text": text, "begin_index": index, "end_index": index + 1, "begin_time": begin, "end_time": end}
        for text, index, begin, end in entries
    ]


def result(index: int | None, said: object, **output: object) -> dict[str, object]:
    sentence: dict[str, object] = {"words": said} if index is None else {"index": index, "words": said}
    return {"output": {**output, "sentence": sentence}}


def test_words_become_marks() -> None:
    events = hears(
        started(), "result-generated", result(0, words(("你", 0, 0, 180), ("好", 1, 180, 400)), type="sentence-end")
    )
    assert events == [Mark("你", 0, 180), Mark("好", 180, 400)]


def test_words_that_are_repeated_become_marks_once() -> None:
    session = started()
    first = words(("你", 0, 0, 180))
    assert len(hears(session, "result-generated", result(0, first, type="sentence-synthesis"))) == 1
    both = words(("你", 0, 0, 180), ("好", 1, 180, 400))
    assert hears(session, "result-generated", result(0, both, type="sentence-end")) == [Mark("好", 180, 400)]


def test_the_older_form_without_types_is_understood() -> None:
    events = hears(started(), "result-generated", result(None, words(("你", 0, 0, 180))) | {"usage": {"characters": 5}})
    assert events == [Mark("你", 0, 180), Usage(5)]


@pytest.mark.parametrize(
    "said", [None, "words", [None], [{"text": "你"}], [{"text": 1, "begin_time": 0, "end_time": 1}], {"text": []}]
)
def test_words_that_make_no_sense_are_passed_over(said: object) -> None:
    assert hears(started(), "result-generated", result(0, said)) == []


def test_usage_is_told_when_it_grows() -> None:
    session = started()
    assert hears(session, "result-generated", {"usage": {"characters": 5}}) == [Usage(5)]
    assert hears(session, "result-generated", {"usage": {"characters": 5}}) == []
    assert hears(session, "result-generated", {"usage": {"characters": 9}}) == [Usage(9)]


@pytest.mark.parametrize("said", [-1, True, 10**30, "5", None, [5]])
def test_a_count_that_nobody_can_believe_is_passed_over(said: object) -> None:
    session = started()
    assert hears(session, "result-generated", {"usage": {"characters": said}}) == []
    assert hears(session, "task-finished") == [Done(characters=None, request_id=session.request_id)]


def test_it_ends_with_the_last_count_and_what_support_asks_for() -> None:
    session = started()
    hears(session, "result-generated", {"usage": {"characters": 5}})
    events = hears(session, "task-finished", {"usage": {"characters": 9}}, attributes={"request_uuid": "d99eeace-96d2"})
    assert events == [Usage(9), Done(characters=9, request_id="d99eeace-96d2")]


def test_it_ends_with_the_count_it_knows_when_the_end_names_none() -> None:
    session = started()
    hears(session, "result-generated", {"usage": {"characters": 5}})
    assert hears(session, "task-finished") == [Done(characters=5, request_id=session.request_id)]
    assert hears(started(), "task-finished")[0].characters is None  # type: ignore[union-attr]


def test_unknown_events_and_fields_are_passed_over() -> None:
    assert hears(started(), "something-new", {"output": {"surprise": 1}}, extra=True) == []


def test_an_event_without_task_id_is_ours() -> None:
    session = started()
    assert list(session.receive('{"header": {"event": "something"}, "payload": null}')) == []


# --- failures ---


def failure(session: CosyVoiceTask, frame: str | bytes) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        list(session.receive(frame))
    assert caught.value.provider == "aliyun"
    assert caught.value.request_id
    return caught.value


def failed(session: CosyVoiceTask, code: str, message: str, **header: object) -> ProviderError:
    said = {"task_id": session.request_id, "event": "task-failed", "error_code": code, "error_message": message}
    return failure(session, json.dumps({"header": {**said, **header}, "payload": {}}))


def test_a_failed_task_is_told_by_code_and_message() -> None:
    error = failed(task(), "InvalidParameter", "[tts:]Engine return error code: 418")
    assert type(error) is VoiceNotUsable
    assert error.provider_code == "InvalidParameter"


def test_a_failed_task_carries_the_request_uuid_when_there_is_one() -> None:
    error = failed(task(), "InternalError", "", attributes={"request_uuid": "d99eeace"})
    assert error.request_id == "d99eeace"


def test_a_failed_task_is_worth_another_try_only_before_audio() -> None:
    assert failed(started(), "Throttling.RateQuota", "").retryable
    session = started()
    list(session.receive(b"audio"))
    error = failed(session, "Throttling.RateQuota", "")
    assert type(error) is RateLimited
    assert not error.retryable


def test_a_failed_task_repeats_no_secret() -> None:
    assert KEY not in str(failed(task(), "InvalidParameter", f"bad key {KEY}"))


GARBAGE = ["", "{", "[]", "null", '{"payload": {}}', '{"header": 1}', '{"header": {"task_id": "another"}}']


@pytest.mark.parametrize("frame", GARBAGE)
def test_garbage_ends_the_task_and_is_worth_another_try_before_audio(frame: str) -> None:
    error = failure(started(), frame)
    assert type(error) is ProviderTrouble
    assert error.retryable
    session = started()
    list(session.receive(b"audio"))
    assert not failure(session, frame).retryable


def test_audio_before_the_task_has_started_is_never_delivered() -> None:
    assert type(failure(task(), b"somebody else's words")) is ProviderTrouble


def test_an_end_before_all_text_was_sent_is_no_end() -> None:
    session = task()
    opened(session)
    with pytest.raises(ProviderTrouble):
        hears(session, "task-finished")


def test_a_lost_connection_is_worth_another_try_only_before_audio() -> None:
    session = started()
    lost = session.connection_lost("reset")
    assert type(lost) is StreamBroken
    assert lost.retryable
    list(session.receive(b"audio"))
    assert not session.connection_lost("reset").retryable


# --- the handshake ---

SPEECH = AliyunSpeech(account_key="1", url="ws://127.0.0.1/", headers={}, secrets=(KEY,))


def test_a_refused_handshake_is_told_by_the_code_in_its_body() -> None:
    body = json.dumps({"code": "Throttling.RateQuota", "message": f"slow down {KEY}", "request_id": "r-1"})
    error = SPEECH.handshake_refused(403, body)
    assert type(error) is RateLimited
    assert error.request_id == "r-1"
    assert KEY not in error.detail


@pytest.mark.parametrize("body", ["", "<html>", "[]", "{}"])
def test_a_refused_handshake_without_a_code_is_left_to_its_status(body: str) -> None:
    assert SPEECH.handshake_refused(401, body) is None
