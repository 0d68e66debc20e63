"""The grammar of the times of sounds, on the document's own example, on our notes' one, and on ten thousand broken ones."""

from __future__ import annotations

import itertools
import random

import pytest

from voices.providers.base import Mark, Phoneme
from voices.providers.iflytek.pybuf import FRAME_MS, PybufError, PybufParser, parsed

DOCUMENT = (
    "sil:6;欢[=huan1]-h1:16;@-uan1:24;迎[=ying2]-ing2:20;使[=shi3]-sh3:24;@-iii3:14;用[=yong4]-iong4:24;"
    "科[=ke1]-k1:20;@-e1:14;大[=da4]-d4:12;@-a4:24;讯[=xun4]-x4:22;@-vn4:20;飞[=fei1]-f1:16;@-ei1:22;"
    "语[=yu3]-v3:32;音[=yin1]-in1:26;合[=he2]-h2:26;@-e2:18;成[=cheng2]-ch2:18;@-eng2:14;系[=xi4]-x4:20;"
    "@-i4:12;统[=tong3]*-t3:20;@-ong3:12;sil:82;"
)
"""From the page of the super-humanoid service. It names 科大讯飞语音合成系统, ten characters, as its text; what it prints is of
欢迎使用科大讯飞语音合成系统. By the grammar a syllable begins with each "[=": there are 14, not 12 as has been said of it."""


def test_the_documents_example_has_its_syllables_at_the_right_times() -> None:
    spoken = [mark for mark in parsed(DOCUMENT) if mark.text]
    assert len(spoken) == DOCUMENT.count("[=") == 14
    assert [(mark.text, mark.syllable, mark.begin_ms, mark.end_ms) for mark in spoken] == [
        ("欢", "huan1", 30, 230),
        ("迎", "ying2", 230, 330),
        ("使", "shi3", 330, 520),
        ("用", "yong4", 520, 640),
        ("科", "ke1", 640, 810),
        ("大", "da4", 810, 990),
        ("讯", "xun4", 990, 1200),
        ("飞", "fei1", 1200, 1390),
        ("语", "yu3", 1390, 1550),
        ("音", "yin1", 1550, 1680),
        ("合", "he2", 1680, 1900),
        ("成", "cheng2", 1900, 2060),
        ("系", "xi4", 2060, 2220),
        ("统", "tong3", 2220, 2380),
    ]


def test_the_documents_example_is_26_sounds_without_a_gap() -> None:
    marks = parsed(DOCUMENT)
    sounds = [phoneme for mark in marks for phoneme in mark.phonemes]
    assert len(sounds) == 26
    assert sounds[0].begin_ms == 0
    assert sounds[-1].end_ms == 558 * FRAME_MS == 2790
    assert all(before.end_ms == after.begin_ms for before, after in itertools.pairwise(sounds))
    assert [mark.text for mark in marks if mark.boundary] == ["统"]


def test_every_sound_has_its_tone_and_a_pause_has_no_text() -> None:
    marks = parsed("sil:4;你[=ni3]-n3:12;@-i3:16;好[=hao3]*-h3:14;@-ao3:28;sp3:20;sil:60;")
    assert marks == (
        Mark("", 0, 20, phonemes=(Phoneme("sil", 0, 0, 20),)),
        Mark("你", 20, 160, "ni3", (Phoneme("n", 3, 20, 80), Phoneme("i", 3, 80, 160))),
        Mark("好", 160, 370, "hao3", (Phoneme("h", 3, 160, 230), Phoneme("ao", 3, 230, 370)), boundary=True),
        Mark("", 370, 470, phonemes=(Phoneme("sp", 3, 370, 470),)),
        Mark("", 470, 770, phonemes=(Phoneme("sil", 0, 470, 770),)),
    )


def test_a_foreign_word_is_one_unit_without_tones() -> None:
    (mark,) = parsed("hello[=hh ah l ow]-hh:10;@-ah:8;@-l:6;@-ow:20;")
    assert (mark.text, mark.syllable, mark.end_ms) == ("hello", "hh ah l ow", 220)
    assert [(phoneme.name, phoneme.tone) for phoneme in mark.phonemes] == [("hh", 0), ("ah", 0), ("l", 0), ("ow", 0)]


def test_reserved_parts_are_left_out() -> None:
    assert parsed("{0:147}sil:4;{x；;：y}{}好[=hao3]-h3:2;{0：1}") == parsed("sil:4;好[=hao3]-h3:2;")


@pytest.mark.parametrize("punctuation", ["，:20;", "，[=，]:20;", "。-:20;"])
def test_a_form_that_is_not_documented_is_passed_over_and_its_time_counted(punctuation: str) -> None:
    marks = parsed(f"你[=ni3]-n3:10;{punctuation}好[=hao3]-h3:10;")
    assert [(mark.text, mark.begin_ms) for mark in marks] == [("你", 0), ("好", 150)]


def test_a_form_that_is_not_documented_may_have_no_time() -> None:
    assert [mark.begin_ms for mark in parsed("你[=ni3]-n3:10;，;好[=hao3]-h3:10;")] == [0, 50]


def test_what_continues_a_form_that_was_passed_over_is_not_put_to_another_character() -> None:
    marks = parsed("你[=ni3]-n3:10;好[hao3]-h3:10;@-ao3:10;吗[=ma5]-m5:4;")
    assert [(mark.text, mark.begin_ms, mark.end_ms) for mark in marks] == [("你", 0, 50), ("吗", 150, 170)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_it_reads_the_same_wherever_the_text_is_cut(size: int) -> None:
    parser = PybufParser()
    marks = [mark for at in range(0, len(DOCUMENT), size) for mark in parser.feed(DOCUMENT[at : at + size])]
    assert (*marks, *parser.finish()) == parsed(DOCUMENT)


def test_it_tells_a_unit_as_soon_as_the_next_one_begins() -> None:
    parser = PybufParser()
    assert list(parser.feed("你[=ni3]-n3:12;@-i3:16;")) == []
    assert [mark.text for mark in parser.feed("好[=hao3]-h3:14;")] == ["你"]
    assert [mark.text for mark in parser.finish()] == ["好"]


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("sil:4;@-i3:16;", 20),
        ("@-i3:16;", 0),
        ("sil:4;好[=hao3]-h3:1", 20),
        ("sil:4;{0:147", 20),
        ("sil:4;sil:720001;", 20),
        ("sil:99999999999999999999;", 0),
        ("，:99999999;", 0),
        ("x" * 1001, 0),
        ("x" * 1001 + ";", 0),
    ],
)
def test_what_would_tell_wrong_times_is_an_error_that_says_how_far_they_were_right(text: str, at_ms: int) -> None:
    with pytest.raises(PybufError) as caught:
        parsed(text)
    assert caught.value.at_ms == at_ms


def mutated(text: str, chance: random.Random) -> str:
    """One to four cuts, doublings, swaps and replacements, anywhere."""
    signs = list(text)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(signs))
        match chance.randrange(6):
            case 0:
                del signs[at : at + chance.randint(1, 20)]
            case 1:
                signs[at:at] = signs[at : at + chance.randint(1, 20)]
            case 2:
                signs[at] = chance.choice(";:-@*[]={}0159斤sp \n\x00\ud800\U0001f600")
            case 3:
                signs.insert(at, chance.choice(";:-@*[]={}٣９0159"))
            case 4:
                other = chance.randrange(len(signs))
                signs[at], signs[other] = signs[other], signs[at]
            case 5:
                signs = signs[:at] or [";"]
        if not signs:
            signs = [";"]
    return "".join(signs)


def test_ten_thousand_broken_texts_raise_nothing_but_the_one_error() -> None:
    chance = random.Random(5001)
    refused = 0
    for _ in range(10_000):
        text = mutated(DOCUMENT, chance)
        parser = PybufParser()
        marks: list[Mark] = []
        try:
            while text:
                size = chance.randint(1, 80)
                marks += parser.feed(text[:size])
                text = text[size:]
            marks += parser.finish()
        except PybufError:
            refused += 1
        times = [(mark.begin_ms, mark.end_ms) for mark in marks]
        assert times == sorted(times)
        assert all(mark.phonemes[-1].end_ms == mark.end_ms for mark in marks)
    assert 0 < refused < 10_000


def test_the_largest_text_that_a_frame_may_hold_is_read_like_any_other() -> None:
    times = 1_048_576 // len(DOCUMENT.encode())
    assert sum(bool(mark.text) for mark in parsed(DOCUMENT * times)) == 14 * times
