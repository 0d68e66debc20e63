"""Put a file into storage and leave nothing half-written, for a full disk keeps what fitted and no row would know of it; read one
as it comes."""

from __future__ import annotations

from typing import IO, Any

from django.core.files.base import File
from django.db.models.fields.files import FieldFile


def store(field_file: FieldFile, filename: str, content: File[Any]) -> None:
    """As `field_file.save(filename, content, save=False)`, but what was stored of it is removed again when that raises."""
    field, storage, row = field_file.field, field_file.storage, field_file.instance
    name = field.generate_filename(row, filename)
    try:
        name = storage.save(name, content, max_length=field.max_length)
    except BaseException:
        storage.delete(name)
        raise
    setattr(row, field.attname, name)


def reading(field_file: FieldFile) -> IO[bytes]:
    """The stored file, to be read once from its beginning: from a bucket as it arrives, where `open` would fetch all of it first.

    Raises FileNotFoundError, and whatever a storage raises that cannot be reached.
    """
    storage, name = field_file.storage, field_file.name or ""
    arriving: IO[bytes] = storage.arriving(name) if hasattr(storage, "arriving") else storage.open(name)
    return arriving
