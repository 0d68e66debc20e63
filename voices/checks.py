"""What must be true of the settings before the portal may start."""

from __future__ import annotations

import os
from decimal import Decimal, InvalidOperation
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

from voices.queues import Queue

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


def queue_names(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """A cluster of another name would run happily, and nothing would ever come to it (measured, django-q2 1.11.1)."""
    known = {str(queue) for queue in Queue}
    name = os.environ.get("Q_CLUSTER_NAME") or settings.Q_CLUSTER["name"]
    if name in known and {settings.Q_CLUSTER["name"], *settings.Q_CLUSTER["ALT_CLUSTERS"]} == known:
        return []
    return [
        Error(
            f"There is no queue called {name!r}." if name not in known else "Q_CLUSTER does not describe every queue.",
            hint=f"The queues are {', '.join(sorted(known))}. Start a worker with: manage.py work QUEUE",
            id="voices.E002",
        )
    ]


def sample_urls(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """A provider can fetch from a bucket only where there is one, and a recording is no thing to send in the clear."""
    if settings.SAMPLE_URLS == "portal":
        return []
    endpoint = settings.S3_ENDPOINT_URL or "https:"
    if settings.SAMPLE_URLS == "storage" and settings.S3_BUCKET and (endpoint.startswith("https:") or settings.DEBUG):
        return []
    return [
        Error(
            f"SAMPLE_URLS is {settings.SAMPLE_URLS!r}, and no provider could fetch a sample like that.",
            hint="Use portal; or storage, together with S3_BUCKET and an S3_ENDPOINT_URL that begins with https.",
            id="voices.E003",
        )
    ]


def prices(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """They are read when somebody speaks, which is no time to learn of a typing error."""
    found: list[CheckMessage] = []
    for slug, block in settings.PROVIDERS.items():
        asked = block.get("prices", {})
        for price in (asked.get("training_price", "0"), *asked.get("character_prices", {}).values()):
            if not _is_price(price):
                found.append(
                    Error(
                        f"The price {price!r} of {slug} is not an amount of CNY.",
                        hint="Write it as a decimal number that is not negative, such as 0.8; engines as NAME=0.8,OTHER=2.",
                        id="voices.E004",
                    )
                )
    return found


def _is_price(text: str) -> bool:
    try:
        price = Decimal(text)
    except InvalidOperation:
        return False
    return price.is_finite() and price >= 0
