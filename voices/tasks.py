"""Wake-ups: load nothing, decide nothing, call the service. Queued by dotted name, with ids only."""

from __future__ import annotations

from voices import advancing, polling, reconciling
from voices.durable import beat


def advance_voice(pk: str) -> None:
    beat("default")
    advancing.advance_next(pk)


def poll_account(pk: str) -> None:
    beat("default")
    polling.poll_account(int(pk))


def reconcile_account(pk: str) -> None:
    beat("default")
    reconciling.by_schedule(int(pk))
