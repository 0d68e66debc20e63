"""However a job ends, its row says the truth, nothing of it is left lying about, and what has ended stays ended."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone
from django_q.models import OrmQ

from synthesis import advancing as speaking
from synthesis import services, settling, streaming
from synthesis.errors import Cancelled
from synthesis.models import SynthesisJob
from tests.synthesis.test_speaking import STORY, heard, job_of, order, speak, spool_files
from tests.worker import drain, finish
from voiceclone_site.sandbox.remote import Sandbox
from voices import advancing
from voices import services as voices
from voices.models import VoiceClone
from voices.queues import Queue

State = SynthesisJob.State


def no_room_in(folder: str) -> None:
    """As on a disk that is full: nothing can be stored beneath this name any more."""
    root = Path(settings.DATA_DIR if folder == "spool" else settings.MEDIA_ROOT)
    root.mkdir(exist_ok=True)
    (root / folder).write_bytes(b"")


def test_it_says_that_it_is_our_fault_when_the_audio_cannot_be_kept(ready_voice: VoiceClone) -> None:
    no_room_in("speech")
    stream = speak(ready_voice)
    with pytest.raises(OSError, match="speech"):
        heard(stream)
    job = job_of(stream)
    assert (job.state, job.error_code, job.error_action) == (State.FAILED, "internal", "operator")
    assert job.characters == 15
    assert job.provider_request_id
    assert spool_files() == []


def test_it_sends_nothing_when_there_is_no_room_to_listen(ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    no_room_in("spool")
    with pytest.raises(OSError, match="spool"):
        speak(ready_voice)
    job = SynthesisJob.objects.get()
    assert (job.state, job.error_code) == (State.FAILED, "internal")
    assert sandbox.ledger.calls("run-task") == []


def test_it_tries_a_background_job_again_before_it_gives_up(ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    no_room_in("spool")
    job = services.submit(order(ready_voice))
    drain()
    job.refresh_from_db()
    assert (job.state, job.error_code) == (State.QUEUED, "internal")
    finish(job)
    assert (job.state, job.error_code) == (State.FAILED, "internal")
    assert sandbox.ledger.calls("run-task") == []


def test_it_does_not_speak_what_was_cancelled_while_another_try_was_due(
    ready_voice: VoiceClone, sandbox: Sandbox
) -> None:
    sandbox.fail(operation="synthesis", how="error", at="start", code="Throttling.RateQuota", message="limit exceeded")
    job = services.submit(order(ready_voice))
    SynthesisJob.objects.update(state=State.RUNNING)
    services.cancel(SynthesisJob.objects.get(pk=job.pk))
    SynthesisJob.objects.update(state=State.QUEUED)
    finish(job)
    assert (job.state, job.error_code) == (State.CANCELLED, "cancelled")
    assert sandbox.ledger.calls("run-task") == []


def test_it_cancels_a_job_that_went_back_to_wait_meanwhile(ready_voice: VoiceClone) -> None:
    job = services.submit(order(ready_voice))
    seen = SynthesisJob.objects.get(pk=job.pk)
    seen.state = State.RUNNING
    services.cancel(seen)
    job.refresh_from_db()
    assert job.state == State.CANCELLED


def test_it_ends_once_when_it_is_cancelled_before_the_first_sound(
    ready_voice: VoiceClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synthesis.streaming.RENEW_EVERY", -1.0)
    job = services.record(order(ready_voice), mode=SynthesisJob.Mode.STREAM)
    services.cancel(job)
    with pytest.raises(Cancelled):
        streaming.open_speech(job)
    job.refresh_from_db()
    assert job.state == State.CANCELLED
    assert [event.kind for event in job.events.all()] == ["cancelled"]
    assert spool_files() == []


def test_it_does_not_promise_that_a_deleted_voice_will_be_trained(ready_voice: VoiceClone) -> None:
    job = services.submit(order(ready_voice))
    voices.request_delete(ready_voice)
    drain()
    job.refresh_from_db()
    assert (job.state, job.error_code) == (State.FAILED, "voice_not_ready")
    assert "training" not in job.error_sentence


def test_it_keeps_the_row_as_long_as_its_audio_cannot_be_erased(ready_voice: VoiceClone) -> None:
    stream = speak(ready_voice)
    heard(stream)
    job = job_of(stream)
    path = Path(job.audio.path)
    path.unlink()
    (path / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match="not empty"):
        services.delete(job)
    assert SynthesisJob.objects.visible_to(job.owner).get().has_audio


def test_it_clears_away_what_a_killed_process_was_listening_to(ready_voice: VoiceClone) -> None:
    listening = speak(ready_voice, STORY)
    (live,) = spool_files()
    left = live.with_name("0-left.mp3")
    left.write_bytes(b"half")
    long_ago = time.time() - settling.FORGOTTEN_AFTER - 1
    os.utime(left, (long_ago, long_ago))
    settling.clear_spool()
    assert spool_files() == [live]
    listening.close()


def test_it_does_not_fill_the_queue_with_what_is_already_waiting_there(ready_voice: VoiceClone) -> None:
    for number in range(3):
        services.submit(order(ready_voice, f"{number}"))
    VoiceClone.objects.update(due_at=timezone.now())
    waiting = [OrmQ(key=queue, payload="x", lock=timezone.now()) for queue in Queue for _place in range(500)]
    OrmQ.objects.bulk_create(waiting)
    queued = OrmQ.objects.count()
    speaking.sweep()
    advancing.sweep()
    assert OrmQ.objects.count() == queued
