"""How the books of a job are closed, once: what came out of the provider is counted, and the audio kept if it is whole.

The lease decides who closes them: whoever holds it writes, and whoever has lost it writes nothing (`durable.write_back`). Both the
thread that hears a job out (streaming.py) and the relay (relay.py) end here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.files.base import File
from django.db import transaction
from django.utils import timezone

from synthesis import audio, counting
from synthesis.errors import Cancelled, ClientLeft
from synthesis.marks import as_json
from synthesis.models import JobEvent, SynthesisJob
from voices import failures, ledger, plain_sql
from voices.durable import renew, write_back
from voices.errors import Fault, PortalError, StorageUnavailable
from voices.ledger import Purpose
from voices.models import VoiceClone
from voices.providers.base import Audio, Done, Mark, Progress, Started, Usage
from voices.providers.driving import Spoken
from voices.providers.errors import ProviderError
from voices.storing import discard, store

logger = logging.getLogger(__name__)

State = SynthesisJob.State

STORING = timedelta(seconds=90)
"""What one try to store a sound takes at most."""
FORGOTTEN_AFTER = 6 * 3600.0
"""Seconds without a byte after which a spooled file belongs to a process that died."""


@dataclass(slots=True)
class Tally:
    """What has come out of the provider so far."""

    started: float = field(default_factory=time.monotonic)
    first_audio_ms: int | None = None
    audio_bytes: int = 0
    characters: int = 0
    share: float = 0.0
    request_id: str = ""
    marks: list[dict[str, Any]] = field(default_factory=list)
    ended: bool = False

    def take(self, event: Spoken) -> bytes:
        """Count it; the audio in it, if any."""
        match event:
            case Audio(data):
                if data and self.first_audio_ms is None:
                    self.first_audio_ms = round((time.monotonic() - self.started) * 1000)
                self.audio_bytes += len(data)
                return data
            case Started(request_id):
                self.request_id = request_id
            case Mark():
                self.marks.append(as_json(event))
            case Progress(share):
                self.share = share
            case Usage(characters):
                self.characters = characters
            case Done(characters, request_id):
                self.ended = True
                self.request_id = request_id
                if characters is not None:
                    self.characters = characters
        return b""


def settle_whole(job: SynthesisJob, tally: Tally, path: Path, *, waits: Sequence[timedelta] = ()) -> None:
    """All has been said and lies at `path`. Raises UnreadableAudio when that is no audio of its format, StorageUnavailable, and
    whatever a full disk or a lost database raises; the job has then failed."""
    stored: dict[str, Any] = {}
    try:
        facts = audio.finish(path, job.audio_format, sample_rate=job.sample_rate)
        with path.open("rb") as spoken:
            _store(job, path, _Movable(spoken, path), waits=waits)
        stored = {"audio": job.audio.name, "audio_bytes": facts.bytes, "seconds": facts.seconds, "marks": tally.marks}
        characters = tally.characters or job.characters_expected
        _write(job, tally, State.SUCCESS, failures.CLEARED | stored, characters=characters)
    except Exception as error:
        if stored:
            discard(job.audio.storage, stored["audio"])
        told = error if isinstance(error, PortalError) else Fault()
        _write(job, tally, State.FAILED, failures.kept(told), characters=_heard(job, tally, path))
        raise


def _store(job: SynthesisJob, path: Path, spoken: _Movable, *, waits: Sequence[timedelta]) -> None:
    for wait in waits:
        try:
            store(job.audio, path.name, spoken)
        except StorageUnavailable:
            logger.warning("synthesis job %s is spoken and paid; its sound is stored again in %s", job.pk, wait)
            # Not ours any more: whoever has it closes its books.
            if not renew(job, lease=wait + STORING):
                raise
            time.sleep(wait.total_seconds())
        else:
            return
    store(job.audio, path.name, spoken)


class _Movable(File):  # type: ignore[type-arg]
    """A storage on the same disk takes the file itself instead of copying it."""

    def __init__(self, opened: IO[bytes], path: Path) -> None:
        super().__init__(opened)
        self._path = path

    def temporary_file_path(self) -> str:
        return str(self._path)


def settle_broken(job: SynthesisJob, tally: Tally, error: ProviderError | PortalError, *, heard: Path) -> None:
    """It ended early. Only what was spoken until then is counted: the audio of it lies at `heard`."""
    state = State.CANCELLED if isinstance(error, ClientLeft | Cancelled) else State.FAILED
    _write(job, tally, state, failures.kept(error), characters=_heard(job, tally, heard))


def _heard(job: SynthesisJob, tally: Tally, path: Path) -> int:
    """As the provider counted; where it named no number, our own count of what was heard."""
    if tally.characters or not tally.audio_bytes:
        return tally.characters
    return counting.heard_of(
        job.characters_expected,
        share=tally.share,
        path=path,
        audio_format=job.audio_format,
        sample_rate=job.sample_rate,
    )


def _account_for(job: SynthesisJob, tally: Tally, *, characters: int) -> None:
    if not (characters or tally.audio_bytes):
        ledger.release(job.pk, Purpose.SPEECH)
        return
    ledger.settle_speech(job.pk, characters=characters, milliseconds=round((job.seconds or 0) * 1000))
    if job.audio_bytes:
        size, token_id = job.audio_bytes, job.token_id
        ledger.add(ledger.audio(job.pk, owner_id=job.owner_id, voice=job.voice, size=size, token_id=token_id))


def _write(
    job: SynthesisJob, tally: Tally, state: SynthesisJob.State, columns: dict[str, Any], *, characters: int
) -> None:
    if tally.request_id:
        columns = columns | {"provider_request_id": tally.request_id}
    plain_sql.update(VoiceClone, where={"id": job.voice_id}, values={"spoken_at": timezone.now()})
    with transaction.atomic():
        written = write_back(
            job,
            event=JobEvent(row=job, kind=state.lower(), detail={"characters": characters}),
            state=state,
            intent="",
            due_at=None,
            finished_at=timezone.now(),
            characters=characters,
            first_audio_ms=tally.first_audio_ms,
            **columns,
        )
        if written:
            _account_for(job, tally, characters=characters)
    if written:
        return
    logger.warning("synthesis job %s was settled by somebody else", job.pk)
    if "audio" in columns:
        discard(job.audio.storage, columns["audio"])


# --- the spool: audio that is still being spoken ----------------------------------------------------------------------


def spool_file(job: SynthesisJob) -> Path:
    """Where the audio of one job is collected until it is whole."""
    spool = _spool()
    spool.mkdir(exist_ok=True)
    return spool / f"{job.pk}-{job.attempts}.{audio.extension(job.audio_format)}"


def append_to(path: Path, chunks: Sequence[bytes]) -> None:
    with path.open("ab") as file:
        file.writelines(chunks)


def clear_spool() -> None:
    """Remove what processes that died have left of their streams."""
    spool = _spool()
    now = time.time()
    for left in spool.iterdir() if spool.is_dir() else ():
        with suppress(FileNotFoundError):  # its stream has just ended
            if now - left.stat().st_mtime > FORGOTTEN_AFTER:
                left.unlink()


def _spool() -> Path:
    return Path(settings.DATA_DIR) / "spool"
