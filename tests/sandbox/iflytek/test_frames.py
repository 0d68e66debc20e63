"""The two frame profiles, the bytes done, and a phoneme track that adds up to the audio."""

from __future__ import annotations

import io
import re
from typing import Any

import av
import pytest

from tests.listening import listen
from voiceclone_site.sandbox.remote import Sandbox

from .wire import TEXT, Heard, message, spoken, trained

RATES = [8000, 16000, 24000]
TRACKED = "你好，世界！重庆银行的行长用Python写代码[p500]，2026年花了3.5元。"


@pytest.fixture
def voice(sandbox: Sandbox) -> str:
    return trained(sandbox)


def _seconds(heard: Heard, rate: int) -> float:
    return len(heard.audio) / 2 / rate


def test_it_sends_live_frames_as_they_were_measured(sandbox: Sandbox, voice: str) -> None:
    heard = spoken(sandbox.iflytek_clone, message(res_id=voice, audio={"encoding": "lame"}))
    sid = heard.frames[0]["header"]["sid"]
    assert heard.frames[0] == {"header": {"code": 0, "message": "success", "sid": sid, "status": 0}}
    assert heard.statuses == [1] * (len(heard.payloads) - 1) + [2]
    assert heard.pieces[-1] == b""
    assert {len(piece) for piece in heard.pieces[:-2]} == {1200}


def test_it_sends_document_frames_as_they_are_printed(sandbox: Sandbox, voice: str) -> None:
    sandbox.configure(iflytek={"frames": "doc"})
    heard = spoken(sandbox.iflytek_clone, message(res_id=voice, rhy=1, audio={"encoding": "lame"}))
    assert heard.frames[0]["payload"]["audio"]["status"] == 0
    assert heard.statuses == [0] + [1] * (len(heard.payloads) - 2) + [2]
    assert all(heard.pieces)
    assert heard.track.startswith("{0:147}sil:")


def test_it_sends_a_short_text_in_two_document_frames(sandbox: Sandbox) -> None:
    sandbox.configure(iflytek={"frames": "doc"})
    heard = spoken(sandbox.iflytek_tts, message("好", audio={"encoding": "lame"}))
    assert heard.statuses == [0, 2]
    assert all(heard.pieces)


@pytest.mark.parametrize("frames", ["live", "doc"])
def test_it_agrees_with_itself_in_every_frame(sandbox: Sandbox, voice: str, frames: str) -> None:
    sandbox.configure(iflytek={"frames": frames})
    heard = spoken(sandbox.iflytek_clone, message(res_id=voice, rhy=1, audio={"sample_rate": 16000}))
    assert [payload["audio"]["seq"] for payload in heard.payloads] == list(range(len(heard.payloads)))
    for frame in heard.frames:
        if payload := frame.get("payload"):
            audio, track = payload["audio"], payload["pybuf"]
            assert frame["header"]["status"] == audio["status"] == track["status"]
            assert (audio["encoding"], audio["sample_rate"], audio["bit_depth"], audio["channels"]) == (
                "raw",
                16000,
                16,
                1,
            )
            assert (track["encoding"], track["compress"], track["format"]) == ("utf8", "raw", "plain")


@pytest.mark.parametrize("frames", ["live", "doc"])
def test_it_counts_bytes_done_sentence_by_sentence(sandbox: Sandbox, frames: str) -> None:
    sandbox.configure(iflytek={"frames": frames})
    heard = spoken(sandbox.iflytek_tts, message(TEXT))
    done = [payload["audio"]["ced"] for payload in heard.payloads]
    first, whole = len("今天天气怎么样？".encode()), len(TEXT.encode())
    assert sorted(set(done), key=int) == [str(first), str(whole)]
    assert [int(one) for one in done] == sorted(int(one) for one in done)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("frames", ["live", "doc"])
def test_its_track_adds_up_to_the_audio(sandbox: Sandbox, voice: str, rate: int, frames: str) -> None:
    sandbox.configure(iflytek={"frames": frames})
    heard = spoken(sandbox.iflytek_clone, message(TRACKED, res_id=voice, rhy=1, audio={"sample_rate": rate}))
    assert heard.track_frames == pytest.approx(_seconds(heard, rate) * 200, abs=1)


@pytest.mark.parametrize("speed", [0, 50, 100])
def test_its_track_follows_the_speed(sandbox: Sandbox, speed: int) -> None:
    heard = spoken(sandbox.iflytek_tts, message(TRACKED, rhy=1, speed=speed, watermask=1))
    assert heard.track_frames == pytest.approx(_seconds(heard, 24000) * 200, abs=1)


def test_its_track_adds_up_over_many_sentences(sandbox: Sandbox) -> None:
    heard = spoken(sandbox.iflytek_tts, message("你好。今天呢？" * 20, rhy=1))
    assert heard.track_frames == pytest.approx(_seconds(heard, 24000) * 200, abs=1)


def test_its_track_says_what_was_spoken(sandbox: Sandbox, voice: str) -> None:
    track = spoken(sandbox.iflytek_clone, message(TRACKED, res_id=voice, rhy=1)).track
    read = re.findall(r"([^;@\[\]]+)\[=(\w+)\]\*?-", track)
    assert read[:10] == [
        ("你", "ni3"),
        ("好", "hao3"),
        ("世", "shi4"),
        ("界", "jie4"),
        ("重", "chong2"),
        ("庆", "qing4"),
        ("银", "yin2"),
        ("行", "hang2"),
        ("的", "de5"),
        ("行", "hang2"),
    ]
    assert "".join(text for text, _ in read).endswith("二零二六年花了三点五元")
    assert re.search(r"Python\[=[a-z]+\]\*?-[a-z]+:\d+;(@-[a-z]+:\d+;)+", track)
    assert re.search(r"sp3:\d\d;世", track)
    assert "sil:100;" in track
    assert re.match(r"sil:\d+;", track)
    assert re.search(r"sil:\d+;$", track)


def test_it_speaks_the_grammar_of_the_notes(sandbox: Sandbox, voice: str) -> None:
    segment = re.compile(r"(?:sil|sp[1-5]?|(?:@|[^;\[\]@]+\[=[^\]]+\])\*?-[A-Za-z]+[1-5]?):\d+;")
    for language, text in enumerate(
        [
            "天安门的大娘。",
            "Hello there.",
            "こんにちは。",
            "안녕하세요.",
            "Привет, мир.",
            "Bonjour.",
            "مرحبا",
            "Hola.",
            "你好。",
        ]
    ):
        track = spoken(sandbox.iflytek_clone, message(text, res_id=voice, rhy=1, LanguageID=language)).track
        assert segment.sub("", track) == "", track


def test_it_keeps_punctuation_when_asked_to(sandbox: Sandbox, voice: str) -> None:
    plain = spoken(sandbox.iflytek_clone, message(res_id=voice, rhy=1)).track
    full = spoken(sandbox.iflytek_clone, message(res_id=voice, rhy=3)).track
    assert full.replace("？:0;", "").replace("。:0;", "") == plain
    assert "？:0;" in full


@pytest.mark.parametrize("tts", [{"rhy": 0}, {}, {"rhy": 1, "pybuffer": 0}])
def test_it_sends_no_track_unasked(sandbox: Sandbox, voice: str, tts: dict[str, Any]) -> None:
    heard = spoken(sandbox.iflytek_clone, message(res_id=voice, **tts))
    assert not any("pybuf" in payload for payload in heard.payloads)


@pytest.mark.parametrize("rate", RATES)
def test_it_encodes_mp3(sandbox: Sandbox, voice: str, rate: int) -> None:
    heard = spoken(sandbox.iflytek_clone, message(res_id=voice, audio={"encoding": "lame", "sample_rate": rate}))
    raw = spoken(sandbox.iflytek_clone, message(res_id=voice, audio={"sample_rate": rate}))
    found = listen(heard.audio)
    assert found.rate == rate
    assert found.duration == pytest.approx(_seconds(raw, rate), abs=0.2)


@pytest.mark.parametrize(("codec", "rate"), [("opus", 8000), ("opus-wb", 16000), ("opus-swb", 24000), ("opus", 16000)])
def test_it_sends_one_opus_packet_a_frame(sandbox: Sandbox, codec: str, rate: int) -> None:
    heard = spoken(sandbox.iflytek_tts, message(audio={"encoding": codec, "sample_rate": rate}))
    raw = spoken(sandbox.iflytek_tts, message(audio={"sample_rate": rate}))
    decoder = av.CodecContext.create("libopus", "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.sample_rate = 48000
    decoder.layout = "mono"
    frames = [frame for piece in heard.pieces if piece for frame in decoder.decode(av.Packet(piece))]
    assert sum(frame.samples for frame in frames) / 48000 == pytest.approx(_seconds(raw, rate), abs=0.1)
    assert {frame.samples for frame in frames} == {960}


def test_it_marks_mp3_with_who_made_it(sandbox: Sandbox) -> None:
    heard = spoken(sandbox.iflytek_tts, message(audio={"encoding": "lame"}, implicit_watermark=True))
    with av.open(io.BytesIO(heard.audio)) as container:
        assert heard.frames[0]["header"]["sid"] in container.metadata["AIGC"]
    assert listen(heard.audio).voiced > 0.3
