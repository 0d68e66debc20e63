"""Wake-ups: load nothing, decide nothing, call the service. Queued by dotted name, with ids only."""

from __future__ import annotations

from voices import advancing, webhooks
from voices.durable import beat


def advance_voice(pk: str) -> None:
    beat("default")
    advancing.advance(pk)


def deliver_webhook(pk: str) -> None:
    beat("default")
    webhooks.deliver(pk)
