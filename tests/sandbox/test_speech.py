"""The clone follows the sample: the contract that every sandboxed provider stands on."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.listening import loudness, median_f0
from tests.recordings import CHINESE_WOMAN, MAN, WOMAN, recording
from voiceclone_site.sandbox.aliyun.sentences import count, split
from voiceclone_site.sandbox.speech import decoding, espeak, timbre, voiceprint
from voiceclone_site.sandbox.speech.reading import read
from voiceclone_site.sandbox.speech.speaking import RATE, Manner, Spoken, speak
from voiceclone_site.sandbox.speech.voiceprint import VoicePrint

TEXT = "今天天气怎么样？我们一起去银行吧，听说重庆的音乐会很好。"
SPEAKERS = (MAN, WOMAN, CHINESE_WOMAN)


@functools.cache
def clone(speaker: str) -> VoicePrint:
    heard = decoding.decode(recording(speaker), most_seconds=60)
    return voiceprint.take(heard.samples, rate=heard.rate)


def f0_of_sample(speaker: str) -> float:
    heard = decoding.decode(recording(speaker), most_seconds=60)
    return median_f0(heard.samples, rate=heard.rate)[0]


def said(speaker: str, text: str = TEXT) -> Spoken:
    return speak(text, voice=clone(speaker), manner=Manner())


@pytest.mark.parametrize("speaker", SPEAKERS)
@pytest.mark.parametrize("text", [TEXT, "The quick brown fox jumps over the lazy dog, and then it sleeps."])
def test_it_speaks_at_the_pitch_of_the_sample(speaker: str, text: str) -> None:
    f0, voiced = median_f0(said(speaker, text).samples, rate=RATE)
    assert f0 == pytest.approx(f0_of_sample(speaker), rel=0.06)
    assert voiced > 0.3


def test_it_keeps_different_speakers_apart() -> None:
    low, high = (median_f0(said(speaker).samples, rate=RATE)[0] for speaker in (MAN, WOMAN))
    assert f0_of_sample(WOMAN) - f0_of_sample(MAN) >= 40
    assert high - low >= 30


@pytest.mark.parametrize("speaker", [MAN, WOMAN])
def test_it_comes_closer_to_the_samples_timbre_than_espeak_is(speaker: str) -> None:
    sample = decoding.decode(recording(speaker), most_seconds=60)
    wanted = timbre.spectrum(sample.samples, rate=sample.rate)

    def distance(samples: np.ndarray[tuple[int], np.dtype[np.float32]]) -> float:
        difference = timbre.spectrum(samples, rate=RATE) - wanted
        return float(np.sqrt(np.nanmean((difference - np.nanmean(difference)) ** 2)))

    plain = espeak.speak(TEXT, voice="cmn").samples
    assert distance(said(speaker).samples) < distance(plain)


def test_it_takes_as_long_in_every_voice_and_is_loud_enough() -> None:
    spoken = [said(speaker) for speaker in SPEAKERS]
    assert max(one.seconds for one in spoken) / min(one.seconds for one in spoken) < 1.02
    # 26 characters at about 0.24 s
    assert 5 < spoken[0].seconds < 8
    assert all(loudness(one.samples) > -35 for one in spoken)


def test_it_survives_being_stored_as_json() -> None:
    assert VoicePrint.from_json(clone(MAN).to_json()) == clone(MAN)


def test_it_speaks_to_several_callers_at_once_without_mixing_them_up() -> None:
    lengths = {n: said(MAN, "好" * n + "。").seconds for n in range(2, 10)}
    speak.cache_clear()
    with ThreadPoolExecutor(8) as threads:
        again = dict(zip(lengths, threads.map(lambda n: said(MAN, "好" * n + "。").seconds, lengths), strict=True))
    assert again == pytest.approx(lengths, abs=0.05)


@pytest.mark.parametrize("text", ["", "……", "？！"])
def test_it_says_nothing_when_there_is_nothing_to_say(text: str) -> None:
    assert said(MAN, text).seconds == 0


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("2026年11月3日", "二零二六年十一月三日"),
        ("2026-11-03", "二零二六年十一月三日"),
        ("涨了12.5%", "涨了百分之十二点五"),
        ("￥1,205.5元", "一千二百零五点五元"),
        ("拨打13800138000", "拨打一三八零零一三八零零零"),
        ("20:05开会，9:00出发", "二十点零五分开会，九点整出发"),
        ("10005个，110000元，第10课", "一万零五个，十一万元，第十课"),
        ("0571区", "零五七一区"),
        ("Python3和A4纸", "Python3和A4纸"),
    ],
)
def test_it_reads_numbers_as_people_do(written: str, spoken: str) -> None:
    reading = read(written)
    assert reading.text == spoken
    assert len(reading.origins) == len(spoken)


@pytest.mark.parametrize(
    ("text", "sentences", "tail"),
    [
        ("你好。再见", ["你好。"], "再见"),
        ("“真的？！”他问。", ["“真的？！”", "他问。"], ""),
        ("Version 3.14 of example.com is out. Next", ["Version 3.14 of example.com is out."], " Next"),
        ("It is 3.", [], "It is 3."),
        ("一行\n二行", ["一行\n"], "二行"),
        ("。。。好", [], "。。。好"),
    ],
)
def test_it_finds_where_sentences_end(text: str, sentences: list[str], tail: str) -> None:
    assert split(text) == (sentences, tail)


def test_it_cuts_a_sentence_without_end_and_loses_nothing() -> None:
    text = "没有句号的一段话，" * 60
    sentences, tail = split(text)
    assert "".join(sentences) + tail == text
    assert max(map(len, sentences)) <= 120


@pytest.mark.parametrize(("text", "characters"), [("你好", 4), ("中A文123", 8), ("中 文。", 6), ("カナ한글", 4)])
def test_it_counts_a_han_character_twice(text: str, characters: int) -> None:
    assert count(text) == characters


@pytest.mark.parametrize("cut", [0, 10, 44, 60, 5000])
@pytest.mark.parametrize("container", ["wav", "mp3", "m4a", "webm"])
def test_it_reads_a_cut_file_or_says_that_it_cannot(container: str, cut: int) -> None:
    whole = recording(MAN, format=container)
    try:
        heard = decoding.decode(whole[:cut], most_seconds=60)
    except decoding.UndecodableError:
        return
    assert heard.seconds <= 12.1
