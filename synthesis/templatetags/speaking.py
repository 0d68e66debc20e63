"""What templates ask about speech."""

from __future__ import annotations

from collections.abc import Mapping

from django import template

from synthesis.models import SynthesisJob

register = template.Library()

State = SynthesisJob.State

TONES: Mapping[str, str] = {State.SUCCESS: "good", State.FAILED: "bad", State.CANCELLED: "still"}


@register.filter
def job_tone(job: SynthesisJob) -> str:
    """good, bad, still, or busy: how a state is coloured."""
    return TONES.get(job.state, "busy")


@register.filter
def counted(job: SynthesisJob) -> int:
    """Characters as the provider counted them; what we expect it to count while it has not spoken."""
    return job.characters_expected if job.in_progress else job.characters
