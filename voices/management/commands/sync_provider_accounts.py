from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from voices.accounts import sync_from_settings


class Command(BaseCommand):
    help = "Make the provider accounts match the environment: a real one where its key is set, the sandbox's otherwise."

    def handle(self, *_args: Any, **_options: Any) -> None:
        for account in sync_from_settings():
            addresses = ", ".join(account.endpoints.values())
            self.stdout.write(f"{account.provider}: {account.get_origin_display()}, {addresses}")
