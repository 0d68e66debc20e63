"""Proof that a job under way has its hold open, and that one that has ended has not."""

from __future__ import annotations

from synthesis.models import SynthesisJob
from voices.books import Discrepancy
from voices.models import LedgerEntry

SPEECH = LedgerEntry.Purpose.SPEECH


def discrepancies() -> list[Discrepancy]:
    """`counted` is 1 for a job under way, `booked` 1 for an open hold. Empty when all is well."""
    held = set(
        LedgerEntry.objects.filter(purpose=SPEECH, kind="hold", closing__isnull=True).values_list("row", flat=True)
    )
    running = set(
        SynthesisJob.objects.filter(state__in=SynthesisJob.IN_PROGRESS).order_by().values_list("pk", flat=True)
    )
    return [Discrepancy(f"job:{pk}:speech:", int(pk in running), int(pk in held)) for pk in sorted(held ^ running)]
