"""Cutting long texts: what fits, where it is cut, and that nothing is lost on the way."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthesis.text import split

STORY = "从前有一座山。山上有一座庙！庙里有一个老和尚，他在讲一个故事：“从前有一座山。”故事讲的是什么呢？"


def pieces_of(text: str, limit: int) -> list[str]:
    return split(text, fits=lambda piece: len(piece) <= limit)


@pytest.mark.parametrize(
    ("text", "limit", "pieces"),
    [
        ("短。", 10, ["短。"]),
        ("一二三。四五六。七八九。", 8, ["一二三。四五六。", "七八九。"]),
        ("他说：“好。”然后走了。", 8, ["他说：“好。”", "然后走了。"]),
        ("Pi is 3.14. It is not 3.", 13, ["Pi is 3.14. ", "It is not 3."]),
        ("See example.com. Now.", 17, ["See example.com. ", "Now."]),
        ("一二三，四五六，七八九。", 5, ["一二三，", "四五六，", "七八九。"]),
        ("one two three", 8, ["one two ", "three"]),
        ("一二三四五六七", 3, ["一二三", "四五六", "七"]),
        ("第一行\n第二行\n", 4, ["第一行\n", "第二行\n"]),
        ("好！！！！真好。", 5, ["好！！！！", "真好。"]),
    ],
)
def test_it_cuts_where_a_reader_would_pause(text: str, limit: int, pieces: list[str]) -> None:
    assert pieces_of(text, limit) == pieces


def test_it_leaves_what_is_seen_as_one_sign_whole() -> None:
    family = "👨\u200d👩\u200d👧"
    assert pieces_of(f"{family}a字{family}", 6) == [f"{family}a", f"字{family}"]
    assert pieces_of(f"字字{family}字", 6) == ["字字", f"{family}字"]
    assert pieces_of("e\u0301e\u0301e\u0301", 3) == ["e\u0301", "e\u0301", "e\u0301"]


def test_it_makes_no_piece_without_a_word() -> None:
    assert pieces_of("好。" + "，" * 9 + "再见。", 4) == ["好。", "，再见。"]
    assert pieces_of("，" * 9, 4) == []


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="从前有山庙。，！？ .a3\n”“…", max_size=200), st.integers(min_value=1, max_value=40))
def test_it_loses_nothing(text: str, limit: int) -> None:
    pieces = pieces_of(text, limit)
    said = [sign for piece in pieces for sign in piece if sign.isalnum()]
    assert said == [sign for sign in text if sign.isalnum()]
    assert all(len(piece) <= limit for piece in pieces)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(alphabet="从前有山庙", min_size=1, max_size=20), min_size=1, max_size=30))
def test_it_cuts_no_sentence_that_fits(sentences: list[str]) -> None:
    text = "".join(f"{sentence}。" for sentence in sentences)
    for piece in pieces_of(text, 21):
        assert piece.endswith("。")


def test_it_says_when_nothing_fits() -> None:
    with pytest.raises(ValueError, match="one sign"):
        pieces_of("字", 0)


def test_it_is_quick_with_a_long_text() -> None:
    assert "".join(pieces_of(STORY * 4000, 2000)) == STORY * 4000
