"""How the books of a job are closed, once: what came out of the provider is counted, and the audio kept if it is whole.

The lease decides who closes them: whoever holds it writes, and whoever has lost it writes nothing (`durable.write_back`). Both the
thread that hears a job out (streaming.py) and the relay (relay.py) end here.
"""

from __future__ import annotations

import io
import logging
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from django.conf import settings
from django.core.files.base import File
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from synthesis import audio, counting
from synthesis.errors import Cancelled, ClientLeft
from synthesis.marks import as_json
from synthesis.models import JobEvent, SynthesisJob
from voices import failures, ledger, logbook, plain_sql
from voices.durable import WriteBack, renew, write_back_together
from voices.errors import Fault, PortalError, StorageUnavailable
from voices.ledger import Purpose
from voices.models import VoiceClone
from voices.plain_driver import writing
from voices.plain_rows import drafted
from voices.providers.base import Audio, Done, Mark, Progress, Started, Usage
from voices.providers.driving import Spoken
from voices.providers.errors import ProviderError, StreamBroken
from voices.storing import discard, store

logger = logging.getLogger(__name__)

State = SynthesisJob.State

DATABASE_IS_AWAY = (OperationalError, InterfaceError)
"""Then the rows cannot say so: their leases run out, and the sweep says it."""
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


@dataclass(frozen=True, slots=True)
class Heard:
    """A job of which all has been said, and where its audio is: in the file at `path`, with `rest` still to come behind it, or all
    of it in `rest`. `waits`: after which times it is stored again while the storage is away."""

    job: SynthesisJob
    tally: Tally
    path: Path | None
    rest: Sequence[bytes] = ()
    waits: Sequence[timedelta] = ()


@dataclass(frozen=True, slots=True)
class _Ending:
    """What a job's row will say."""

    job: SynthesisJob
    tally: Tally
    state: SynthesisJob.State
    columns: Mapping[str, Any]
    characters: int

    @property
    def is_counted(self) -> bool:
        return bool(self.characters or self.tally.audio_bytes)

    def forget_audio(self) -> None:
        """What was stored, unless it is the row's: a commit counts though the connection has died before its answer."""
        name = self.columns.get("audio")
        if not name:
            return
        try:
            is_kept = SynthesisJob.objects.filter(pk=self.job.pk, audio=name).exists()
        except DATABASE_IS_AWAY:
            logger.error(
                "%s may be left in the storage: the database does not say whether job %s has it", name, self.job.pk
            )
            return
        if not is_kept:
            discard(self.job.audio.storage, name)


def check_flow(job: SynthesisJob, tally: Tally) -> None:
    """Raises StreamBroken when more sound has come than the text has time for: a flood would fill the disk."""
    if tally.audio_bytes > counting.most_bytes(job.characters_expected, sample_rate=job.sample_rate):
        raise StreamBroken("the provider sent more sound than the text has time for", provider=job.provider)


def settle_whole(job: SynthesisJob, tally: Tally, path: Path, *, waits: Sequence[timedelta] = ()) -> None:
    """All has been said and lies at `path`. Raises UnreadableAudio when that is no audio of its format, StorageUnavailable, and
    whatever a full disk or a lost database raises; the job has then failed."""
    for error in settle_together([Heard(job, tally, path, waits=waits)]):
        if error is not None:
            raise error


def settle_together(heard: Sequence[Heard]) -> list[Exception | None]:
    """The same of all of these, in one transaction if nothing is amiss with any of them; with what each would raise."""
    errors: dict[uuid.UUID, Exception] = {}
    endings: list[_Ending] = []
    for each in heard:
        try:
            endings.append(_kept(each))
        except Exception as error:
            errors[each.job.pk] = error
    errors |= _written(endings)
    for each in heard:
        why = errors.get(each.job.pk)
        if why is None or isinstance(why, DATABASE_IS_AWAY):
            continue
        try:
            _fail(each, why)
        except Exception as error:
            errors[each.job.pk] = error
    return [errors.get(each.job.pk) for each in heard]


def _written(endings: Sequence[_Ending]) -> dict[uuid.UUID, Exception]:
    """Those that could not be, and why."""
    if len(endings) > 1:
        with suppress(Exception):  # whatever was amiss with one of them is told of that one below
            if _write(endings):
                return {}
    errors: dict[uuid.UUID, Exception] = {}
    away: Exception | None = None
    for ending in endings:
        try:
            if away is not None:
                raise away
            _write_alone(ending)
        except Exception as error:
            away = error if isinstance(error, DATABASE_IS_AWAY) else None
            ending.forget_audio()
            errors[ending.job.pk] = error
    return errors


def _kept(heard: Heard) -> _Ending:
    """Its audio is put right, measured and stored."""
    job, tally, path = heard.job, heard.tally, heard.path
    if path is None:
        sound: IO[bytes] = io.BytesIO(b"".join(heard.rest))
    else:
        append_to(path, heard.rest)
        sound = path.open("r+b")
    with sound:
        facts = audio.finish_opened(cast(BinaryIO, sound), job.audio_format, sample_rate=job.sample_rate)
        sound.flush()
        sound.seek(0)
        name = f"{job.pk}.{audio.extension(job.audio_format)}"
        _store(job, name, File(sound) if path is None else _Movable(sound, path), waits=heard.waits)
    stored = {"audio": job.audio.name, "audio_bytes": facts.bytes, "seconds": facts.seconds, "marks": tally.marks}
    characters = tally.characters or job.characters_expected
    return _Ending(job, tally, State.SUCCESS, failures.CLEARED | stored, characters)


def _fail(heard: Heard, error: Exception) -> None:
    """Its audio could not be kept, or its row not be written: raises when not even that can be written."""
    told = error if isinstance(error, PortalError) else Fault()
    path = heard.path
    with suppress(OSError):  # without a file everything that was sent counts as heard
        if path is None:
            path = spool_file(heard.job)
            append_to(path, heard.rest)
    try:
        settle_broken(heard.job, heard.tally, told, heard=path or Path(), state=State.FAILED)
    finally:
        if heard.path is None and path is not None:
            path.unlink(missing_ok=True)


def _store(job: SynthesisJob, name: str, spoken: File[Any], *, waits: Sequence[timedelta]) -> None:
    for wait in waits:
        try:
            store(job.audio, name, spoken)
        except StorageUnavailable:
            logger.warning("synthesis job %s is spoken and paid; its sound is stored again in %s", job.pk, wait)
            # Not ours any more: whoever has it closes its books.
            if not renew(job, lease=wait + STORING):
                raise
            time.sleep(wait.total_seconds())
        else:
            return
    store(job.audio, name, spoken)


class _Movable(File):  # type: ignore[type-arg]
    """A storage on the same disk takes the file itself instead of copying it."""

    def __init__(self, opened: IO[bytes], path: Path) -> None:
        super().__init__(opened)
        self._path = path

    def temporary_file_path(self) -> str:
        return str(self._path)


def settle_broken(
    job: SynthesisJob,
    tally: Tally,
    error: ProviderError | PortalError,
    *,
    heard: Path,
    state: SynthesisJob.State | None = None,
) -> None:
    """It ended early. Only what was spoken until then is counted: the audio of it lies at `heard`."""
    state = state or (State.CANCELLED if isinstance(error, ClientLeft | Cancelled) else State.FAILED)
    _write_alone(_Ending(job, tally, state, failures.kept(error), _heard(job, tally, heard)))


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


def _write_alone(ending: _Ending) -> None:
    job = ending.job
    request_id = ending.tally.request_id or ending.columns.get("provider_request_id") or job.provider_request_id
    logbook.note(job=job.pk, voice=job.voice_id, provider=job.provider, provider_request_id=request_id)
    if not _write([ending]):
        logger.warning("synthesis job %s was settled by somebody else", ending.job.pk)
        ending.forget_audio()


def _write(endings: Sequence[_Ending]) -> bool:
    """All of these, or none: False when a job is not ours any more. Of several also when somebody else has closed a hold."""
    now = timezone.now()
    found = [
        WriteBack(
            ending.job,
            {
                "state": ending.state,
                "intent": "",
                "due_at": None,
                "finished_at": now,
                "characters": ending.characters,
                "first_audio_ms": ending.tally.first_audio_ms,
                "provider_request_id": ending.job.provider_request_id,
                **ending.columns,
                **({"provider_request_id": ending.tally.request_id} if ending.tally.request_id else {}),
            },
            drafted(JobEvent, row=ending.job, kind=ending.state.lower(), detail={"characters": ending.characters}),
        )
        for ending in endings
    ]
    as_they_were = [dict(vars(ending.job)) for ending in endings]
    try:
        with writing():
            if not write_back_together(found):
                return False
            # In one order and before the meters, as everybody locks them (voices/ledger.py), or two would wait for each other.
            for voice_id in sorted({ending.job.voice_id for ending in endings}):
                plain_sql.update_later(VoiceClone, ({"id": voice_id}, {"spoken_at": now}))
            _account_for(endings)
    except BaseException:
        for ending, was in zip(endings, as_they_were, strict=True):
            vars(ending.job).update(was)
        raise
    return True


def _account_for(endings: Sequence[_Ending]) -> None:
    for ending in endings:
        if not ending.is_counted:
            ledger.release(ending.job.pk, Purpose.SPEECH)
    counted = [ending for ending in endings if ending.is_counted]
    if not counted:
        return
    used = [
        ledger.Used(ending.job.pk, ending.characters, round((ending.job.seconds or 0) * 1000)) for ending in counted
    ]
    kept = [
        ledger.audio(job.pk, owner_id=job.owner_id, voice=job.voice, size=job.audio_bytes, token_id=job.token_id)
        for job in (ending.job for ending in counted)
        if job.audio_bytes
    ]
    ledger.settle_speeches(used, beside=kept)


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
