"""Put a file into storage and leave nothing half-written, for a full disk keeps what fitted and no row would know of it; read one
as it comes."""

from __future__ import annotations

import logging
from typing import IO, Any

from django.core.files.base import File
from django.core.files.storage import Storage
from django.db.models.fields.files import FieldFile

from voices.errors import StorageUnavailable

logger = logging.getLogger(__name__)


def store(field_file: FieldFile, filename: str, content: File[Any]) -> None:
    """As `field_file.save(filename, content, save=False)`, but what was stored of it is removed again when that raises.

    A storage may be on the other side of a network, so this has no place inside a transaction. Raises StorageUnavailable.
    """
    field, storage, row = field_file.field, field_file.storage, field_file.instance
    name = field.generate_filename(row, filename)
    try:
        name = storage.save(name, content, max_length=field.max_length)
    except BaseException:
        discard(storage, name)
        raise
    setattr(row, field.attname, name)


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
