"""The sandbox as a Django app: it brings one command and no models."""

from __future__ import annotations

from django.apps import AppConfig


class SandboxConfig(AppConfig):
    name = "voiceclone_site.sandbox"
    label = "sandbox"
    verbose_name = "Sandbox"
