from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection, transaction

from voices.encryption import rotated
from voices.models import ProviderAccount


class Command(BaseCommand):
    help = "Encrypt every stored credential anew with the first of ENCRYPTION_KEYS; after it the older keys can go."

    def handle(self, *_args: Any, **_options: Any) -> None:
        table = connection.ops.quote_name(ProviderAccount._meta.db_table)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SELECT id, credentials FROM {table}")  # noqa: S608 — the table's own name
            rows = cursor.fetchall()
            for pk, stored in rows:
                cursor.execute(f"UPDATE {table} SET credentials = %s WHERE id = %s", [rotated(stored), pk])  # noqa: S608
        self.stdout.write(f"Encrypted {len(rows)} credentials with the newest key.")
