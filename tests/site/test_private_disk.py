"""Recordings on this machine's disk: written at once, and nothing that is there already is written over."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile

from voiceclone_site.private_disk import PrivateDisk

NAME = "speech/2026/11/27/sound.pcm"


def test_it_makes_the_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    disk = PrivateDisk(location=tmp_path)
    assert disk.save(NAME, ContentFile(b"first")) == NAME
    assert (tmp_path / NAME).read_bytes() == b"first"


def test_it_keeps_what_has_the_name_already(tmp_path: Path) -> None:
    disk = PrivateDisk(location=tmp_path)
    names = [disk.save(NAME, ContentFile(sound)) for sound in (b"first", b"second", b"third")]
    assert [(tmp_path / name).read_bytes() for name in names] == [b"first", b"second", b"third"]


def test_whoever_may_read_it_is_said_by_the_settings(tmp_path: Path) -> None:
    disk = PrivateDisk(location=tmp_path, file_permissions_mode=0o600)
    for sound in (b"in a new folder", b"beside it"):
        name = disk.save(NAME, ContentFile(sound))
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["../outside.pcm", "/etc/outside.pcm"])
def test_it_writes_nothing_outside_of_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(SuspiciousFileOperation):
        PrivateDisk(location=tmp_path / "media").save(name, ContentFile(b"sound"))
    assert not list(tmp_path.rglob("*.pcm"))
