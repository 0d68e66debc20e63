"""What the gateway's schema and the engine say no to, in the vendor's words."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from voiceclone_site.sandbox.remote import Sandbox

from .wire import OWNER, STRANGER, TEXT, message, spoken, talk, trained

PREFIX = "param validate error:"
NOBODY = "a1b2c3d_ttsclone-a1b2c3d4-qwert"


@pytest.fixture
def voice(sandbox: Sandbox) -> str:
    return trained(sandbox)


def _refusal(url: str, sent: object) -> tuple[int, str]:
    heard = spoken(url, sent)
    assert heard.audio == b""
    return heard.error


def _without(sent: dict[str, Any], *path: str) -> dict[str, Any]:
    changed: dict[str, Any] = json.loads(json.dumps(sent))
    part = changed
    for name in path[:-1]:
        part = part[name]
    del part[path[-1]]
    return changed


@pytest.mark.parametrize(
    ("tts", "sentence"),
    [
        ({"vcn": "x7_clone"}, "'$.parameter.tts.vcn' must be one of [x5_clone x6_clone]; "),
        ({"vcn": None}, "'$.parameter.tts.vcn' field is required; "),
        ({"vcn": 6}, "'$.parameter.tts.vcn' type must be string; "),
        ({"speed": 101}, "'$.parameter.tts.speed' value must be less or equal than 100; "),
        ({"speed": -1}, "'$.parameter.tts.speed' value must be larger or equal than 0; "),
        ({"speed": "50"}, "'$.parameter.tts.speed' type should be integer; "),
        ({"speed": 50.5}, "'$.parameter.tts.speed' type should be integer; "),
        ({"speed": True}, "'$.parameter.tts.speed' type should be integer; "),
        ({"volume": 101}, "'$.parameter.tts.volume' value must be less or equal than 100; "),
        ({"pitch": -1}, "'$.parameter.tts.pitch' value must be larger or equal than 0; "),
        ({"LanguageID": 9}, "'$.parameter.tts.LanguageID' value must be less or equal than 8; "),
        ({"languageID": -1}, "'$.parameter.tts.languageID' value must be larger or equal than 0; "),
        ({"impactFactor": 11}, "'$.parameter.tts.impactFactor' value must be less or equal than 10; "),
        ({"bgs": 3}, "'$.parameter.tts.bgs' value must be less or equal than 2; "),
        ({"reg": 3}, "'$.parameter.tts.reg' value must be less or equal than 2; "),
        ({"rdn": 4}, "'$.parameter.tts.rdn' value must be less or equal than 3; "),
        ({"rhy": 2}, "'$.parameter.tts.rhy' must be one of [0 1 3]; "),
        ({"pybuffer": 2}, "'$.parameter.tts.pybuffer' value must be less or equal than 1; "),
        ({"pybuf": {"encoding": "gbk"}}, "'$.parameter.tts.pybuf.encoding' must be one of [utf8]; "),
        ({"audio": {"sample_rate": 44100}}, "'$.parameter.tts.audio.sample_rate' must be one of [8000 16000 24000]; "),
        ({"audio": {"bit_depth": 8}}, "'$.parameter.tts.audio.bit_depth' value must be larger or equal than 16; "),
        ({"audio": {"channels": 2}}, "'$.parameter.tts.audio.channels' value must be less or equal than 1; "),
        ({"audio": {"frame_size": 2000}}, "'$.parameter.tts.audio.frame_size' value must be less or equal than 1024; "),
        ({"emotion": "sad"}, "'$.parameter.tts.emotion' unknown field; "),
    ],
)
def test_it_validates_what_a_cloned_voice_is_asked(
    sandbox: Sandbox, voice: str, tts: dict[str, Any], sentence: str
) -> None:
    assert _refusal(sandbox.iflytek_clone, message(res_id=voice, **tts)) == (10163, PREFIX + sentence)


@pytest.mark.parametrize("codec", ["flac", "opus-swb"])
def test_it_lists_the_codecs_of_a_cloned_voice(sandbox: Sandbox, voice: str, codec: str) -> None:
    sentence = "'$.parameter.tts.audio.encoding' must be one of [lame raw speex speex-wb opus opus-wb]; "
    assert _refusal(sandbox.iflytek_clone, message(res_id=voice, audio={"encoding": codec})) == (
        10163,
        PREFIX + sentence,
    )


def test_it_lists_the_styles(sandbox: Sandbox, voice: str) -> None:
    code, sentence = _refusal(sandbox.iflytek_clone, message(res_id=voice, style="bored"))
    assert code == 10163
    assert sentence.startswith(f"{PREFIX}'$.parameter.tts.style' must be one of [tianjin dongbei sichuan hefei chat")


def test_it_names_everything_that_is_wrong_at_once(sandbox: Sandbox, voice: str) -> None:
    code, sentence = _refusal(sandbox.iflytek_clone, message(res_id=voice, speed=200, pitch=-5))
    assert (code, sentence.count("; ")) == (10163, 2)


@pytest.mark.parametrize(
    "path",
    [
        ("header", "res_id"),
        ("header", "status"),
        ("parameter",),
        ("parameter", "tts"),
        ("parameter", "tts", "audio"),
        ("payload",),
        ("payload", "text"),
        ("payload", "text", "status"),
        ("payload", "text", "seq"),
        ("payload", "text", "text"),
    ],
)
def test_it_wants_what_the_documents_require(sandbox: Sandbox, voice: str, path: tuple[str, ...]) -> None:
    sent = _without(message(res_id=voice), *path)
    sentence = f"{PREFIX}'$.{'.'.join(path)}' field is required; "
    assert _refusal(sandbox.iflytek_clone, sent) == (10163, sentence)


@pytest.mark.parametrize(
    ("tts", "sentence"),
    [
        ({"watermask": 3}, "'$.parameter.tts.watermask' value must be less or equal than 2; "),
        ({"implicit_watermark": 1}, "'$.parameter.tts.implicit_watermark' type must be boolean; "),
        ({"bgs": 2}, "'$.parameter.tts.bgs' value must be less or equal than 1; "),
        ({"rhy": 3}, "'$.parameter.tts.rhy' value must be less or equal than 1; "),
        ({"LanguageID": 0}, "'$.parameter.tts.LanguageID' unknown field; "),
        ({"pybuffer": 1}, "'$.parameter.tts.pybuffer' unknown field; "),
        ({"oral": {"oral_level": "max"}}, "'$.parameter.oral.oral_level' must be one of [high mid low]; "),
        ({"oral": {"spark_assist": 2}}, "'$.parameter.oral.spark_assist' value must be less or equal than 1; "),
        ({"oral": {"stop_split": -1}}, "'$.parameter.oral.stop_split' value must be larger or equal than 0; "),
        ({"oral": {"remain": "no"}}, "'$.parameter.oral.remain' type should be integer; "),
    ],
)
def test_it_validates_what_a_stock_voice_is_asked(sandbox: Sandbox, tts: dict[str, Any], sentence: str) -> None:
    assert _refusal(sandbox.iflytek_tts, message(**tts)) == (10163, PREFIX + sentence)


def test_it_knows_the_published_stock_voices_and_those_it_is_told(sandbox: Sandbox) -> None:
    code, sentence = _refusal(sandbox.iflytek_tts, message(vcn="x4_ours_oral"))
    assert code == 10163
    assert sentence.startswith(f"{PREFIX}'$.parameter.tts.vcn' must be one of [x6_")
    sandbox.configure(iflytek={"extra_vcns": ["x4_ours_oral"]})
    assert spoken(sandbox.iflytek_tts, message(vcn="x4_ours_oral")).statuses[-1] == 2


def test_it_says_when_a_stock_voice_is_not_enabled(sandbox: Sandbox) -> None:
    sandbox.configure(iflytek={"unlicensed_vcns": ["x5_lingfeiyi_flow"]})
    found = _refusal(sandbox.iflytek_tts, message(vcn="x5_lingfeiyi_flow"))
    assert found == (11200, "LiccCheck failed, unauthenticated, err: licc limit")
    assert spoken(sandbox.iflytek_tts, message(vcn="x5_lingxiaoyue_flow")).statuses[-1] == 2


def test_it_checks_json_then_base64_then_application_then_schema(sandbox: Sandbox) -> None:
    wrong = message(speed=200)
    wrong["header"]["app_id"] = STRANGER.app_id
    wrong["payload"]["text"]["text"] = TEXT
    assert _refusal(sandbox.iflytek_tts, json.dumps(wrong)[:-1]) == (10160, "parse request json error")
    code, sentence = _refusal(sandbox.iflytek_tts, wrong)
    assert code == 10163
    assert sentence.startswith(
        "resolve request error:base64 decode error,input stream,field : 'text' must be encode to base64 string. error:"
    )
    wrong["payload"]["text"]["text"] = "5L2g5aW9"
    assert _refusal(sandbox.iflytek_tts, wrong) == (10313, "app_id and api_key does not match")
    wrong["header"]["app_id"] = ""
    assert _refusal(sandbox.iflytek_tts, wrong) == (10313, "app_id cannot be empty")
    wrong["header"]["app_id"] = OWNER.app_id
    assert _refusal(sandbox.iflytek_tts, wrong)[1].startswith(PREFIX)


def test_it_speaks_the_other_codes_for_bad_json_and_base64(sandbox: Sandbox) -> None:
    sandbox.configure(iflytek={"json_code": 10163, "base64_code": 10161})
    assert _refusal(sandbox.iflytek_tts, "{") == (10163, "parse request json error")
    sent = message()
    sent["payload"]["text"]["text"] = TEXT
    assert _refusal(sandbox.iflytek_tts, sent) == (10161, "parse base64 string error")


def test_it_closes_with_1000_and_the_message_after_a_refusal_of_the_gateway(sandbox: Sandbox) -> None:
    with talk(sandbox.iflytek_tts) as line:
        line.send(message(vcn="nobody"))
        heard = line.hear(to_the_close=True)
    assert heard.frames[0]["header"]["status"] == 0
    assert heard.close is not None
    code, reason = heard.close
    assert (code, reason) == (1000, heard.error[1][:123])


def test_it_does_not_close_after_a_refusal_of_the_engine(sandbox: Sandbox) -> None:
    sandbox.configure(iflytek={"idle_seconds": 0.3})
    with talk(sandbox.iflytek_clone) as line:
        line.send(message(res_id=NOBODY))
        assert line.hear().error[0] == 26004
        assert line.hear(to_the_close=True).close == (1000, "time out")


def test_it_finds_a_voice_only_by_its_own_application(sandbox: Sandbox, voice: str) -> None:
    said = "invalid res_id, query res_id error, No data found in response"
    assert _refusal(sandbox.iflytek_clone, message(res_id=NOBODY)) == (26004, said)
    theirs = message(res_id=voice, account=STRANGER)
    assert spoken(sandbox.iflytek_clone, theirs, STRANGER).error == (26004, said)


def test_it_speaks_a_voice_only_through_its_edition(sandbox: Sandbox, voice: str) -> None:
    standard = trained(sandbox, engineVersion=None)
    assert _refusal(sandbox.iflytek_clone, message(res_id=voice, vcn="x5_clone"))[0] == 26004
    assert _refusal(sandbox.iflytek_clone, message(res_id=standard, vcn="x6_clone"))[0] == 26004
    assert spoken(sandbox.iflytek_clone, message(res_id=standard, vcn="x5_clone")).statuses[-1] == 2
    sandbox.configure(iflytek={"edition_check": False})
    assert spoken(sandbox.iflytek_clone, message(res_id=standard, vcn="x6_clone")).statuses[-1] == 2


def test_it_holds_a_standard_voice_to_the_language_it_was_trained_in(sandbox: Sandbox) -> None:
    voice = trained(sandbox, engineVersion=None, language="en")
    said: dict[str, Any] = {"res_id": voice, "vcn": "x5_clone"}
    assert spoken(sandbox.iflytek_clone, message("Hello.", **said, LanguageID=1)).statuses[-1] == 2
    assert _refusal(sandbox.iflytek_clone, message("你好。", **said, LanguageID=0))[0] == 10139
    assert _refusal(sandbox.iflytek_clone, message("Salut.", **said, LanguageID=5))[0] == 10139


@pytest.mark.parametrize("codec", ["speex", "speex-wb", None])
def test_it_cannot_encode_speex_which_is_also_the_default(sandbox: Sandbox, voice: str, codec: str | None) -> None:
    found = _refusal(sandbox.iflytek_clone, message(res_id=voice, audio={"encoding": codec}))
    assert found == (10043, "Syscall AudioCodingDecode error")


@pytest.mark.parametrize(("channels", "depth"), [(2, 16), (1, 8)])
def test_it_cannot_do_stereo_or_8_bit(sandbox: Sandbox, channels: int, depth: int) -> None:
    sent = message(audio={"channels": channels, "bit_depth": depth})
    assert _refusal(sandbox.iflytek_tts, sent)[0] == 10043


def test_it_takes_6000_bytes_in_one_message_and_no_more(sandbox: Sandbox) -> None:
    sandbox.fail(operation="ifly:tts", how="error", code="11503", message="enough", times=0)
    assert _refusal(sandbox.iflytek_tts, message("好" * 2000)) == (11503, "enough")
    sentence = "'$.payload.text.text' length must be less or equal than 8000; "
    assert _refusal(sandbox.iflytek_tts, message("好" * 2001)) == (10163, PREFIX + sentence)


def test_it_takes_no_empty_text(sandbox: Sandbox) -> None:
    sentence = "'$.payload.text.text' length must be larger or equal than 1; "
    assert _refusal(sandbox.iflytek_tts, message("")) == (10163, PREFIX + sentence)


def test_it_finds_nothing_to_say_in_punctuation(sandbox: Sandbox) -> None:
    assert _refusal(sandbox.iflytek_tts, message("……！")) == (10009, "input invalid data")


def test_it_reads_other_encodings_and_compressed_text(sandbox: Sandbox, voice: str) -> None:
    plain = spoken(sandbox.iflytek_clone, message(res_id=voice, rhy=1)).track
    sent = message(TEXT.encode("gbk"), res_id=voice, rhy=1)
    sent["payload"]["text"]["encoding"] = "gbk"
    assert spoken(sandbox.iflytek_clone, sent).track == plain
    sent = message(gzip.compress(TEXT.encode()), res_id=voice, rhy=1)
    sent["payload"]["text"]["compress"] = "gzip"
    assert spoken(sandbox.iflytek_clone, sent).track == plain
    sent["payload"]["text"]["text"] = base64.b64encode(b"no gzip").decode()
    assert _refusal(sandbox.iflytek_clone, sent)[0] == 10009
    assert _refusal(sandbox.iflytek_clone, message(TEXT.encode("gbk"), res_id=voice))[0] == 10009


def test_it_wants_both_statuses_equal(sandbox: Sandbox) -> None:
    sent = message()
    sent["payload"]["text"]["status"] = 0
    assert _refusal(sandbox.iflytek_tts, sent)[0] == 10163
