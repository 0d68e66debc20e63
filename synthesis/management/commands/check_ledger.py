from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from synthesis import bookkeeping
from voices import books


class Command(BaseCommand):
    help = "Prove that every meter is the sum of its ledger entries, and that nothing is held for what has ended."

    def handle(self, *_args: Any, **_options: Any) -> None:
        wrong = [*books.discrepancies(), *bookkeeping.discrepancies()]
        for each in wrong:
            self.stdout.write(str(each))
        if wrong:
            raise CommandError(f"{len(wrong)} figures do not agree. Please report them; nothing was changed.")
        self.stdout.write("Meters and ledger agree.")
