"""How far a voice has come with its text, where its provider tells: told to whoever waits, and forgotten with the speech."""

from __future__ import annotations

import uuid

from django.core.cache import cache

from synthesis.models import SynthesisJob

KEPT_SECONDS = 120


def note(job: uuid.UUID, share: float) -> None:
    """`share` is 0 to 1."""
    cache.set(f"progress:{job}", share, KEPT_SECONDS)


def of(job: uuid.UUID) -> float | None:
    """None where nothing is known."""
    found: float | None = cache.get(f"progress:{job}")
    return found


def percent(job: SynthesisJob) -> int | None:
    """Of the text that has been spoken; None where nobody knows, and once it has ended."""
    share = of(job.pk) if job.state == SynthesisJob.State.RUNNING else None
    if job.pieces and job.in_progress:
        share = job.progress
    return None if share is None else round(share * 100)


def mark(job: SynthesisJob) -> str:
    """Differs whenever there is something new to show."""
    done = percent(job)
    return job.state if done is None else f"{job.state}.{done}"
