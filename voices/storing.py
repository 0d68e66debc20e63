"""Put a file into storage and leave nothing half-written, for a full disk keeps what fitted and no row would know of it; read one
as it comes."""

from __future__ import annotations

import logging
import os
import re
from typing import IO, Any, cast

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, Storage
from django.db.models.fields.files import FieldFile

from voices.errors import StorageUnavailable

logger = logging.getLogger(__name__)


def store(field_file: FieldFile, filename: str, content: File[Any]) -> None:
    """As `field_file.save(filename, content, save=False)`, but what was stored of it is removed again when that raises.

    A storage may be on the other side of a network, so this has no place inside a transaction. Raises StorageUnavailable.
    """
    field, storage, row = cast(Any, field_file.field), cast(Any, field_file.storage), field_file.instance
    name: str = field.upload_to(row, filename)
    is_plain = storage.__class__ is FileSystemStorage and _PLAIN_NAME.fullmatch(name) and len(name) <= field.max_length
    if not is_plain:
        name = field.generate_filename(row, filename)
    try:
        if not (is_plain and _written(storage, name, content)):
            name = storage.save(name, content, max_length=field.max_length)
    except BaseException:
        discard(storage, name)
        raise
    setattr(row, field.attname, name)


_PLAIN_NAME = re.compile(r"[a-z]+/[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*\.[a-z0-9]+")
"""Of our own making, so that nothing in it has to be looked at: Django's storage looks three times as long as it writes."""


def _written(disk: FileSystemStorage, name: str, content: File[Any]) -> bool:
    """As `disk.save` writes a new file. False, and nothing is written, where that has to do it: the file can be moved there, its
    folder is still to be made, or its name is taken."""
    if hasattr(content, "temporary_file_path"):
        return False
    try:
        opened = os.open(f"{disk.location}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except (FileNotFoundError, FileExistsError):
        return False
    with os.fdopen(opened, "wb", buffering=0) as file:
        if disk.file_permissions_mode is not None:
            os.fchmod(opened, disk.file_permissions_mode)
        for chunk in content.chunks():
            left = memoryview(chunk)
            while left:
                left = left[file.write(left) :]
    return True


def discard(storage: Storage, name: str) -> None:
    """Delete what no row knows of. A storage that is away does not hide why it is to be deleted: the log says what is left."""
    try:
        storage.delete(name)
    except StorageUnavailable:
        logger.error("%s may be left in the storage, and no row knows of it; delete it there", name)


def reading(field_file: FieldFile) -> IO[bytes]:
    """The stored file, to be read once from its beginning: of a bucket one question less than with `open`, which asks for its size.

    Raises FileNotFoundError, and StorageUnavailable, as reading it does.
    """
    storage, name = field_file.storage, field_file.name or ""
    arriving: IO[bytes] = storage.arriving(name) if hasattr(storage, "arriving") else storage.open(name)
    return arriving
