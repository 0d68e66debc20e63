"""What can be heard: whose voice, how fast, how high, how loud, in which style, and what lies under it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.listening import Heard, listen
from tests.recordings import MAN, WOMAN, recording
from voiceclone_site.sandbox.remote import Sandbox

from .wire import OWNER, STRANGER, TEXT, message, spoken, trained


@pytest.fixture
def voice(sandbox: Sandbox) -> str:
    return trained(sandbox)


def _clone(sandbox: Sandbox, voice: str, text: str = TEXT, **tts: Any) -> Heard:
    found = spoken(sandbox.iflytek_clone, message(text, res_id=voice, **tts))
    return listen(found.audio, format="pcm", rate=24000)


def _stock(sandbox: Sandbox, text: str = TEXT, **tts: Any) -> Heard:
    return listen(spoken(sandbox.iflytek_tts, message(text, **tts)).audio, format="pcm", rate=24000)


@pytest.mark.parametrize("speaker", [MAN, WOMAN])
def test_it_speaks_in_the_voice_of_the_sample(sandbox: Sandbox, speaker: str) -> None:
    sample = recording(speaker)
    assert _clone(sandbox, trained(sandbox, sample)).f0 == pytest.approx(listen(sample).f0, rel=0.06)


def test_it_keeps_two_applications_voices_apart(sandbox: Sandbox) -> None:
    trained(sandbox, recording(MAN), account=OWNER)
    theirs = trained(sandbox, recording(WOMAN), account=STRANGER)
    found = spoken(sandbox.iflytek_clone, message(res_id=theirs, account=STRANGER), STRANGER)
    heard = listen(found.audio, format="pcm", rate=24000)
    assert heard.f0 == pytest.approx(listen(recording(WOMAN)).f0, rel=0.06)


def test_it_says_the_same_in_the_same_way(sandbox: Sandbox, voice: str) -> None:
    assert len(_clone(sandbox, voice).samples) == len(_clone(sandbox, voice).samples)


def test_it_speaks_at_a_human_pace(sandbox: Sandbox, voice: str) -> None:
    assert 3.0 < len(TEXT) / _clone(sandbox, voice).duration < 6.0


@pytest.mark.parametrize(("speed", "factor"), [(0, 2.0), (25, 1.41), (75, 0.71), (100, 0.5)])
def test_it_halves_and_doubles_its_speed(sandbox: Sandbox, voice: str, speed: int, factor: float) -> None:
    usual = _clone(sandbox, voice).duration
    assert _clone(sandbox, voice, speed=speed).duration / usual == pytest.approx(factor, rel=0.2)


def test_it_follows_pitch_and_volume(sandbox: Sandbox, voice: str) -> None:
    usual = _clone(sandbox, voice)
    assert _clone(sandbox, voice, pitch=100).f0 > usual.f0 * 1.2
    assert _clone(sandbox, voice, pitch=0).f0 < usual.f0 / 1.2
    assert _clone(sandbox, voice, volume=100).loudness == pytest.approx(usual.loudness + 6, abs=1.5)
    assert _clone(sandbox, voice, volume=1).loudness == pytest.approx(usual.loudness - 6, abs=1.5)
    assert _clone(sandbox, voice, volume=0).loudness == -120


def test_it_has_styles_for_chinese_in_the_omni_edition_only(sandbox: Sandbox, voice: str) -> None:
    usual, sad = _clone(sandbox, voice, style="chat"), _clone(sandbox, voice, style="sad")
    assert sad.duration > usual.duration * 1.1
    assert sad.f0 < usual.f0 * 0.97
    assert _clone(sandbox, voice, style="excited").duration < usual.duration * 0.95
    assert _clone(sandbox, voice, style="sad", impactFactor=10).duration == pytest.approx(usual.duration, rel=0.01)
    assert _clone(sandbox, voice, style="sad", impactFactor=0).duration > sad.duration
    english = _clone(sandbox, voice, "Good morning, everybody.", LanguageID=1)
    assert _clone(sandbox, voice, "Good morning, everybody.", LanguageID=1, style="sad").duration == english.duration


def test_it_speaks_cantonese_otherwise_than_mandarin(sandbox: Sandbox, voice: str) -> None:
    mandarin = spoken(sandbox.iflytek_clone, message("你好，世界。", res_id=voice, rhy=1)).track
    cantonese = spoken(sandbox.iflytek_clone, message("你好，世界。", res_id=voice, rhy=1, LanguageID=8)).track
    assert "ni3" in mandarin
    assert "ni3" not in cantonese
    assert "nei" in cantonese


@pytest.mark.parametrize(
    ("vcn", "lowest", "highest"),
    [("x4_lingfeiyi_oral", 85, 145), ("x6_lingxiaoxuan_pro", 165, 260), ("x6_dudulibao_pro", 245, 330)],
)
def test_its_stock_voices_are_men_women_and_children(sandbox: Sandbox, vcn: str, lowest: float, highest: float) -> None:
    assert lowest < _stock(sandbox, vcn=vcn).f0 < highest


def test_its_stock_voices_differ(sandbox: Sandbox) -> None:
    names = ["x4_lingxiaoxuan_oral", "x5_lingxiaoxuan_flow", "x6_lingxiaoxuan_pro", "x6_wumeinv_pro"]
    heard = [_stock(sandbox, vcn=vcn, oral={"oral_level": "low"}).samples for vcn in names]
    spectra = [np.abs(np.fft.rfft(samples, 1 << 18))[:40000] for samples in heard]
    for index, one in enumerate(spectra):
        for other in spectra[index + 1 :]:
            assert np.corrcoef(one, other)[0, 1] < 0.9


def test_its_first_generation_is_colloquial(sandbox: Sandbox) -> None:
    def track(vcn: str = "x4_lingfeiyi_oral", **oral: Any) -> str:
        return spoken(sandbox.iflytek_tts, message(vcn=vcn, rhy=1, oral=oral)).track

    assert "嗯" in track()
    assert "那[=na4]" in track(oral_level="high")
    assert "嗯" not in track(oral_level="low")
    assert "嗯" not in track(spark_assist=0)
    assert "嗯" not in track(remain=1)
    assert "嗯" not in track(vcn="x6_lingfeiyi_pro", oral_level="high")


def test_it_does_not_split_when_told_so(sandbox: Sandbox) -> None:
    def done(**oral: Any) -> set[str]:
        heard = spoken(sandbox.iflytek_tts, message(oral=oral))
        return {payload["audio"]["ced"] for payload in heard.payloads}

    assert len(done(stop_split=0)) == 2
    assert len(done(stop_split=1)) == 1


def test_it_lays_a_background_under_the_voice(sandbox: Sandbox, voice: str) -> None:
    for kind in (1, 2):
        heard = _clone(sandbox, voice, "好[p1000]。", bgs=kind)
        middle = heard.samples[-24000 + 2400 : -2400]
        level = 20 * np.log10(np.sqrt(np.mean(middle**2)))
        assert -50 < level < -40


def test_it_beeps_where_the_audible_mark_is_asked_for(sandbox: Sandbox) -> None:
    plain = _stock(sandbox)
    for mark in (1, 2):
        marked = _stock(sandbox, watermask=mark)
        assert marked.duration == pytest.approx(plain.duration + 0.2, abs=0.01)
        edge = marked.samples[720:4800] if mark == 1 else marked.samples[-4800:-720]
        assert np.argmax(np.abs(np.fft.rfft(edge, 24000))) == pytest.approx(1000, abs=10)
    english = {"vcn": "x5_EnUs_Lila_flow"}
    assert _stock(sandbox, **english, watermask=1).duration == _stock(sandbox, **english).duration


def test_it_falls_silent_for_as_long_as_the_text_says(sandbox: Sandbox) -> None:
    plain, paused = _stock(sandbox, "你好世界"), _stock(sandbox, "你好[p800]世界")
    assert paused.duration > plain.duration + 0.6


def test_it_reads_letters_and_digits_as_asked(sandbox: Sandbox) -> None:
    def track(text: str, **tts: Any) -> str:
        return "".join(
            part.partition("[")[0]
            for part in spoken(sandbox.iflytek_tts, message(text, rhy=1, **tts)).track.split(";")
            if "[=" in part
        )

    assert track("买了12个。", rdn=1) == "买了十二个"
    assert track("买了12个。", rdn=2) == "买了一二个"
    assert track("电话12345。", rdn=0) == "电话一万二千三百四十五"
    assert "Python" in track("用Python写。")
    assert track("用NBA写。", reg=1).startswith("用N")


def test_it_takes_pronunciations_out_of_the_text(sandbox: Sandbox) -> None:
    heard = spoken(sandbox.iflytek_tts, message("着[=zhao1]手。", rhy=1))
    assert "zhao1" not in heard.track
    assert heard.track.count("[=") == 2
