"""Put a file into storage and leave nothing half-written: a full disk keeps what fitted, and no row would know of it."""

from __future__ import annotations

from typing import Any

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
