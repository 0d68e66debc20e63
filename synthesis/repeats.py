"""A request for what a voice has said already, answered with the audio that was kept: nothing is sent, held or billed.

    key_of (with every job's row, where its voice answers repeats) ─► kept ─► answer: a row of its own, ended as it begins

There is no store beside the rows. A job can be repeated while it is whole and its audio is there, and by its own owner alone.
"""

from __future__ import annotations

import hashlib
import json
import logging
import uuid
from typing import IO

from django.db import transaction
from django.utils import timezone

from synthesis.models import JobEvent, JobQuerySet, SynthesisJob
from voices import plain_sql
from voices.errors import StorageUnavailable
from voices.storing import reading

logger = logging.getLogger(__name__)

State = SynthesisJob.State

SILENT = "the storage does not say what has become of the audio of synthesis job %s"
HEADER = {"X-Voice-Repeat": "hit"}
"""Of an answer that is a repeat."""


def key_of(job: SynthesisJob) -> uuid.UUID | None:
    """The same for two jobs that would be told to their provider in the same words; None where the voice answers no repeats.

    A voice that has been trained again, or whose switch has been off, begins anew.
    """
    voice = job.voice
    if voice.repeats_since is None:
        return None
    said = [
        job.owner_id,
        *[str(voice.pk), voice.account_id, job.provider, job.model, voice.remote_id, voice.language],
        *[_moment(voice.ready_at), _moment(voice.repeats_since)],
        *[job.text, job.audio_format, job.sample_rate, job.pieces, job.options],
    ]
    return uuid.UUID(bytes=hashlib.sha256(json.dumps(said, sort_keys=True).encode()).digest()[:16])


def _moment(at: object) -> str:
    return "" if at is None else str(at)


def kept(wanted: SynthesisJob) -> SynthesisJob | None:
    """The newest job that `wanted`, which is in no table yet, would repeat; None also where its voice answers no repeats."""
    key = key_of(wanted)
    if key is None:
        return None
    return next(iter(_kept(wanted.owner_id, plain_sql.value_of(key))), None)


def opened(job: SynthesisJob) -> IO[bytes] | None:
    """Its audio, to be heard even if it is deleted meanwhile; None where it is gone, and where the storage does not answer, for it
    can be spoken all the same. The storage may be another machine: not for a transaction or an event loop."""
    try:
        return reading(job.audio)
    except FileNotFoundError:
        logger.info("the audio of synthesis job %s is gone", job.pk)
    except (StorageUnavailable, OSError):
        logger.exception(SILENT, job.pk)
    return None


def is_stored(job: SynthesisJob) -> bool:
    """Whether its audio is still there, as `opened`."""
    try:
        return job.audio.storage.exists(job.audio.name or "")
    except (StorageUnavailable, OSError):
        logger.exception(SILENT, job.pk)
        return False


def answer(wanted: SynthesisJob, source: SynthesisJob) -> bool:
    """Write `wanted` as a repeat of `source`. False, and nothing is written, when that has been deleted meanwhile."""
    now = timezone.now()
    with transaction.atomic():
        # Whoever deletes it waits for this row, and then takes its audio away too.
        if not _held(wanted.owner_id, plain_sql.value_of(source.pk)):
            return False
        wanted.state, wanted.due_at = State.SUCCESS, None
        wanted.started_at = wanted.finished_at = now
        wanted.repeat_of = source
        wanted.audio, wanted.audio_bytes = source.audio.name, source.audio_bytes
        wanted.seconds, wanted.marks = source.seconds, source.marks
        plain_sql.insert(wanted)
        event = JobEvent(row=wanted, kind="repeated", to_state=State.SUCCESS, detail={"of": str(source.pk)})
        plain_sql.insert(event)
        event.announce()
    return True


def forget(job: SynthesisJob) -> None:
    """The audio of a job is gone, and with it that of its repeats: for the transaction that says so of the job."""
    SynthesisJob.objects.filter(repeat_of=job.pk).update(audio="")


def _whole(owner_id: int) -> JobQuerySet:
    """Of a job that is being deleted the key goes first."""
    whole = SynthesisJob.objects.visible_to(owner_id).filter(state=State.SUCCESS, repeat_key__isnull=False)
    return whole.filter(repeat_of=None).exclude(audio="")


_held: plain_sql.Lookup[SynthesisJob] = plain_sql.Lookup(
    lambda owner, pk: _whole(owner).select_for_update(no_key=True).filter(pk=pk), (-1, uuid.UUID(int=1))
)
_kept: plain_sql.Lookup[SynthesisJob] = plain_sql.Lookup(
    lambda owner, key: _whole(owner).filter(repeat_key=key)[:1], (-1, uuid.UUID(int=1))
)
