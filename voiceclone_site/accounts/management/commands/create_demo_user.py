"""`manage.py create_demo_user`: on the very first start, somebody to log in as, and somebody who operates the site."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction

from voiceclone_site.accounts.models import User
from voiceclone_site.accounts.services import settle_address

DEMO = "demo@voiceclone.local"
OPERATOR = "admin@voiceclone.local"


class Command(BaseCommand):
    help = "On the first start, make a demo login and an operator's, and keep both in DATA_DIR/demo_login.txt (0600)."

    def handle(self, **_options: Any) -> None:
        kept = Path(settings.DATA_DIR) / "demo_login.txt"
        if kept.exists() and User.objects.exists():
            return
        lines = []
        # The file is written before the commit: a login that nobody was told of does not come to be.
        with transaction.atomic():
            if password := first_login(DEMO, name="Demo", operator=False):
                lines.append(f"Demo login:      {DEMO}   {password}")
            if password := first_login(OPERATOR, name="Operator", operator=True):
                lines.append(f"Operator login:  {OPERATOR}  {password}")
            if lines:
                write_privately(kept, "\n".join(lines) + "\n")
        if lines:
            self.stdout.write("\n".join(lines))


def first_login(email: str, *, name: str, operator: bool) -> str | None:
    """The new login's password; None when the address is taken: nobody's password is ever changed here."""
    if User.objects.filter(email=email).exists():
        return None
    password = readable_password()
    create = User.objects.create_superuser if operator else User.objects.create_user
    user = create(email, password, display_name=name)
    settle_address(user, verified=True)
    return password


def readable_password() -> str:
    """Five words to be typed by hand, such as `bodi-nalu-kepi-soma-turi`: 64 bits."""
    syllable = [consonant + vowel for consonant in "bdfghjklmnprstvwz" for vowel in "aeiou"]
    return "-".join(secrets.choice(syllable) + secrets.choice(syllable) for _word in range(5))


def write_privately(path: Path, text: str) -> None:
    """Readable by its owner alone from the first byte on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
