from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from voiceclone_site.secrets_on_disk import kept_secret


def test_it_gives_all_who_start_at_once_the_same_secret(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "a_key"
    with ThreadPoolExecutor(16) as pool:
        given = set(pool.map(lambda _number: kept_secret(path), range(64)))
    assert len(given) == 1
    assert given == {path.read_text().strip()}


def test_it_leaves_nothing_else_behind_and_lets_nobody_else_read(tmp_path: Path) -> None:
    kept_secret(tmp_path / "keys" / "a_key")
    assert [file.name for file in (tmp_path / "keys").iterdir()] == ["a_key"]
    assert stat.S_IMODE((tmp_path / "keys" / "a_key").stat().st_mode) == 0o600


def test_it_never_replaces_a_secret_that_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a_key"
    path.write_text("already-here\n")
    assert kept_secret(path, make=lambda: "another") == "already-here"
