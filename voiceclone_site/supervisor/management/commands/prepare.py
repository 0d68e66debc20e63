"""`manage.py prepare`: everything that must be true before the portal starts. Safe to repeat, and quick when it already is."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from voiceclone_site.pages import sandbox_in_use
from voices.models import QueueHeartbeat

# 5 MB that come with the API documentation and that no page of ours shows.
LEFT_OUT = ["redoc"]


class Command(BaseCommand):
    help = (
        "Migrate, gather static files, bring the provider accounts into line, make the first logins. Prints one line of "
        "JSON: data_dir, address, whether the sandbox is in use, and stop_seconds."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--alone", action="store_true", help="No worker is running anywhere; forget their heartbeats."
        )

    def handle(self, *, alone: bool, **_options: Any) -> None:
        call_command("migrate", verbosity=0, interactive=False)
        self.collect_static()
        call_command("sync_provider_accounts", stdout=io.StringIO())
        call_command("create_demo_user", stdout=io.StringIO())
        if alone:
            # /readyz must wait for this start's worker, not believe the last one's.
            QueueHeartbeat.objects.all().delete()
        known = {
            "data_dir": str(settings.DATA_DIR),
            "address": settings.PUBLIC_BASE_URL,
            "sandbox": sandbox_in_use(),
            "stop_seconds": settings.STOP_SECONDS,
        }
        self.stdout.write(json.dumps(known))

    def collect_static(self) -> None:
        """Done only when a file has changed: a start should take seconds."""
        stamp = Path(settings.STATIC_ROOT) / ".collected"
        now = fingerprint()
        if stamp.exists() and stamp.read_text() == now:
            return
        call_command("collectstatic", verbosity=0, interactive=False, clear=True, ignore_patterns=LEFT_OUT)
        stamp.write_text(now)


def fingerprint() -> str:
    """Of every static file that would be collected: where it is, its size, and when it changed."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in sorted(finder.list(ignore_patterns=LEFT_OUT), key=lambda found: str(found[0])):
            path = Path(storage.path(name))
            status = path.stat()
            digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
