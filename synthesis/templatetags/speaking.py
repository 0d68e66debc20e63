"""What templates ask about speech."""

from __future__ import annotations

from collections.abc import Mapping

from django import template

from synthesis import marks, progress
from synthesis.marks import Timed
from synthesis.models import SynthesisJob

register = template.Library()

State = SynthesisJob.State

TONES: Mapping[str, str] = {State.SUCCESS: "good", State.FAILED: "bad", State.CANCELLED: "still"}


@register.filter
def job_tone(job: SynthesisJob) -> str:
    """good, bad, still, or busy: how a state is coloured."""
    return TONES.get(job.state, "busy")


@register.filter
def progress_of(job: SynthesisJob) -> int | None:
    """Per cent of the text that has been spoken; None where nobody knows."""
    return progress.percent(job)


@register.filter
def mark_of(job: SynthesisJob) -> str:
    return progress.mark(job)


@register.filter
def read_along(job: SynthesisJob) -> list[Timed]:
    return list(marks.line(job.marks))


@register.filter
def counted(job: SynthesisJob) -> int:
    """Characters as the provider counted them; what we expect it to count while it has not spoken."""
    return job.characters_expected if job.in_progress else job.characters
