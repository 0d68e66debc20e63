from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand
from django.db import connection, models

from voices.encryption import EncryptedJSONField, rotated


class Command(BaseCommand):
    help = "Encrypt every stored secret anew with the first of ENCRYPTION_KEYS; after it the older keys can go."

    def handle(self, *_args: Any, **_options: Any) -> None:
        done = sum(_rotate(model, field) for model, field in _encrypted())
        self.stdout.write(f"Encrypted {done} secrets with the newest key.")


def _encrypted() -> Iterator[tuple[type[models.Model], EncryptedJSONField]]:
    """Every column of every model that holds secrets, so that none is forgotten when one is added."""
    for model in apps.get_models():
        for field in model._meta.local_concrete_fields:
            if isinstance(field, EncryptedJSONField):
                yield model, field


def _rotate(model: type[models.Model], field: EncryptedJSONField) -> int:
    """How many. A row that is changed meanwhile is encrypted with the newest key already, and left alone."""
    quote, primary = connection.ops.quote_name, model._meta.pk
    assert primary is not None
    table, key, column = (quote(str(name)) for name in (model._meta.db_table, primary.column, field.column))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {key}, {column} FROM {table} WHERE {column} IS NOT NULL")  # noqa: S608 — our own names
        rows = cursor.fetchall()
        for pk, stored in rows:
            cursor.execute(
                f"UPDATE {table} SET {column} = %s WHERE {key} = %s AND {column} = %s",  # noqa: S608 — our own names
                [rotated(stored), pk, stored],
            )
    return len(rows)
