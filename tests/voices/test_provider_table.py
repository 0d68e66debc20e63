"""docs/providers.md says what the portal goes by."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from voices.providers import registry

DOCUMENT = Path(__file__).resolve().parent.parent.parent / "docs" / "providers.md"


def printed(*arguments: str) -> str:
    out = StringIO()
    call_command("provider_table", *arguments, stdout=out)
    return out.getvalue().strip()


def test_the_document_holds_the_table_as_it_is() -> None:
    assert printed() in DOCUMENT.read_text(encoding="utf-8"), "run: python manage.py provider_table --write"


def test_it_has_a_column_for_each_provider_and_a_word_in_every_cell() -> None:
    head, _line, *rows = printed().splitlines()
    assert head.count("|") == len(registry.slugs()) + 2
    for row in rows:
        assert all(cell.strip() for cell in row.strip("|").split("|")), row


def test_it_writes_the_table_into_the_document(settings: Any, tmp_path: Path) -> None:
    settings.BASE_DIR = tmp_path
    document = tmp_path / "docs" / "providers.md"
    document.parent.mkdir()
    document.write_text("before\n<!-- provider_table -->\nold\n<!-- /provider_table -->\nafter\n")
    printed("--write")
    text = document.read_text()
    assert "old" not in text
    assert (text.startswith("before\n"), text.endswith("after\n"), printed() in text) == (True, True, True)


def test_it_says_where_the_table_would_go(settings: Any, tmp_path: Path) -> None:
    settings.BASE_DIR = tmp_path
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "providers.md").write_text("nothing here")
    with pytest.raises(CommandError, match="no place for the table"):
        printed("--write")
