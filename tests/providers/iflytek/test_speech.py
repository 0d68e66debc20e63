"""Both speech services frame by frame, without a socket."""

from __future__ import annotations

import base64
import json
import logging
import struct
from collections.abc import Mapping
from typing import Any

import pytest
from django.utils.translation import override

from tests.providers.iflytek.codes import SYNTHESIS
from tests.providers.iflytek.office import API_KEY, API_SECRET, APP_ID, RES_ID
from tests.providers.iflytek.test_pybuf import DOCUMENT
from voices.providers.base import Audio, Done, Event, Mark, OptionValue, Progress, Send, SpeechRequest, Started, Usage
from voices.providers.errors import (
    Act,
    InvalidRequest,
    ProviderError,
    ProviderTrouble,
    StreamBroken,
    TextRejected,
    VoiceNotUsable,
)
from voices.providers.iflytek.pybuf import parsed
from voices.providers.iflytek.speech import IflytekTask, pieces
from voices.providers.iflytek.traits import STYLES

STOCK = "x5_lingxiaoxuan_flow"
SID = "aso000ede92@dx18caf514baab832882"


def task(
    text: str = "你好。",
    *,
    model: str = "omni_v1",
    audio_format: str = "mp3",
    sample_rate: int = 24000,
    options: Mapping[str, OptionValue] | None = None,
    language: str = "",
) -> IflytekTask:
    return IflytekTask(
        SpeechRequest(
            remote_id=STOCK if model == "super_humanoid" else RES_ID,
            model=model,
            text=text,
            audio_format=audio_format,
            sample_rate=sample_rate,
            options=options or {},
            language=language,
        ),
        app_id=APP_ID,
        secrets=(API_KEY, API_SECRET),
    )


def sent(session: IflytekTask) -> list[dict[str, Any]]:
    return [json.loads(send.frame) for send in session.open()]


def asked(**given: Any) -> dict[str, Any]:
    """`parameter` of the first frame."""
    parameter: dict[str, Any] = sent(task(**given))[0]["parameter"]
    return parameter


def b64(data: bytes | str) -> str:
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def frame(
    audio: bytes | None = None,
    *,
    status: int = 1,
    pybuf: bytes | str | None = None,
    ced: object = None,
    **header: object,
) -> str:
    payload: dict[str, Any] = {}
    if audio is not None:
        payload["audio"] = {"encoding": "lame", "status": status, "seq": 0, "audio": b64(audio)}
        if ced is not None:
            payload["audio"]["ced"] = ced
    if pybuf is not None:
        payload["pybuf"] = {"encoding": "utf8", "status": status, "seq": 0, "text": b64(pybuf)}
    return json.dumps(
        {"header": {"code": 0, "message": "success", "sid": SID, "status": status} | header, "payload": payload}
    )


ACKNOWLEDGED = json.dumps({"header": {"code": 0, "message": "success", "sid": SID, "status": 0}})


def heard(session: IflytekTask, *frames: str) -> list[Event]:
    return [event for each in frames for event in session.receive(each)]


def failure(session: IflytekTask, received: str | bytes) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        list(session.receive(received))
    assert caught.value.provider == "iflytek"
    return caught.value


# --- the request ---


def test_a_cloned_voice_is_asked_for_by_its_edition_and_its_id() -> None:
    (frame_sent,) = sent(task("你好", options={"style": "news", "speed": 70}))
    assert frame_sent == {
        "header": {"app_id": APP_ID, "res_id": RES_ID, "status": 2},
        "parameter": {
            "tts": {
                "vcn": "x6_clone",
                "style": "news",
                "speed": 70,
                "audio": {"encoding": "lame", "sample_rate": 24000, "channels": 1, "bit_depth": 16, "frame_size": 0},
            }
        },
        "payload": {
            "text": {
                "encoding": "utf8",
                "compress": "raw",
                "format": "plain",
                "status": 2,
                "seq": 0,
                "text": "5L2g5aW9",
            }
        },
    }


def test_a_stock_voice_is_asked_for_by_its_name_and_without_a_voice_id() -> None:
    (frame_sent,) = sent(task(model="super_humanoid", options={"oral_level": "high", "spark_assist": False}))
    assert frame_sent["header"] == {"app_id": APP_ID, "status": 2}
    assert frame_sent["parameter"]["tts"]["vcn"] == STOCK
    assert frame_sent["parameter"]["oral"] == {"oral_level": "high", "spark_assist": 0}


@pytest.mark.parametrize(("model", "vcn"), [("omni_v1", "x6_clone"), ("standard", "x5_clone")])
def test_the_edition_decides_what_a_cloned_voice_is_called(model: str, vcn: str) -> None:
    assert asked(model=model)["tts"]["vcn"] == vcn


_LANGUAGES = [("zh", None), ("en", 1), ("ja", 2), ("ko", 3), ("ru", 4), ("fr", 5), ("ar", 6), ("es", 7), ("yue", 8)]


@pytest.mark.parametrize(("language", "number"), _LANGUAGES)
def test_a_multi_style_voice_speaks_the_language_that_is_asked_for(language: str, number: int | None) -> None:
    assert asked(options={"language": language}, language="en")["tts"].get("LanguageID") == number
    assert asked(language=language)["tts"].get("LanguageID") == number


@pytest.mark.parametrize(("language", "number"), _LANGUAGES[:5])
def test_a_standard_voice_speaks_the_language_that_it_was_trained_for(language: str, number: int | None) -> None:
    assert asked(model="standard", language=language)["tts"].get("LanguageID") == number
    with pytest.raises(InvalidRequest):
        task(model="standard", options={"language": language})


@pytest.mark.parametrize("style", [choice.value for choice in STYLES])
def test_every_style_is_sent_as_it_is_called(style: str) -> None:
    assert asked(options={"style": style})["tts"]["style"] == style


@pytest.mark.parametrize(
    ("model", "name", "value", "wire", "there"),
    [
        ("omni_v1", "speed", 0, "speed", 0),
        ("omni_v1", "volume", 100, "volume", 100),
        ("omni_v1", "pitch", 49, "pitch", 49),
        ("omni_v1", "impact_factor", -1, "impactFactor", -1),
        ("omni_v1", "reg", "2", "reg", 2),
        ("omni_v1", "rdn", "3", "rdn", 3),
        ("omni_v1", "bgs", "2", "bgs", 2),
        ("omni_v1", "rhy", "3", "rhy", 3),
        ("standard", "speed", 100, "speed", 100),
        ("super_humanoid", "rhy", "1", "rhy", 1),
        ("super_humanoid", "bgs", "1", "bgs", 1),
        ("super_humanoid", "reg", "1", "reg", 1),
        ("super_humanoid", "rdn", "2", "rdn", 2),
        ("super_humanoid", "volume", 0, "volume", 0),
        ("super_humanoid", "watermask", "2", "watermask", 2),
        ("super_humanoid", "implicit_watermark", True, "implicit_watermark", True),
    ],
)
def test_an_option_is_sent_as_the_service_calls_and_counts_it(
    model: str, name: str, value: OptionValue, wire: str, there: OptionValue
) -> None:
    found = asked(model=model, options={name: value})["tts"][wire]
    assert (type(found), found) == (type(there), there)


@pytest.mark.parametrize(
    ("name", "value", "there"),
    [
        ("oral_level", "low", "low"),
        ("spark_assist", True, 1),
        ("stop_split", True, 1),
        ("remain", True, 1),
        ("remain", False, 0),
    ],
)
def test_how_colloquial_a_voice_is_goes_into_a_part_of_its_own(name: str, value: OptionValue, there: object) -> None:
    parameter = asked(model="super_humanoid", options={name: value})
    assert parameter["oral"] == {name: there}
    assert name not in parameter["tts"]


@pytest.mark.parametrize(
    ("name", "value", "there"), [("channels", "2", 2), ("bit_depth", "8", 8), ("frame_size", 1024, 1024)]
)
def test_how_the_audio_is_made_goes_into_a_part_of_its_own(name: str, value: OptionValue, there: int) -> None:
    tts = asked(model="super_humanoid", options={name: value})["tts"]
    assert tts["audio"][name] == there
    assert name not in tts


@pytest.mark.parametrize(("audio_format", "encoding"), [("mp3", "lame"), ("wav", "raw"), ("pcm", "raw")])
@pytest.mark.parametrize("sample_rate", [8000, 16000, 24000])
def test_encoding_and_sample_rate_are_always_said(audio_format: str, encoding: str, sample_rate: int) -> None:
    audio = asked(audio_format=audio_format, sample_rate=sample_rate)["tts"]["audio"]
    assert (audio["encoding"], audio["sample_rate"]) == (encoding, sample_rate)


def test_times_of_a_cloned_voice_are_asked_for_with_their_form() -> None:
    tts = asked(options={"rhy": "1"})["tts"]
    assert (tts["pybuffer"], tts["pybuf"]) == (1, {"encoding": "utf8", "compress": "raw", "format": "plain"})
    assert "pybuf" not in asked(options={"rhy": "0"})["tts"]
    assert "pybuf" not in asked(model="super_humanoid", options={"rhy": "1"})["tts"]


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        ({"model": "omni_v1", "options": {"oral_level": "high"}}, ""),
        ({"model": "standard", "options": {"style": "news"}}, ""),
        ({"model": "super_humanoid", "options": {"style": "news"}}, ""),
        ({"model": "cosy"}, ""),
        ({"options": {"language": "klingon"}}, ""),
        ({"audio_format": "flac"}, ""),
        ({"audio_format": "opus"}, "choose MP3 or WAV"),
        ({"audio_format": "speex"}, "choose MP3 or WAV"),
        ({"options": {"style": "news", "language": "en"}}, "Chinese text only"),
        ({"model": "super_humanoid", "options": {"rhy": "3"}}, "without punctuation"),
        ({"model": "super_humanoid", "options": {"bgs": "2"}}, "another one"),
        ({"model": "super_humanoid", "audio_format": "pcm", "options": {"channels": "2"}}, "choose WAV"),
        ({"model": "super_humanoid", "audio_format": "pcm", "options": {"bit_depth": "8"}}, "choose WAV"),
        ({"model": "super_humanoid", "audio_format": "wav", "options": {"implicit_watermark": True}}, "choose MP3"),
    ],
)
def test_what_the_service_could_only_refuse_is_not_asked(wrong: dict[str, Any], part: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        task(**wrong)
    with override("en"):
        assert part in str(caught.value.sentence)
    if part:
        assert caught.value.act is Act.USER


# --- text ---


@pytest.mark.parametrize("model", ["omni_v1", "standard", "super_humanoid"])
@pytest.mark.parametrize("text", ["", " \n "])
def test_empty_text_is_refused(model: str, text: str) -> None:
    with pytest.raises(TextRejected):
        task(text, model=model)


@pytest.mark.parametrize("text", ["字" * 2001, "a" * 6001, "😀" * 1501])
def test_a_cloned_voice_is_not_given_more_than_one_message_holds(text: str) -> None:
    with pytest.raises(TextRejected) as caught:
        task(text)
    with override("en"):
        assert "6000 bytes" in str(caught.value.sentence)


def test_a_cloned_voice_speaks_2000_chinese_characters_in_one_message() -> None:
    (frame_sent,) = sent(task("字" * 2000))
    assert len(frame_sent["payload"]["text"]["text"]) == 8000


def test_a_stock_voice_is_streamed_a_long_text_with_everything_on_every_piece() -> None:
    text = "今天天气很好，我们出去走走吧。" * 400
    frames = sent(task(text, model="super_humanoid", options={"oral_level": "low"}))
    texts = [frame_sent["payload"]["text"] for frame_sent in frames]
    assert "".join(base64.b64decode(each["text"]).decode() for each in texts) == text
    assert [each["status"] for each in texts] == [0, 1, 1, 2]
    assert [frame_sent["header"]["status"] for frame_sent in frames] == [0, 1, 1, 2]
    assert [each["seq"] for each in texts] == [0, 1, 2, 3]
    assert all(len(each["text"]) <= 8000 for each in texts)
    assert all(frame_sent["parameter"] == frames[0]["parameter"] for frame_sent in frames)


def test_a_stock_voice_is_streamed_no_more_than_the_service_takes() -> None:
    assert len(sent(task("a" * 65_536, model="super_humanoid"))) == 11
    with pytest.raises(TextRejected):
        task("a" * 65_537, model="super_humanoid")


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("ab", ["ab"]),
        ("一。二三。四", ["一。", "二三。", "四"]),
        ("一二，三四五", ["一二，", "三四五"]),
        ("one two three", ["one two ", "three"]),
        ("一二三四五六七", ["一二三", "四五六", "七"]),
        ("😀😀😀", ["😀😀", "😀"]),
        ("他说：“好。”走", ["他说：", "“好。”", "走"]),
    ],
)
def test_text_is_cut_behind_sentences_then_pauses_then_anywhere_between_signs(text: str, cut: list[str]) -> None:
    limit = 12 if "“" in text else 9
    assert pieces(text, limit=limit) == cut
    assert all(len(piece.encode()) <= limit for piece in cut)


def test_half_a_pair_of_surrogates_is_spoken_as_a_sign_and_not_a_crash() -> None:
    (frame_sent,) = sent(task("你\ud800好"))
    assert base64.b64decode(frame_sent["payload"]["text"]["text"]).decode() == "你?好"


# --- what comes back ---


def test_frames_become_audio_and_an_end_as_live() -> None:
    session = task("你好。")
    events = heard(session, ACKNOWLEDGED, frame(b"one"), frame(b"two"), frame(b"", status=2))
    assert events == [Started(SID), Usage(3), Audio(b"one"), Audio(b"two"), Done(characters=3, request_id=SID)]


def test_the_session_is_known_from_the_first_frame_that_names_it_on() -> None:
    session = task("你好。")
    assert heard(session, frame(b"one", sid=None))[0] == Usage(3)
    assert heard(session, frame(b"two")) == [Started(SID), Audio(b"two")]
    assert heard(session, frame(b"three", sid="another")) == [Audio(b"three")]
    assert session.request_id == SID


@pytest.mark.parametrize("sid", [{"a": 1}, ["a"], True, "s" * 5000, 7])
def test_a_session_is_kept_as_far_as_there_is_room_for_it(sid: object) -> None:
    session = task()
    heard(session, frame(b"one", sid=sid))
    assert len(session.request_id) <= 120
    assert session.request_id == ("" if isinstance(sid, dict | list | bool) else str(sid)[:120])


def test_frames_become_audio_and_an_end_as_documented() -> None:
    events = heard(task("你好。"), frame(b"one", status=0), frame(b"two", status=1), frame(b"three", status=2))
    assert [event.data for event in events if isinstance(event, Audio)] == [b"one", b"two", b"three"]
    assert isinstance(events[-1], Done)


@pytest.mark.parametrize(
    "end",
    [
        {"header": {"code": 0, "sid": SID, "status": 2}},
        {"header": {"code": 0, "sid": SID, "status": 2}, "payload": None},
        {"header": {"code": "0", "sid": SID}, "payload": {"audio": {"status": "2", "audio": ""}}},
        {"header": {"code": 0, "sid": SID}, "payload": {"audio": {"status": 2}, "surprise": 1}},
    ],
)
def test_the_end_is_known_by_either_status(end: object) -> None:
    session = task()
    heard(session, frame(b"one"))
    assert heard(session, json.dumps(end))[-1] == Done(characters=3, request_id=SID)


def test_a_frame_with_times_alone_is_fine() -> None:
    session = task(model="super_humanoid", options={"rhy": "1"})
    assert heard(session, frame(pybuf="sil:4;")) == [Started(SID)]


def test_an_end_without_any_audio_is_no_success() -> None:
    session = task()
    heard(session, ACKNOWLEDGED)
    error = failure(session, frame(b"", status=2))
    assert type(error) is ProviderTrouble
    assert error.retryable
    assert error.request_id == SID


@pytest.mark.parametrize("options", [{}, {"channels": "2"}, {"bit_depth": "8"}])
def test_wav_begins_with_a_header_of_its_own(options: dict[str, OptionValue]) -> None:
    session = task(model="super_humanoid", audio_format="wav", sample_rate=16000, options=options)
    events = heard(session, frame(b""), frame(b"\x01\x02"), frame(b"\x03\x04"), frame(b"", status=2))
    audio = [event.data for event in events if isinstance(event, Audio)]
    assert audio[1] == b"\x03\x04"
    assert audio[0][:4] + audio[0][8:16] + audio[0][36:40] == b"RIFFWAVEfmt data"
    channels, bits = int(options.get("channels", 1)), int(options.get("bit_depth", 16))
    frame_bytes = channels * bits // 8
    form = struct.unpack("<HHIIHH", audio[0][20:36])
    assert form == (1, channels, 16000, 16000 * frame_bytes, frame_bytes, bits)
    assert audio[0][44:] == b"\x01\x02"


def test_progress_follows_the_text_never_goes_back_and_ends_at_all() -> None:
    session = task("你好。")
    events = heard(session, *(frame(b"x", ced=ced) for ced in ("3", "6", "3", None, "much", "-1", 9, "90000")))
    assert [event.share for event in events if isinstance(event, Progress)] == [3 / 9, 6 / 9, 1.0]


def test_times_are_read_across_frames_that_cut_a_sign() -> None:
    data = DOCUMENT.encode()
    cuts = [data[at : at + 17] for at in range(0, len(data), 17)]
    session = task(model="super_humanoid", options={"rhy": "1"})
    events = heard(session, *(frame(b"x", pybuf=cut) for cut in cuts), frame(b"", status=2))
    assert [event for event in events if isinstance(event, Mark)] == list(parsed(DOCUMENT))
    assert isinstance(events[-1], Done)


@pytest.mark.parametrize("wrong", ["@-i3:1;", b"\xff\xfe", "好[=hao3]-h3:1", "sp:1;" * 200])
def test_times_that_cannot_be_read_end_and_the_audio_goes_on(
    wrong: bytes | str, caplog: pytest.LogCaptureFixture
) -> None:
    session = task(options={"rhy": "1"})
    with caplog.at_level(logging.WARNING):
        events = heard(
            session, frame(b"one", pybuf="sil:4;"), frame(b"two", pybuf=wrong), frame(b"three", status=2, pybuf="")
        )
    assert [event.data for event in events if isinstance(event, Audio)] == [b"one", b"two", b"three"]
    assert isinstance(events[-1], Done)
    assert SID in caplog.text


def test_times_hold_no_sign_that_a_database_would_refuse() -> None:
    events = heard(task(), frame(b"one", pybuf="\x00[=hao3]-h3:1;sil:1;"), frame(b"", status=2))
    assert [event.text for event in events if isinstance(event, Mark)] == ["\ufffd", ""]


# --- what goes wrong ---


@pytest.mark.parametrize(("code", "kind", "retryable", "act"), SYNTHESIS)
@pytest.mark.parametrize("flat", [False, True])
def test_it_translates_every_code_nested_or_flat(
    code: int, kind: type[ProviderError], retryable: bool, act: Act, flat: bool
) -> None:
    said = {"code": code, "message": f"WrapperInitErr;errno=101 {API_KEY}", "sid": SID}
    error = failure(task(), json.dumps(said if flat else {"header": said | {"status": 0}}))
    assert (type(error), error.retryable, error.act) == (kind, retryable, act)
    assert (error.provider_code, error.request_id) == (str(code), SID)
    assert error.detail == "WrapperInitErr;errno=101 [secret]"


@pytest.mark.parametrize(("code", "kind", "retryable", "act"), SYNTHESIS)
def test_nothing_is_worth_another_try_once_audio_was_heard(
    code: int, kind: type[ProviderError], retryable: bool, act: Act
) -> None:
    session = task()
    heard(session, frame(b"one"))
    error = failure(session, json.dumps({"header": {"code": code, "message": "", "sid": SID}}))
    assert type(error) is kind
    assert not error.retryable


def test_a_voice_that_the_service_does_not_offer_is_told_from_a_mistake_of_ours() -> None:
    message = "param validate error:'$.parameter.tts.vcn' must be one of [x5_clone x6_clone]; "
    error = failure(task(), json.dumps({"header": {"code": 10163, "message": message, "sid": SID}}))
    assert type(error) is VoiceNotUsable


GARBAGE: list[str | bytes] = [
    "",
    "{",
    "[]",
    "null",
    "[" * 100_000,
    "{}",
    '{"header": 1}',
    '{"header": {"sid": "x"}}',
    '{"header": {"code": "abc"}}',
    '{"header": {"code": 0}, "payload": {"audio": {"audio": "not base64!"}}}',
    '{"header": {"code": 0}, "payload": {"audio": {"audio": 7}}}',
    '{"header": {"code": 0}, "payload": {"pybuf": {"text": "%%%"}}}',
    b"binary",
]


@pytest.mark.parametrize("received", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_ends_the_task_and_is_worth_another_try_before_audio(received: str | bytes) -> None:
    error = failure(task(), received)
    assert type(error) is ProviderTrouble
    assert error.retryable
    session = task()
    heard(session, frame(b"one"))
    assert not failure(session, received).retryable


def test_a_lost_connection_is_worth_another_try_only_before_audio() -> None:
    session = task()
    assert session.request_id == ""
    heard(session, ACKNOWLEDGED)
    lost = session.connection_lost("closed (1000)")
    assert type(lost) is StreamBroken
    assert lost.retryable
    assert lost.request_id == SID
    heard(session, frame(b"one"))
    assert not session.connection_lost("closed (1000)").retryable


def test_it_opens_with_text_frames_only() -> None:
    assert all(isinstance(send, Send) and isinstance(send.frame, str) for send in task().open())
