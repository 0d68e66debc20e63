"""The training service on the wire: what is sent, what is understood, and that nothing paid is asked for twice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from email import message_from_bytes
from email.message import Message
from typing import Any

import pytest

from tests.providers.iflytek.codes import TRAINING
from tests.providers.iflytek.office import (
    ADD,
    API_KEY,
    APP_ID,
    LINK,
    OK,
    RESULT,
    SAMPLE,
    SUBMIT,
    TEXTS,
    TOKEN,
    UPLOAD,
    cloning,
    office,
    order,
    refused,
    trained,
)
from tests.providers.loopback import HttpRequest, Loopback
from voices.providers.base import OptionValue, ReadingText
from voices.providers.errors import (
    Act,
    InvalidRequest,
    OutcomeUnknown,
    ProviderError,
    ProviderTrouble,
    Refused,
    VoiceNotFound,
)
from voices.providers.iflytek.cloning import IflytekCloning
from voices.providers.iflytek.training import Reading, TaskOrder, Training, reading

READ = Reading(5001, 3)


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()  # noqa: S324


def assert_signed(request: HttpRequest) -> None:
    headers = request.headers
    assert headers["x-appid"] == APP_ID
    assert headers["x-token"] == "token-1"
    assert len(headers["x-time"]) == 13
    assert headers["x-sign"] == md5(f"{API_KEY}{headers['x-time']}{md5(request.body)}".encode())


def form(request: HttpRequest) -> dict[str, Message]:
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    message = message_from_bytes(head + request.body)
    assert not message.defects
    parts = [part for part in message.walk() if not part.is_multipart()]
    return {str(part.get_param("name", header="content-disposition")): part for part in parts}


# --- what is sent ---


@pytest.mark.parametrize("of", [ADD, RESULT, SUBMIT, LINK, UPLOAD, TEXTS])
def test_every_call_is_signed_over_the_very_bytes_that_are_sent(of: str) -> None:
    desk = office({TEXTS: {**OK, "data": {"textSegs": [{"segId": "1", "segText": "你好"}]}}})
    calls: dict[str, Callable[[Training], object]] = {
        ADD: lambda training: training.add_task(TaskOrder(name="小明", model="omni_v1")),
        RESULT: lambda training: training.result("1234567"),
        SUBMIT: lambda training: training.submit("1234567"),
        LINK: lambda training: training.add_audio_link("1234567", read=READ, url="https://a.example/b.wav"),
        UPLOAD: lambda training: training.submit_with_audio("1234567", read=READ, recording=SAMPLE),
        TEXTS: lambda training: training.reading_texts(),
    }
    with Loopback(desk) as server:
        calls[of](cloning(server).training)
    (request,) = desk.calls(of)
    assert request.line == f"POST {of} HTTP/1.1"
    assert_signed(request)


def test_a_multi_style_task_says_its_engine_and_no_language() -> None:
    desk = office()
    options: dict[str, OptionValue] = {"sex": "female", "age_group": "youth", "denoise": True, "mos_ratio": 3.5}
    with Loopback(desk) as server:
        made = cloning(server).create(order(language="en", options=options))
    assert (made.remote_id, made.state, made.raw_state) == ("1234567", "empty", "2")
    assert desk.bodies(ADD) == [
        {
            "resourceType": 12,
            "engineVersion": "omni_v1",
            "taskName": "小明",
            "resourceName": "小明",
            "sex": 2,
            "ageGroup": 2,
            "thirdUser": "t00000001",
            "denoise": 1,
            "mosRatio": 3.5,
        }
    ]


@pytest.mark.parametrize(("language", "sent"), [("zh", None), ("en", "en"), ("ja", "jp"), ("ko", "ko"), ("ru", "ru")])
def test_a_standard_task_says_its_language_and_no_engine(language: str, sent: str | None) -> None:
    desk = office()
    with Loopback(desk) as server:
        cloning(server).create(order(model="standard", language=language, options={"denoise": True}))
    (body,) = desk.bodies(ADD)
    assert body.get("language") == sent
    assert "engineVersion" not in body
    assert (body["denoiseSwitch"], "denoise" in body) == (1, False)


@pytest.mark.parametrize(("value", "number"), [("child", 1), ("youth", 2), ("middle_aged", 3), ("senior", 4)])
def test_an_age_group_has_a_number(value: str, number: int) -> None:
    desk = office()
    with Loopback(desk) as server:
        cloning(server).create(order(options={"age_group": value, "sex": "male"}))
    (body,) = desk.bodies(ADD)
    assert (body["ageGroup"], body["sex"]) == (number, 1)


def test_what_was_not_chosen_is_not_sent() -> None:
    desk = office()
    with Loopback(desk) as server:
        cloning(server).create(order(options={"denoise": False, "mos_ratio": 0.0}))
    (body,) = desk.bodies(ADD)
    assert body.keys() == {"resourceType", "engineVersion", "taskName", "resourceName", "thirdUser"}


def test_a_recording_goes_as_a_form_with_its_task_and_its_sentence() -> None:
    desk = office()
    with Loopback(desk) as server:
        told = cloning(server).train("1234567", order())
    assert (told.remote_id, told.state) == ("1234567", "working")
    (request,) = desk.calls(UPLOAD)
    parts = form(request)
    assert parts["file"].get_payload(decode=True) == SAMPLE
    assert parts["file"].get_filename() == "recording.wav"
    assert parts["file"].get_content_type() == "audio/wav"
    fields = {name: part.get_payload() for name, part in parts.items() if name != "file"}
    assert fields == {"taskId": "1234567", "textId": "5001", "textSegId": "3"}


def test_a_form_is_made_of_exactly_these_bytes() -> None:
    desk = office()
    with Loopback(desk) as server:
        cloning(server).train("1234567", order())
    (request,) = desk.calls(UPLOAD)
    boundary = request.headers["content-type"].partition("boundary=")[2].encode()
    assert request.body == b"\r\n".join(
        [
            b"--" + boundary,
            b'Content-Disposition: form-data; name="file"; filename="recording.wav"',
            b"Content-Type: audio/wav",
            b"",
            SAMPLE,
            b"--" + boundary,
            b'Content-Disposition: form-data; name="taskId"',
            b"",
            b"1234567",
            b"--" + boundary,
            b'Content-Disposition: form-data; name="textId"',
            b"",
            b"5001",
            b"--" + boundary,
            b'Content-Disposition: form-data; name="textSegId"',
            b"",
            b"3",
            b"--" + boundary + b"--",
            b"",
        ]
    )


@pytest.mark.parametrize(
    ("ending", "kind"), [("wav", "audio/wav"), ("mp3", "audio/mpeg"), ("m4a", "audio/mp4"), ("pcm", "audio/pcm")]
)
def test_a_file_is_called_what_it_is(ending: str, kind: str) -> None:
    desk = office()
    with Loopback(desk) as server:
        cloning(server).training.submit_with_audio("1234567", read=READ, recording=SAMPLE, ending=ending)
    part = form(desk.calls(UPLOAD)[0])["file"]
    assert (part.get_filename(), part.get_content_type()) == (f"recording.{ending}", kind)


def test_a_recording_that_was_handed_over_is_never_submitted_again() -> None:
    desk = office()
    with Loopback(desk) as server:
        voice = cloning(server).create(order())
        cloning(server).train(voice.remote_id, order())
        cloning(server).statuses([voice.remote_id])
    assert [len(desk.calls(of)) for of in (ADD, UPLOAD, LINK, SUBMIT)] == [1, 1, 0, 0]


def test_a_recording_by_link_is_added_and_then_submitted() -> None:
    desk = office()
    with Loopback(desk) as server:
        training = cloning(server).training
        task_id = training.add_task(TaskOrder(name="MyVoice", model="omni_v1", sex=2))
        training.add_audio_link(task_id, read=Reading(5001, 1), url="https://example.com/voice.wav")
        training.submit(task_id)
        result = training.result(task_id)
    assert desk.bodies(LINK) == [
        {"taskId": "1234567", "audioUrl": "https://example.com/voice.wav", "textId": 5001, "textSegId": 1}
    ]
    assert desk.bodies(SUBMIT) == [{"taskId": "1234567"}]
    assert desk.calls(UPLOAD) == []
    assert (result.status, result.voice_id) == (1, "a1b2c3d_ttsclone-a1b2c3d4-qwert")


@pytest.mark.parametrize(
    "url", ["ftp://a.example/b.wav", "https://a.example/b.wav?sign=1", "https://a.example/b.ogg", "voice.wav", ""]
)
def test_a_link_that_the_provider_would_not_take_is_not_sent(url: str) -> None:
    desk = office()
    with Loopback(desk) as server, pytest.raises(InvalidRequest) as caught:
        cloning(server).training.add_audio_link("1234567", read=READ, url=url)
    assert caught.value.act is Act.USER
    assert desk.asked == []


# --- texts to read ---


@pytest.mark.parametrize("number", ["1", 1])
def test_it_reads_the_sentences_whether_their_numbers_are_text_or_not(number: object) -> None:
    segments = [{"segId": number, "segText": "今天天气很好。", "size": 7}, {"segId": "14", "segText": "再见。"}]
    desk = office({TEXTS: {**OK, "data": {"textId": 5001, "textName": "通用训练文本", "textSegs": segments}}})
    with Loopback(desk) as server:
        texts = cloning(server).reading_texts()
    assert texts == (ReadingText("5001-1", "今天天气很好。"), ReadingText("5001-14", "再见。"))
    assert desk.bodies(TEXTS) == [{"textId": 5001}]


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"textSegs": []},
        {"textSegs": [{}]},
        {"textSegs": [{"segId": "x", "segText": "a"}]},
        {"textSegs": [{"segId": "-1", "segText": "a"}]},
        {"textSegs": [{"segId": "1", "segText": " "}]},
        {"textSegs": [{"segId": "1", "segText": "a" * 1001}]},
        {"textSegs": [{"segId": "1", "segText": "a"}] * 1001},
        [1],
    ],
    ids=range(10),
)
def test_a_set_of_texts_that_is_none_may_be_asked_for_again(data: object) -> None:
    with Loopback(office({TEXTS: {**OK, "data": data}})) as server, pytest.raises(ProviderTrouble) as caught:
        cloning(server).reading_texts()
    assert caught.value.retryable


def test_a_reading_is_known_again_by_its_id() -> None:
    assert reading(Reading(5001, 14).id) == Reading(5001, 14)


@pytest.mark.parametrize("of", ["", "5001", "5001-", "-1", "a-b", "5001-1-2"])
def test_an_order_without_a_sentence_makes_no_task(of: str) -> None:
    desk = office()
    with Loopback(desk) as server:
        for call in (cloning(server).create, lambda each: cloning(server).train("1234567", each)):
            with pytest.raises(InvalidRequest) as caught:
                call(order(read=of))
            assert caught.value.act is Act.USER
    assert desk.asked == []


# --- where a task stands ---


@pytest.mark.parametrize(
    ("status", "state", "remote_id"),
    [
        (-1, "working", "1234567"),
        ("-1", "working", "1234567"),
        (0, "failed", "1234567"),
        (1, "ready", "a1b2c3d_ttsclone-a1b2c3d4-qwert"),
        ("2", "empty", "1234567"),
        (7, "working", "1234567"),
        (None, "working", "1234567"),
    ],
)
def test_it_tells_where_a_task_stands_under_the_key_of_the_task(status: object, state: str, remote_id: str) -> None:
    answer = trained(status, assetId="a1b2c3d_ttsclone-a1b2c3d4-qwert")
    with Loopback(office({RESULT: answer})) as server:
        told = cloning(server).statuses(["1234567"])
    assert list(told) == ["1234567"]
    voice = told["1234567"]
    assert (voice.state, voice.remote_id, voice.request_id) == (state, remote_id, "1234567")


@pytest.mark.parametrize("voice_id", ["", None, 7, ["a"], "v" * 201])
def test_done_without_a_usable_voice_is_the_providers_trouble(voice_id: object) -> None:
    with Loopback(office({RESULT: trained(1, assetId=voice_id)})) as server, pytest.raises(ProviderTrouble):
        cloning(server).statuses(["1234567"])


@pytest.mark.parametrize("name", ["failedDesc", "failDesc", "reason"])
def test_a_failed_training_carries_the_providers_words_shortened(name: str) -> None:
    answer = trained(0, **{"failedDesc": None, name: "音频与文本不一致" + "，" * 1000})
    with Loopback(office({RESULT: answer})) as server:
        reason = cloning(server).statuses(["1234567"])["1234567"].reason
    assert reason is not None
    assert reason.detail.startswith("音频与文本不一致")
    assert len(reason.detail) <= 500
    assert reason.request_id == "1234567"


@pytest.mark.parametrize("code", [60000, 10015])
def test_a_task_that_this_application_does_not_have_is_gone(code: int) -> None:
    with Loopback(office({RESULT: refused(code)})) as server:
        told = cloning(server).statuses(["1234567"])["1234567"]
    assert told.state == "gone"
    assert isinstance(told.reason, VoiceNotFound)


def test_a_voice_id_is_not_asked_about() -> None:
    desk = office()
    with Loopback(desk) as server:
        assert cloning(server).statuses(["a1b2c3d_ttsclone-a1b2c3d4-qwert", ""]) == {}
    assert desk.asked == []


def test_one_tasks_trouble_does_not_hide_the_others() -> None:
    desk = office({RESULT: [refused(99999), trained(1), refused(60000)]})
    with Loopback(desk) as server:
        told = cloning(server).statuses(["1", "2", "3"])
    assert {task_id: voice.state.value for task_id, voice in told.items()} == {"2": "ready", "3": "gone"}


def test_trouble_of_the_account_is_met_once() -> None:
    desk = office({RESULT: refused(10016)})
    with Loopback(desk) as server, pytest.raises(Refused) as caught:
        cloning(server).statuses(["1", "2", "3"])
    assert caught.value.provider_code == "10016"
    assert len(desk.calls(RESULT)) == 1


def test_many_tasks_are_asked_about_for_a_while_and_the_rest_left_out() -> None:
    times = iter([0.0, 0.0, 20.0, 31.0])
    desk = office({RESULT: trained(-1)})
    with Loopback(desk) as server:
        patient = cloning(server)
        hasty = IflytekCloning(training=patient.training, speech=patient.speech, clock=lambda: next(times))
        assert list(hasty.statuses(["1", "2", "3", "4"])) == ["1", "2"]


# --- what goes wrong ---


@pytest.mark.parametrize(("code", "kind", "retryable", "act"), TRAINING)
def test_it_translates_every_code(code: int, kind: type[ProviderError], retryable: bool, act: Act) -> None:
    with Loopback(office({TEXTS: refused(code, f"错误 {API_KEY}")})) as server, pytest.raises(ProviderError) as caught:
        cloning(server).reading_texts()
    error = caught.value
    assert (type(error), error.retryable, error.act) == (kind, retryable, act)
    assert (error.provider, error.provider_code, error.detail) == ("iflytek", str(code), "错误 [secret]")


@pytest.mark.parametrize(("code", "kind", "retryable", "act"), TRAINING)
def test_a_code_may_be_text_and_may_be_called_otherwise(
    code: int, kind: type[ProviderError], retryable: bool, act: Act
) -> None:
    answer = {"retcode": str(code), "message": "no"}
    with Loopback(office({TEXTS: answer})) as server, pytest.raises(ProviderError) as caught:
        cloning(server).reading_texts()
    assert (type(caught.value), caught.value.detail) == (kind, "no")


UNCLEAR: list[Any] = [
    refused(99999),
    refused(54321),
    {**OK, "flag": False},
    {"desc": "成功"},
    (500, {"code": 0, "flag": True}),
    (502, b"<html>Bad Gateway</html>"),
    b"<html>",
    b'{"code": 0, "da',
    None,
]


@pytest.mark.parametrize("answer", UNCLEAR, ids=range(len(UNCLEAR)))
@pytest.mark.parametrize("of", [UPLOAD, SUBMIT])
def test_an_unclear_answer_to_a_submission_leaves_the_outcome_unknown_and_is_not_repeated(of: str, answer: Any) -> None:
    desk = office({of: answer})
    calls: dict[str, Callable[[IflytekCloning], object]] = {
        UPLOAD: lambda each: each.train("1234567", order()),
        SUBMIT: lambda each: each.training.submit("1234567"),
    }
    with Loopback(desk) as server, pytest.raises(OutcomeUnknown) as caught:
        calls[of](cloning(server))
    assert not caught.value.retryable
    assert len(desk.calls(of)) == 1


@pytest.mark.parametrize("answer", UNCLEAR[3:], ids=range(3, len(UNCLEAR)))
def test_an_unclear_answer_to_a_question_may_be_asked_for_again(answer: Any) -> None:
    with Loopback(office({RESULT: answer})) as server, pytest.raises(ProviderTrouble) as caught:
        cloning(server).statuses(["1234567"])
    assert caught.value.retryable


@pytest.mark.parametrize("answer", UNCLEAR[5:], ids=range(5, len(UNCLEAR)))
def test_a_task_whose_answer_is_lost_is_unknown(answer: Any) -> None:
    with Loopback(office({ADD: answer})) as server, pytest.raises(OutcomeUnknown):
        cloning(server).create(order())


@pytest.mark.parametrize("data", [None, "", "abc", {}, True, "0", -7, "9" * 30, 1.5, ["1234567"]])
def test_a_task_without_an_id_that_can_be_believed_is_unknown(data: object) -> None:
    with Loopback(office({ADD: {**OK, "data": data}})) as server, pytest.raises(OutcomeUnknown):
        cloning(server).create(order())


def test_a_task_that_the_provider_could_not_add_may_be_asked_for_again_for_it_costs_nothing() -> None:
    with Loopback(office({ADD: refused(99999)})) as server, pytest.raises(ProviderTrouble) as caught:
        cloning(server).create(order())
    assert caught.value.retryable


def test_a_task_id_may_be_a_number() -> None:
    with Loopback(office({ADD: {**OK, "data": 1234567}})) as server:
        assert cloning(server).create(order()).remote_id == "1234567"


@pytest.mark.parametrize(
    "wrong",
    [
        {"options": {"no_such_thing": 1}},
        {"model": "super_humanoid"},
        {"model": "omni_v2"},
        {"model": "standard", "language": "fr"},
        {"language": "klingon"},
    ],
)
def test_what_the_model_does_not_take_makes_no_task(wrong: dict[str, Any]) -> None:
    desk = office()
    with Loopback(desk) as server, pytest.raises(InvalidRequest):
        cloning(server).create(order(**wrong))
    assert desk.calls(ADD) == desk.calls(TOKEN) == []


def test_deleting_asks_nobody_and_a_name_and_a_tag_are_of_no_use() -> None:
    desk = office()
    calls: list[Callable[[IflytekCloning], object]] = [
        lambda each: each.delete("a1b2c3d_ttsclone-a1b2c3d4-qwert"),
        lambda each: each.rename("1234567", "other"),
        lambda each: each.find("t00000001"),
    ]
    with Loopback(desk) as server:
        for call in calls:
            with pytest.raises(InvalidRequest):
                call(cloning(server))
    assert desk.asked == []
