"""A voice while it speaks: the first chunk before any header, then chunk by chunk, counted, timed, kept; settled exactly once.

    record ─► open_speech (pulls the first audio, so that a refusal is an honest answer) ─► iterate ─► settle

`SpeechStream` knows neither requests nor responses: a page, the API, a background job and an asynchronous relay all drive it.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.base import File
from django.db import transaction
from django.utils import timezone

from synthesis import audio, counting, marks, progress
from synthesis.errors import Cancelled, ClientLeft, EmptySpeech
from synthesis.models import JobEvent, SynthesisJob
from voices import circuit, failures, leave, ledger
from voices.durable import declare_intent, renew, write_back
from voices.errors import Fault, PortalError
from voices.ledger import Purpose
from voices.models import ProviderAccount, VoiceClone
from voices.providers import ws
from voices.providers.base import Audio, Done, Event, Mark, Progress, SpeechRequest, Started, Usage
from voices.providers.errors import ProviderError, StreamBroken
from voices.storing import store

logger = logging.getLogger(__name__)

State = SynthesisJob.State

# Longer than the longest silence that the driver allows: 10 s to connect and 30 s for a frame, so that a live stream never
# loses it.
LEASE = timedelta(seconds=45)
RENEW_EVERY = 5.0
TELL_EVERY = 0.5
FORGOTTEN_AFTER = 6 * 3600.0
"""Seconds without a byte after which a spooled file belongs to a process that died."""


@dataclass(slots=True)
class Tally:
    """What has come out of the provider so far."""

    started: float = field(default_factory=time.monotonic)
    first_audio_ms: int | None = None
    bytes: int = 0
    characters: int = 0
    share: float = 0.0
    request_id: str = ""
    marks: list[dict[str, Any]] = field(default_factory=list)
    ended: bool = False


class SpeechStream:
    """An iterator of audio chunks over a job whose lease is ours. Close it, whatever happens: that settles the job.

    Iterating raises ProviderError when the provider fails, and PortalError when the job was cancelled meanwhile: the
    transfer must then break, never end as if it were whole.
    """

    def __init__(self, job: SynthesisJob, events: Iterator[Event]) -> None:
        self.job = job
        self.tally = Tally()
        self._events = events
        self._settled = False
        self._renewed = time.monotonic()
        self._told = 0.0
        spool = _spool()
        spool.mkdir(exist_ok=True)
        self._file = tempfile.NamedTemporaryFile(  # noqa: SIM115 — lives as long as the stream; closed in _settle
            dir=spool, prefix=f"{job.pk}-", suffix=f".{audio.extension(job.audio_format)}", delete=False
        )
        self._first: bytes | None = None

    def pull_first(self) -> None:
        """Wait for the first audio. Raises what the provider answers instead; after a ProviderError the job is still its
        caller's to settle."""
        self._first = next(self._chunks())

    def abandon(self) -> None:
        """Let go without settling: nothing was heard, and who opened the stream decides what becomes of the job."""
        self._settled = True
        self._close_events()
        self._let_go()

    def __iter__(self) -> Iterator[bytes]:
        if self._first is not None:
            first, self._first = self._first, None
            yield first
        yield from self._chunks()
        self._settle(State.SUCCESS)

    def close(self, *, because: PortalError | None = None) -> None:
        """Everything has been said, or it ends early: in either case the books are closed after this."""
        if not self._settled:
            error = because or ClientLeft()
            self._settle(State.CANCELLED if isinstance(error, ClientLeft) else State.FAILED, error)

    def _chunks(self) -> Iterator[bytes]:
        try:
            for event in self._events:
                self._keep_lease()
                match event:
                    case Started(request_id):
                        self.tally.request_id = request_id
                    case Audio(data):
                        if data:
                            yield self._take(data)
                    case Mark():
                        self.tally.marks.append(marks.as_json(event))
                    case Progress(share):
                        self.tally.share = share
                        self._tell(share)
                    case Usage(characters):
                        self.tally.characters = characters
                    case Done(characters, request_id):
                        self.tally.ended = True
                        self.tally.request_id = request_id
                        if characters is not None:
                            self.tally.characters = characters
            if not self.tally.ended:
                raise StreamBroken("the provider's frames ended before its last word", provider=self.job.provider)
            if not self.tally.bytes:
                raise EmptySpeech
        except ProviderError as error:
            # Before the first audio it may cost nothing to ask again: that is for who opened the stream to decide.
            if self.tally.bytes:
                self._settle(State.FAILED, error)
            raise
        except PortalError as error:
            self._settle(State.CANCELLED if isinstance(error, Cancelled) else State.FAILED, error)
            raise
        except Exception:
            self._settle(State.FAILED, Fault())
            raise

    def _take(self, data: bytes) -> bytes:
        if self.tally.first_audio_ms is None:
            self.tally.first_audio_ms = round((time.monotonic() - self.tally.started) * 1000)
        self._file.write(data)
        self.tally.bytes += len(data)
        return data

    def _tell(self, share: float) -> None:
        """Whoever waits looks every other second; what comes before the first sound must not delay it."""
        if self.tally.bytes and time.monotonic() - self._told > TELL_EVERY:
            self._told = time.monotonic()
            progress.note(self.job.pk, share)

    def _keep_lease(self) -> None:
        if time.monotonic() - self._renewed <= RENEW_EVERY:
            return
        self._renewed = time.monotonic()
        if not renew(self.job, lease=LEASE):
            raise Cancelled
        if SynthesisJob.objects.filter(pk=self.job.pk, cancel_requested_at__isnull=False).exists():
            raise Cancelled

    def _close_events(self) -> None:
        close: Callable[[], None] | None = getattr(self._events, "close", None)
        if close is not None:
            close()

    def _settle(self, state: SynthesisJob.State, error: ProviderError | PortalError | None = None) -> None:
        """Close the books, exactly once: characters as the provider counted them, the audio only if it is whole.

        Raises UnreadableAudio when what was spoken turns out to be no audio of its format, and whatever a full disk or a lost
        database raises; the job has then failed.
        """
        if self._settled:
            return
        self._settled = True
        self._close_events()
        try:
            if state == State.SUCCESS:
                self._keep()
            else:
                self._write(state, failures.kept(error) if error else failures.CLEARED)
        finally:
            self._let_go()

    def _keep(self) -> None:
        stored: dict[str, Any] = {}
        try:
            self._file.close()
            stored = self._stored(Path(self._file.name))
            self._write(State.SUCCESS, failures.CLEARED | stored)
        except Exception as error:
            if stored:
                self.job.audio.storage.delete(stored["audio"])
            self._write(State.FAILED, failures.kept(error if isinstance(error, PortalError) else Fault()))
            raise

    def _let_go(self) -> None:
        with suppress(OSError):  # on a full disk the last bytes find no room, and they are not wanted any more
            self._file.close()
        Path(self._file.name).unlink(missing_ok=True)

    def _write(self, state: SynthesisJob.State, columns: dict[str, Any]) -> None:
        if self.tally.request_id:
            columns = columns | {"provider_request_id": self.tally.request_id}
        VoiceClone.objects.filter(pk=self.job.voice_id).update(spoken_at=timezone.now())
        characters = self._spoken(whole=state == State.SUCCESS)
        with transaction.atomic():
            written = write_back(
                self.job,
                event=JobEvent(row=self.job, kind=state.lower(), detail={"characters": characters}),
                state=state,
                intent="",
                due_at=None,
                finished_at=timezone.now(),
                characters=characters,
                first_audio_ms=self.tally.first_audio_ms,
                **columns,
            )
            if written:
                self._account_for(characters)
        if written:
            return
        logger.warning("synthesis job %s was settled by somebody else", self.job.pk)
        if "audio" in columns:
            self.job.audio.storage.delete(columns["audio"])

    def _spoken(self, *, whole: bool) -> int:
        """As the provider counted; where it named no number, our own count of what was heard."""
        job, tally = self.job, self.tally
        if tally.characters or not tally.bytes:
            return tally.characters
        if whole:
            return job.characters_expected
        with suppress(OSError):
            self._file.flush()
        return counting.heard_of(
            job.characters_expected,
            share=tally.share,
            path=Path(self._file.name),
            audio_format=job.audio_format,
            sample_rate=job.sample_rate,
        )

    def _account_for(self, characters: int) -> None:
        job = self.job
        if not (characters or self.tally.bytes):
            ledger.release(job.pk, Purpose.SPEECH)
            return
        ledger.settle_speech(job.pk, characters=characters, milliseconds=round((job.seconds or 0) * 1000))
        if job.audio_bytes:
            kept = ledger.audio(
                job.pk, owner_id=job.owner_id, voice=job.voice, size=job.audio_bytes, token_id=job.token_id
            )
            ledger.add(kept)

    def _stored(self, path: Path) -> dict[str, Any]:
        facts = audio.finish(path, self.job.audio_format, sample_rate=self.job.sample_rate)
        with path.open("rb") as spoken:
            store(self.job.audio, path.name, File(spoken))
        return {
            "audio": self.job.audio.name,
            "audio_bytes": facts.bytes,
            "seconds": facts.seconds,
            "marks": self.tally.marks,
        }


def open_speech(job: SynthesisJob) -> SpeechStream:
    """Send the job's text to its provider and wait for the first audio. The intent is committed before anything leaves.

    Raises ProviderError or PortalError when nothing was heard; after a ProviderError the job is still the caller's to settle.
    """
    account = job.voice.account
    speech = account.client().speech
    if speech is None:
        raise Cancelled
    request = SpeechRequest(
        remote_id=job.voice.remote_id,
        model=job.model,
        text=job.text,
        audio_format=job.audio_format,
        sample_rate=job.sample_rate,
        options=job.options,
        language=job.voice.language,
    )
    stream = SpeechStream(job, _watched(account, ws.speak(speech, request)))
    try:
        if not declare_intent(job, "synthesize", lease=LEASE):
            raise Cancelled
        stream.pull_first()
    except BaseException:
        stream.abandon()
        raise
    return stream


def _watched(account: ProviderAccount, events: Iterator[Event]) -> Iterator[Event]:
    """The same events; what they teach about the account is noted, at the first sound already: a story takes minutes."""
    with leave.watched(account, "synthesis"):
        for event in events:
            if isinstance(event, Audio):
                circuit.answered(account)
            yield event


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
