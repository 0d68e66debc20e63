"""`manage.py sandbox`: run the providers' stand-in alone."""

from __future__ import annotations

import asyncio
import os
import signal
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from voiceclone_site.sandbox.options import DEFAULT_PORT, Options
from voiceclone_site.sandbox.server import HOST, PROVIDERS, serve


class Command(BaseCommand):
    help = "Run the sandbox: the providers' wire protocols on one loopback port, with fixed test credentials."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        port = int(os.environ.get("SANDBOX_PORT", DEFAULT_PORT))
        parser.add_argument(
            "--port", type=int, default=port, help="default: $SANDBOX_PORT, else 8100; 0 takes a free one"
        )
        parser.add_argument("--data-dir", type=Path, default=None, help="default: sandbox/ in DATA_DIR")
        parser.add_argument("--train-seconds", type=float, default=4.0, help="how long a voice trains (default 4)")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = Options(
            data_dir=options["data_dir"] or Path(settings.DATA_DIR) / "sandbox",
            port=options["port"],
            train_seconds=options["train_seconds"],
        )
        try:
            asyncio.run(self._serve(chosen))
        except OSError as error:
            raise CommandError(
                f"Cannot listen on {HOST}:{chosen.port} ({error.strerror}). Choose another one with --port."
            ) from error

    async def _serve(self, chosen: Options) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await serve(chosen, started=lambda port: self._announce(port, chosen), stop=stop)
        self.stdout.write("Sandbox stopped.")

    def _announce(self, port: int, chosen: Options) -> None:
        origin = f"http://{HOST}:{port}"
        self.stdout.write(f"Sandbox on {origin} (control: {origin}/_sandbox/health). Ctrl-C stops it.")
        for provider in PROVIDERS:
            self.stdout.write(f"\n{provider.NAME}")
            for line in provider.banner(origin, chosen):
                self.stdout.write(f"  {line}")
        self.stdout.flush()
