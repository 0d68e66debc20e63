"""docs/coverage.md is a promise; this keeps it: no cell is empty, and every file and every test that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from voices.providers import registry
from voices.providers.qiniu.speech_errors import SPEECH_BOOK

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "docs" / "coverage.md"

_PATH = re.compile(r"`([\w/]+\.py)`")
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)(?:::(\w+))?`")


def rows(text: str) -> list[list[str]]:
    """The cells of each row, without headings and their underlines."""
    lines = [line.strip() for line in text.splitlines()]
    kept: list[list[str]] = []
    for before, line in zip(["", *lines], lines, strict=False):
        after_heading = re.fullmatch(r"[|\s:-]+", line)
        if after_heading and kept and before.startswith("|"):
            kept.pop()
        elif line.startswith("|"):
            kept.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return kept


def faults(text: str) -> list[str]:
    found = []
    for cells in rows(text):
        if len(cells) < 3 or not all(cells):
            found.append(f"a cell is empty: {' | '.join(cells)}")
        if not _TEST.search(cells[-1]):
            found.append(f"no test is named: {' | '.join(cells)}")
    found += [f"no such file: {path}" for path in set(_PATH.findall(text)) if not (ROOT / path).is_file()]
    for path, *names in set(_TEST.findall(text)):
        source = (ROOT / path).read_text() if (ROOT / path).is_file() else ""
        if not all(re.search(rf"^\s*(?:def|class) {name}\b", source, re.MULTILINE) for name in names if name):
            found.append(f"no such test: {path}::{'::'.join(filter(None, names))}")
    return found


def test_every_row_names_its_code_and_a_test_that_exists() -> None:
    text = TABLE.read_text()
    assert len(rows(text)) > 100
    assert faults(text) == []


def test_every_code_that_a_book_explains_has_its_row() -> None:
    named = {cells[0].partition(":")[0].partition(" (")[0] for cells in rows(TABLE.read_text())}
    for book in (*(registry.book(slug) for slug in registry.slugs()), SPEECH_BOOK):
        assert [entry for entry in book if f"{entry.service} {entry.code}" not in named] == []


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("| what | `voices/options.py` | `tests/test_coverage_table.py::rows` |", ""),
        ("| what |  | `tests/test_coverage_table.py::rows` |", "a cell is empty"),
        ("| what | where | not yet |", "no test is named"),
        ("| what | `voices/nothing.py` | `tests/test_coverage_table.py::rows` |", "no such file"),
        ("| what | where | `tests/test_coverage_table.py::nothing` |", "no such test"),
    ],
)
def test_the_check_bites(row: str, fault: str) -> None:
    found = faults(f"| What | Where | Test |\n| --- | --- | --- |\n{row}\n")
    assert [line.partition(":")[0] for line in found] == ([fault] if fault else [])
