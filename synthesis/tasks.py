"""Wake-ups: load nothing, decide nothing, call the service. Queued by dotted name, with ids only."""

from __future__ import annotations

from synthesis import services
from voices import advancing as voices
from voices import reconciling
from voices.durable import beat


def advance_job(pk: str) -> None:
    beat("default")
    services.advance_next(pk)


def sweep() -> None:
    """What the one schedule runs each minute. That it runs is also the proof that the queue works end to end."""
    beat("default")
    voices.sweep()
    services.sweep()
    reconciling.nightly()


def heartbeat() -> None:
    beat("default")
