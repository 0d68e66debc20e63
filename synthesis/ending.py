"""The end of a job that came to nothing: its state, why, and what was spoken of it all the same."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from synthesis import pieces
from synthesis.errors import Cancelled
from synthesis.models import JobEvent, SynthesisJob
from voices import failures, ledger
from voices import services as voices
from voices.durable import write_back
from voices.errors import Fault, PortalError
from voices.ledger import Purpose
from voices.providers.errors import ProviderError, VoiceNotFound, VoiceNotUsable

State = SynthesisJob.State


def end(
    job: SynthesisJob, error: Exception, *, spoken_perhaps: bool = False, heard: int = 0, request_id: str = ""
) -> None:
    """Close the books with what went wrong; an error that nobody foresaw is told as a fault of ours. Does nothing to a job that
    the stream has settled already.

    `spoken_perhaps`: what was sent last may be billed though whoever listened died, so all of it is counted. `heard` is what the
    provider has counted of it, and `request_id` its own number, where it has told of them.
    """
    told = error if isinstance(error, ProviderError | PortalError) else Fault()
    state = State.CANCELLED if isinstance(error, Cancelled) else State.FAILED
    event = JobEvent(row=job, kind=state.lower(), detail={"code": told.code})
    columns = failures.kept(told) | {"characters": job.characters + heard}
    if spoken_perhaps:
        columns["characters"] += pieces.sent_last(job)
    if request_id:
        columns["provider_request_id"] = request_id[:120]
    with transaction.atomic():
        if write_back(job, event=event, state=state, intent="", due_at=None, finished_at=timezone.now(), **columns):
            close_books(job)
    if isinstance(error, VoiceNotUsable | VoiceNotFound):
        voices.doubt(job.voice)


def close_books(job: SynthesisJob) -> None:
    """Of a job that came to nothing: what was spoken of it is counted all the same."""
    if job.characters:
        ledger.settle_speech(job.pk, characters=job.characters)
    else:
        ledger.release(job.pk, Purpose.SPEECH)
