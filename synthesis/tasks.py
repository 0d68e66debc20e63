"""Wake-ups: load nothing, decide nothing, call the service. Queued by dotted name, with ids only."""

from __future__ import annotations

from synthesis import advancing
from voices import advancing as voices
from voices import quota_warnings, reconciling, webhooks
from voices.durable import forget_results


def advance_job(pk: str) -> None:
    advancing.advance_next(pk)


def sweep() -> None:
    """What the one schedule runs each minute."""
    voices.sweep()
    advancing.sweep()
    quota_warnings.sweep()
    webhooks.sweep()
    reconciling.nightly()
    forget_results()


def heartbeat() -> None:
    """Nothing: that it comes through is all that is wanted of it."""
