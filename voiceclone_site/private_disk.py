"""Files on this machine's disk, where S3_BUCKET is not set."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


_PLAIN = re.compile(r"[a-z]+(/[A-Za-z0-9_-]+)+\.[a-z0-9]+")
"""A name in which there is nothing to put right."""


class PrivateDisk(FileSystemStorage):
    """Django's, which asks the disk four times whether a name is free before it writes. Ours hold random bytes and are: only where
    that turns out wrong, or their folder is not there yet, it asks.
    """

    def generate_filename(self, filename: str | os.PathLike[str]) -> str:
        return (
            filename
            if isinstance(filename, str) and _PLAIN.fullmatch(filename)
            else super().generate_filename(filename)
        )

    def save(self, name: str | None, content: Any, max_length: int | None = None) -> str:
        if not name or not isinstance(content, File) or hasattr(content, "temporary_file_path"):
            return super().save(name, content, max_length)
        path = self.path(name)
        try:
            descriptor = os.open(path, _NEW, 0o666)
        except (FileNotFoundError, FileExistsError):
            return super().save(name, content, max_length)
        with os.fdopen(descriptor, "wb") as file:
            for chunk in content.chunks():
                file.write(chunk)
        if self.file_permissions_mode is not None:
            Path(path).chmod(self.file_permissions_mode)
        return name
