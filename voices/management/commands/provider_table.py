"""`manage.py provider_table`: what every provider can do, as Markdown; with --write into docs/providers.md."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from voices.provider_table import table

BEGIN, END = "<!-- provider_table -->\n", "\n<!-- /provider_table -->"


class Command(BaseCommand):
    help = "Print the table of docs/providers.md, or write it there."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--write", action="store_true", help="put it into docs/providers.md")

    def handle(self, *args: Any, write: bool, **options: Any) -> None:
        if not write:
            self.stdout.write(table())
            return
        path = settings.BASE_DIR / "docs" / "providers.md"
        text = path.read_text(encoding="utf-8")
        before, begun, rest = text.partition(BEGIN)
        _old, ended, after = rest.partition(END)
        if not (begun and ended):
            raise CommandError(
                f"{path.name} has no place for the table; write {BEGIN.strip()} and {END.strip()} into it."
            )
        path.write_text(f"{before}{BEGIN}{table()}{END}{after}", encoding="utf-8")
