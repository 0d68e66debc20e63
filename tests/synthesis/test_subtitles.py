"""Subtitles: where cues and lines break, and that both forms are what players read."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthesis import subtitles
from synthesis.subtitles import Cue, lines_of, stretches, track, width

STORY = "从前有一座山，山上有一座庙，庙里有一个老和尚，他在讲一个很长很长的故事。故事讲的是什么呢？"


def marks_of(text: str, *, each_ms: int = 200, pause_after: str = "", pause_ms: int = 0) -> list[dict[str, Any]]:
    """A mark for every sign that is spoken, one after another."""
    found: list[dict[str, Any]] = []
    at = 0
    for sign in text:
        if sign.isalnum():
            found.append({"text": sign, "begin_ms": at, "end_ms": at + each_ms})
            at += each_ms + (pause_ms if sign == pause_after else 0)
    return found


def test_it_gives_every_word_the_signs_that_follow_it() -> None:
    found = stretches("你好，世界。", marks_of("你好世界"))
    assert [each.text for each in found] == ["你", "好，", "世", "界。"]
    assert [(each.begin, each.end) for each in found] == [(0, 1), (1, 3), (3, 4), (4, 6)]


def test_it_passes_over_what_was_read_otherwise_than_written() -> None:
    marks = [
        {"text": "二", "begin_ms": 0, "end_ms": 100},
        {"text": "零", "begin_ms": 100, "end_ms": 200},
        {"text": "年", "begin_ms": 200, "end_ms": 300},
    ]
    [only] = stretches("20年", marks)
    assert (only.text, only.begin_ms, only.end_ms) == ("20年", 0, 300)


def test_it_ends_a_cue_with_its_sentence() -> None:
    cues = track("你好。再见！", marks_of("你好再见"))
    assert [cue.lines for cue in cues] == [("你好。",), ("再见！",)]
    assert cues[0].end_ms <= cues[1].begin_ms


def test_it_ends_a_cue_at_a_long_pause() -> None:
    cues = track("你好世界", marks_of("你好世界", pause_after="好", pause_ms=1500))
    assert [cue.lines for cue in cues] == [("你好",), ("世界",)]


def test_it_breaks_chinese_where_one_breathes() -> None:
    assert lines_of("从前有一座山，山上有一座庙，庙里有一个老和尚") == (
        "从前有一座山，山上有一座庙，",
        "庙里有一个老和尚",
    )


def test_it_never_begins_a_line_with_a_closing_sign_nor_breaks_a_word() -> None:
    assert lines_of("一二三四五六七八九十一二三四五六，七八") == ("一二三四五六七八九", "十一二三四五六，七八")
    assert lines_of("一二三四五六七八九十一二三四五六，")[1][0] != "，"
    lines = lines_of("The quick brown fox jumps over the extraordinarily lazy dog")
    assert " ".join(lines) == "The quick brown fox jumps over the extraordinarily lazy dog"
    assert all(width(line) <= subtitles.WIDTH_LATIN for line in lines)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="山上有庙，。！？ ab3“”", min_size=1, max_size=200))
def test_it_loses_no_sign_and_overlaps_nowhere(text: str) -> None:
    cues = track(text, marks_of(text))
    said = "".join(line for cue in cues for line in cue.lines)
    if any(sign.isalnum() for sign in text):
        assert said.replace(" ", "") == text.replace(" ", "")
    for before, after in pairwise(cues):
        assert before.begin_ms < before.end_ms <= after.begin_ms
    for cue in cues:
        assert len(cue.lines) <= subtitles.LINES


def test_it_writes_srt() -> None:
    cues = [Cue(0, 1500, ("第一行", "第二行")), Cue(3_661_001, 3_662_000, ("再见",))]
    assert subtitles.srt(cues) == (
        "1\n00:00:00,000 --> 00:00:01,500\n第一行\n第二行\n\n2\n01:01:01,001 --> 01:01:02,000\n再见\n"
    )


def test_it_writes_webvtt() -> None:
    assert subtitles.vtt([Cue(0, 1500, ("a < b & c",))]) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\na &lt; b &amp; c\n"
    )


@pytest.mark.parametrize("text", ["", "。。。"])
def test_it_writes_nothing_about_nothing(text: str) -> None:
    assert track(text, []) == []
