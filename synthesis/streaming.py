"""A voice while it speaks, heard in a thread: counted, timed, kept; settled exactly once. For background jobs and the command line.

    record ─► open_speech (pulls the first audio, so that a refusal is an honest answer) ─► iterate ─► settle

What is streamed to somebody goes through the relay instead (relay.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta

from synthesis import progress
from synthesis.errors import Cancelled, ClientLeft, EmptySpeech
from synthesis.models import SynthesisJob
from synthesis.settling import Tally, check_flow, settle_broken, settle_whole, spool_file
from voices import circuit, leave
from voices.durable import declare_intent, renew
from voices.errors import Fault, NotSupported, PortalError
from voices.models import ProviderAccount
from voices.providers import ws
from voices.providers.base import Audio, Progress, SpeechRequest
from voices.providers.driving import Spoken
from voices.providers.errors import ProviderError, StreamBroken

# Longer than the longest silence that the driver allows: 10 s to connect and 30 s for a frame, so that a live stream never
# loses it.
LEASE = timedelta(seconds=45)
RENEW_EVERY = 5.0
TELL_EVERY = 0.5
STORED_AGAIN_AFTER = tuple(timedelta(seconds=seconds) for seconds in (2, 5, 10, 20))
"""While the storage is away: nobody listens here, and what has been spoken is paid."""
INTENT = "synthesize"


class SpeechStream:
    """An iterator of audio chunks over a job whose lease is ours. Close it, whatever happens: that settles the job.

    Iterating raises ProviderError when the provider fails, and PortalError when the job was cancelled meanwhile: the
    transfer must then break, never end as if it were whole.
    """

    def __init__(self, job: SynthesisJob, events: Iterator[Spoken]) -> None:
        self.job = job
        self.tally = Tally()
        self._events = events
        self._settled = False
        self._renewed = time.monotonic()
        self._told = 0.0
        self._path = spool_file(job)
        self._file = self._path.open("wb")
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
        self._settle(None)

    def close(self, *, because: PortalError | None = None) -> None:
        """Everything has been said, or it ends early: in either case the books are closed after this."""
        if not self._settled:
            self._settle(because or ClientLeft())

    def _chunks(self) -> Iterator[bytes]:
        try:
            for event in self._events:
                self._keep_lease()
                if isinstance(event, Progress):
                    self._tell(event.share)
                data = self.tally.take(event)
                check_flow(self.job, self.tally)
                if data:
                    self._file.write(data)
                    yield data
            if not self.tally.ended:
                raise StreamBroken("the provider's frames ended before its last word", provider=self.job.provider)
            if not self.tally.audio_bytes:
                raise EmptySpeech
        except ProviderError as error:
            # Before the first audio it may cost nothing to ask again: that is for who opened the stream to decide.
            if self.tally.audio_bytes:
                self._settle(error)
            raise
        except PortalError as error:
            self._settle(error)
            raise
        except Exception:
            self._settle(Fault())
            raise

    def _tell(self, share: float) -> None:
        """Whoever waits looks every other second; what comes before the first sound must not delay it."""
        if self.tally.audio_bytes and time.monotonic() - self._told > TELL_EVERY:
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

    def _settle(self, error: ProviderError | PortalError | None) -> None:
        """Close the books, exactly once. Raises as `settle_whole` does."""
        if self._settled:
            return
        self._settled = True
        self._close_events()
        try:
            with suppress(OSError):
                self._file.flush()
            if error is None:
                self._file.close()
                settle_whole(self.job, self.tally, self._path, waits=STORED_AGAIN_AFTER)
            else:
                settle_broken(self.job, self.tally, error, heard=self._path)
        finally:
            self._let_go()

    def _let_go(self) -> None:
        with suppress(OSError):  # on a full disk the last bytes find no room, and they are not wanted any more
            self._file.close()
        self._path.unlink(missing_ok=True)


def open_speech(job: SynthesisJob) -> SpeechStream:
    """Send the job's text to its provider and wait for the first audio. The intent is committed before anything leaves.

    Raises ProviderError or PortalError when nothing was heard; after a ProviderError the job is still the caller's to settle.
    """
    account = job.voice.account
    speech = account.client().speech
    if speech is None:
        raise NotSupported(account.traits.speech_note)
    stream = SpeechStream(job, watched(account, ws.speak(speech, request_of(job))))
    try:
        if not declare_intent(job, INTENT, lease=LEASE):
            raise Cancelled
        stream.pull_first()
    except BaseException:
        stream.abandon()
        raise
    return stream


def watched(account: ProviderAccount, events: Iterator[Spoken]) -> Iterator[Spoken]:
    """The same events; what they teach about the account is noted, at the first sound already: a story takes minutes."""
    with leave.watched(account, "synthesis"):
        for event in events:
            if isinstance(event, Audio):
                circuit.answered(account)
            yield event


def request_of(job: SynthesisJob) -> SpeechRequest:
    return SpeechRequest(
        remote_id=job.voice.remote_id,
        model=job.model,
        text=job.text,
        audio_format=job.audio_format,
        sample_rate=job.sample_rate,
        options=job.options,
        language=job.voice.language,
    )
