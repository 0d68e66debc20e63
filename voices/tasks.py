"""Wake-ups: load nothing, decide nothing, call the service. Queued by dotted name, with ids only."""

from __future__ import annotations

from voices import advancing, polling, reconciling, webhooks


def advance_voice(pk: str) -> None:
    advancing.advance_next(pk)


def poll_account(pk: str) -> None:
    polling.poll_account(int(pk))


def deliver_webhook(pk: str) -> None:
    webhooks.deliver(pk)


def reconcile_account(pk: str) -> None:
    reconciling.by_schedule(int(pk))
