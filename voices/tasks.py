"""Wake-ups: load nothing, decide nothing, call the service. Queued by dotted name, with ids only."""

from __future__ import annotations

from voices import advancing


def advance_voice(pk: str) -> None:
    advancing.advance(pk)
