"""When each character is heard, by what a provider tells of its words."""

from __future__ import annotations

from synthesis.alignment import Aligner
from voices.providers.base import Mark


def test_it_shares_a_words_time_among_its_characters() -> None:
    aligner = Aligner("你好，world!")
    first = aligner.take([Mark("你好", 100, 500)])
    assert (first.characters, first.starts, first.ends) == (["你", "好"], [0.1, 0.3], [0.3, 0.5])
    second = aligner.take([Mark("world", 600, 1100)])
    assert second.characters == list("，world")
    assert (second.starts[:2], second.ends[:2]) == ([0.5, 0.6], [0.6, 0.7])
    last = aligner.rest(seconds=1.3)
    assert (last.characters, last.starts, last.ends) == (["!"], [1.1], [1.3])


def test_it_passes_over_what_the_text_does_not_hold() -> None:
    aligner = Aligner("2025年")
    assert aligner.take([Mark("二零二五", 0, 800)]).characters == []
    assert not aligner.is_told
    assert aligner.take([Mark("年", 800, 1000)]).characters == list("2025年")


def test_it_never_goes_back_in_time() -> None:
    aligner = Aligner("甲乙")
    aligner.take([Mark("甲", 0, 400)])
    later = aligner.take([Mark("乙", 300, 350)])
    assert (later.starts, later.ends) == ([0.4], [0.4])
