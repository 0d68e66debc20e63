"""What the worker does with a job that is due: one step of it at a time, whoever wakes it and however often."""

from __future__ import annotations

import logging
import uuid
from collections import deque
from datetime import timedelta

from django.utils import timezone

from synthesis import pieces, streaming
from synthesis.ending import end
from synthesis.errors import Cancelled, Interrupted
from synthesis.models import JobEvent, JobQuerySet, SpeechPiece, SynthesisJob
from synthesis.pieces import PieceBroken
from synthesis.streaming import LEASE
from voices import circuit, failures, fairness, leave, logbook
from voices.durable import back_off, claim, room_in_queue, wake, write_back
from voices.errors import AccountPaused, Busy, CircuitOpen, Fault, PortalError, StorageUnavailable, VoiceNotReady
from voices.models import ProviderAccount, VoiceClone
from voices.providers.errors import ProviderError, VoiceNotUsable
from voices.queues import Queue

logger = logging.getLogger(__name__)

State, Mode = SynthesisJob.State, SynthesisJob.Mode

ADVANCE = "synthesis.tasks.advance_job"
TASK_SECONDS = 1800
BACKGROUND_ATTEMPTS = 5


def advance(pk: uuid.UUID | str) -> None:
    """Speak one waiting job to its end, or close the books of one whose process died."""
    job = claim(SynthesisJob, pk, lease=LEASE)
    if job is None:
        return
    logbook.begin(job=job.pk, voice=job.voice_id, user=job.owner_id, provider=job.provider)
    try:
        _step(job)
    except StorageUnavailable as error:
        _wait_for_the_storage(job, error)
    except Exception as error:
        logger.exception("synthesis job %s met what nobody foresaw", job.pk)
        if job.intent or job.attempts >= BACKGROUND_ATTEMPTS:
            end(job, error, spoken_perhaps=bool(job.intent))
        else:
            _try_again(job, Fault())


def _wait_for_the_storage(job: SynthesisJob, error: StorageUnavailable) -> None:
    """What was spoken is kept in pieces, and cannot be read or joined now. However long that takes: no attempt is counted."""
    if job.intent:
        end(job, error, spoken_perhaps=True)
        return
    due_at = timezone.now() + timedelta(seconds=error.retry_after)
    write_back(job, attempts=max(job.attempts - 1, 0), due_at=due_at, **failures.kept(error))


def advance_next(pk: uuid.UUID | str) -> None:
    """What a wake-up does: it speaks the job whose turn it is, which need not be the one that it was queued for.

    What is no waiting job (its process died, it was cancelled) is dealt with as it is. A job that has been spoken wakes the next.
    """
    waiting = waiting_jobs()
    turn = None
    if not SynthesisJob.objects.due().filter(pk=pk).exclude(pk__in=waiting.filter(pk=pk)).exists():
        turn = fairness.next_turn(waiting, everybody=SynthesisJob.objects.all())
    advance(turn or pk)
    if turn is not None and waiting.exists():
        wake(ADVANCE, turn, queue=Queue.SLOW, timeout=TASK_SECONDS)


def sweep() -> None:
    """Find what is due and wake it: the safety net under every lost wake-up. Jobs whose account is shut wait, and say why."""
    waiting = waiting_jobs()
    left_behind = SynthesisJob.objects.due().exclude(state=State.QUEUED, mode=Mode.BACKGROUND)
    room = room_in_queue(Queue.SLOW)
    for pk in [*left_behind.values_list("pk", flat=True)[:room], *fairness.in_turn(waiting)[:room]][:room]:
        wake(ADVANCE, pk, queue=Queue.SLOW, timeout=TASK_SECONDS)
    pieces.forget_old()
    circuit.tell_who_waits(SynthesisJob.objects.due().filter(state=State.QUEUED), account="voice__account")


def _step(job: SynthesisJob) -> None:
    if not job.in_progress:
        write_back(job, due_at=None)  # what has ended is never spoken again, whoever made it due
    elif job.cancel_requested_at:
        end(job, Cancelled(), spoken_perhaps=bool(job.intent))
    elif job.intent or job.mode == Mode.STREAM:
        end(job, Interrupted(), spoken_perhaps=bool(job.intent))
    elif not job.voice.is_ready:
        end(job, not_ready(job.voice))
    elif not job.pieces:
        _speak_in_background(job)
    elif (piece := pieces.next_piece(job)) is not None:
        _speak_piece(job, piece)
    else:
        pieces.join(job)


def _speak_piece(job: SynthesisJob, piece: SpeechPiece) -> None:
    """One piece; then the job waits for its next turn behind whoever else is due."""
    if not _begun(job):
        return
    try:
        pieces.speak(job, piece)
    except PieceBroken as broken:
        end(job, broken.error, heard=broken.characters, request_id=broken.request_id)
    except (ProviderError, PortalError) as error:
        _after_refusal(job, error)
    else:
        wake(ADVANCE, job.pk, queue=Queue.SLOW, timeout=TASK_SECONDS)


def _begun(job: SynthesisJob) -> bool:
    """Take a slot of the account's rate and show that the job is being spoken; False: not now, or no more."""
    try:
        leave.ask(job.voice.account, "synthesis", in_background=True)
    except Busy as busy:
        told = failures.kept(busy) if isinstance(busy, AccountPaused | CircuitOpen) else {}
        due_at = timezone.now() + timedelta(seconds=busy.retry_after)
        write_back(job, attempts=max(job.attempts - 1, 0), due_at=due_at, **told)
        return False
    event = JobEvent(row=job, kind="started" if job.started_at is None else "going_on")
    running = {"state": State.RUNNING, "started_at": job.started_at or timezone.now(), **failures.CLEARED}
    return write_back(job, release=False, event=event, **running)


def _speak_in_background(job: SynthesisJob) -> None:
    if not _begun(job):
        return
    try:
        stream = streaming.open_speech(job)
    except (ProviderError, PortalError) as error:
        _after_refusal(job, error)
        return
    try:
        deque(stream, maxlen=0)
    except (ProviderError, PortalError) as error:
        logger.info("synthesis job %s ended early: %s", job.pk, error)
    finally:
        stream.close(because=Interrupted())


def _after_refusal(job: SynthesisJob, error: ProviderError | PortalError) -> None:
    """Nothing was heard. Where waiting can help, the job goes back to the queue."""
    if isinstance(error, ProviderError) and error.retryable and job.attempts < BACKGROUND_ATTEMPTS:
        _try_again(job, error)
    else:
        end(job, error)


def _try_again(job: SynthesisJob, error: ProviderError | PortalError) -> None:
    asked = error.retry_after if isinstance(error, ProviderError) else None
    due_at = timezone.now() + max(back_off(job.attempts), timedelta(seconds=asked or 0))
    event = JobEvent(row=job, kind="trying_again", detail={"code": error.code})
    write_back(job, event=event, state=State.QUEUED, intent="", due_at=due_at, **failures.kept(error))


def waiting_jobs() -> JobQuerySet:
    """Jobs in the background that could be spoken now."""
    due = SynthesisJob.objects.due().filter(state=State.QUEUED, mode=Mode.BACKGROUND, cancel_requested_at=None)
    return due.exclude(voice__account__in=ProviderAccount.objects.filter(circuit.shut()))


def not_ready(voice: VoiceClone) -> VoiceNotReady:
    """Waiting helps a voice that is on its way, and no other."""
    on_its_way = voice.in_progress and voice.state != VoiceClone.State.DELETING
    return VoiceNotReady() if on_its_way else VoiceNotReady(VoiceNotUsable.default_sentence)
