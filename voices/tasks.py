"""Wake-ups: load nothing, decide nothing, call the service. Queued by dotted name, with ids only."""

from __future__ import annotations

from voices import services


def advance_voice(pk: str) -> None:
    services.advance(pk)
