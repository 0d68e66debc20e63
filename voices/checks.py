"""What must be true of the settings before the portal may start."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

SHORTEST, LONGEST = 900, 604800


def sample_url_seconds(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """A provider may be slow to fetch, so not under 15 minutes; and no signed URL of a voice outlives a week."""
    seconds = settings.SAMPLE_URL_SECONDS
    if SHORTEST <= seconds <= LONGEST:
        return []
    return [
        Error(
            f"SAMPLE_URL_SECONDS is {seconds}: the address of a sample must live {SHORTEST} to {LONGEST} seconds.",
            hint="Set SAMPLE_URL_SECONDS to a number in that range, or remove it for two hours.",
            id="voices.E001",
        )
    ]
