"""Speech on an event loop: hundreds of voices that speak at once, each to one listener, in one process.

    begin (a thread: hold, row, intent) ─► open (first audio) ─► chunks ─► settled (a thread) ─► end of the transfer

Every job that is begun here is settled exactly once: when all has been said, when it breaks, when its listener leaves, when the
process is told to stop. What a killed process leaves is found by its lease (docs/decisions/0003).
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO

from django.core.files.storage import FileSystemStorage, default_storage
from django.db import transaction
from django.utils import timezone

from synthesis.errors import Cancelled, ClientLeft, EmptySpeech, Interrupted
from synthesis.in_turn import Passage, speak_in_turn
from synthesis.models import SynthesisJob
from synthesis.replay import Replay
from synthesis.settling import Heard, Tally, append_to, check_flow, settle_broken, settle_together, spool_file
from synthesis.streaming import LEASE, RENEW_EVERY, request_of
from synthesis.warming import spoken_through_lately
from voices import circuit, leave
from voices.errors import Busy, Fault, PortalError
from voices.models import ProviderAccount
from voices.providers import aio
from voices.providers.base import Mark, Speech
from voices.providers.driving import Said
from voices.providers.errors import ProviderError, StreamBroken
from voices.providers.warm import Pool
from voices.threads import DatabaseThreads, Together, check_connection, on_a_living_connection

logger = logging.getLogger(__name__)

TOGETHER = 32
"""Jobs that are settled in one transaction at most: none of them waits for the audio of more than these to be stored."""
FEW, GATHER, MOST_GATHER = 64, 0.0004, 0.03
"""A settlement waits for others GATHER seconds for each that speaks beyond a FEW, and at most so long. It spares a fifth of the
CPU; but who ends together asks again together, and is let in one behind the other: 13 ms instead of 8 to the first sound of 64."""
IN_MEMORY = 256 * 1024
"""Bytes of one stream's audio that are kept in memory before they are written to the spool."""
PATIENCE_BETWEEN_PIECES = 20.0
"""Seconds that a long text waits for its turn at the provider, in silence, before it breaks off."""

Piece = tuple[bytes, Sequence[Mark]]
Refuse = Callable[[SynthesisJob, ProviderError | PortalError], None]
"""Closes the books of a job of which nothing was heard."""


class Relay:
    """What the voices of one event loop share: connections to providers, threads, and who keeps their leases."""

    def __init__(self, *, refuse: Refuse, prepare_thread: Callable[[], None] | None = None, threads: int = 2) -> None:
        self.refuse = refuse
        self.pool: Pool[aio.Connection] = Pool()
        self.opening = DatabaseThreads(threads, name="speech-opening", prepare=prepare_thread)
        self.settling = DatabaseThreads(threads, name="speech-settling", prepare=prepare_thread)
        # A storage that hangs keeps those waiting who ask for what it holds, and nobody else.
        self.reading = DatabaseThreads(threads, name="speech-reading", prepare=prepare_thread)
        # A bucket keeps a group waiting; a disk hardly does, and groups should be large.
        at_once = 1 if isinstance(default_storage, FileSystemStorage) else threads
        self._whole = Together(
            self.settling, _close_whole, most=TOGETHER, at_once=at_once, gather=self._while_others_end
        )
        self.speaking: dict[uuid.UUID, Voice | Replay] = {}
        self._settlements: set[asyncio.Future[None]] = set()
        # Spoken to their end: a slow storage must not cost them their leases.
        self._ending: dict[uuid.UUID, SynthesisJob] = {}
        self._keeper: asyncio.Task[None] | None = None
        self._warming: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Waits for nothing: neither a database nor a provider that is away keeps it from starting."""
        self.pool.look_after()
        self._keeper = asyncio.get_running_loop().create_task(self._keep_leases())
        self._warming = asyncio.get_running_loop().create_task(self._warm())

    async def _warm(self) -> None:
        try:
            expected = await self.opening.run(partial(on_a_living_connection, spoken_through_lately))
        except Exception:
            logger.exception("no connection could be opened ahead")
            return
        for speech, where in expected:
            self.pool.expect(where, partial(aio.open_connection, speech, where))

    async def stop(self) -> None:
        """Nobody speaks any more: wait until everything is in the books."""
        for voice in list(self.speaking.values()):
            voice.stop(Interrupted())
        while self._settlements or self.speaking:
            await asyncio.sleep(0.02)
        for task in filter(None, (self._keeper, self._warming)):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self.pool.close()
        self.opening.close()
        self.settling.close()
        self.reading.close()

    async def open(
        self, job: SynthesisJob, speech: Speech, *, wait: float = 0.0, pieces: Sequence[Passage] = ()
    ) -> Voice:
        """The job's first audio, asked for in `wait` seconds; its intent has been committed. `pieces`: of a text that its provider
        does not take at once.

        Raises ProviderError or PortalError when nothing was heard; the job has then been settled, and so it has when the caller
        is cancelled.
        """
        voice = Voice(self, job, self._said(job, speech, pieces))
        self.speaking[job.pk] = voice
        try:
            if wait:
                await asyncio.sleep(wait)
            await voice.pull_first()
        except BaseException as error:
            await voice.leave(error)
            raise
        return voice

    async def repeat(self, job: SynthesisJob, kept: IO[bytes] | None) -> Replay:
        """The first audio of a repeat: of `kept`, or of its file where nobody has opened that yet. Raises Busy where it is gone."""
        replay = Replay(job, kept, threads=self.reading, gone=partial(self.speaking.pop, job.pk, None))
        self.speaking[job.pk] = replay
        try:
            await replay.pull_first()
        except BaseException as error:
            await replay.leave(error)
            raise
        return replay

    def _said(self, job: SynthesisJob, speech: Speech, pieces: Sequence[Passage]) -> Said:
        speak, request = partial(aio.speak, speech, pool=self.pool), request_of(job)
        if len(pieces) < 2:
            return speak(request)
        slot = partial(self._wait_for_slot, job.voice.account)
        return speak_in_turn(request, pieces, speak=speak, slot=slot, provider=job.provider)

    async def _wait_for_slot(self, account: ProviderAccount) -> None:
        """Raises Busy when the provider's next slot is too far away."""
        until = time.monotonic() + PATIENCE_BETWEEN_PIECES
        while True:
            try:
                [seconds] = await self.opening.run(partial(leave.reserve, account, "synthesis"))
            except Busy as busy:
                if time.monotonic() + busy.retry_after > until:
                    raise
                await asyncio.sleep(busy.retry_after)
            else:
                await asyncio.sleep(seconds)
                return

    def answers(self, account: ProviderAccount) -> None:
        """A provider has begun to speak: that it is well is worth a thread only where there was a doubt."""
        if account.circuit != ProviderAccount.Circuit.CLOSED or account.circuit_failures:
            self.later(partial(circuit.answered, account))

    @property
    def is_settling(self) -> bool:
        return bool(self._settlements)

    @property
    def is_warm(self) -> bool:
        """What was to be opened ahead at the start is known."""
        return self._warming is not None and self._warming.done()

    async def settle(self, heard: Heard) -> None:
        """Close the books of a job that was spoken to its end. Whoever waits may be cancelled: they are closed all the same.

        Raises as `settle_whole` does.
        """
        settled = self._whole.ask(heard)
        job = heard.job
        self._ending[job.pk] = job
        settled.add_done_callback(lambda _settled: self._ending.pop(job.pk, None))
        self._settlements.add(settled)
        settled.add_done_callback(self._settlements.discard)
        await asyncio.shield(settled)

    def _while_others_end(self) -> float:
        return min(MOST_GATHER, GATHER * max(0, len(self.speaking) - FEW))

    def later(self, books: Callable[[], None], *, behind: asyncio.Future[None] | None = None) -> None:
        """Close somebody's books in a thread, behind whatever they are waiting for, and what is still being written."""
        task = asyncio.get_running_loop().create_task(self._settle(books, behind))
        self._settlements.add(task)
        task.add_done_callback(self._settlements.discard)

    async def _settle(self, books: Callable[[], None], behind: asyncio.Future[None] | None) -> None:
        if behind is not None:
            await asyncio.wait([behind])
        try:
            await self.settling.run(partial(_on_a_living_connection, books))
        except Exception:
            # The row has said so already, or its lease will run out and the sweep says so.
            logger.exception("the books of a synthesis job could not be closed")

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(RENEW_EVERY)
            speaking = [voice.job for voice in self.speaking.values() if isinstance(voice, Voice)]
            held = {job.pk: job.lease_token for job in (*speaking, *self._ending.values())}
            if not held:
                continue
            try:
                # Not behind those who wait for a storage.
                gone = await self.opening.run(partial(on_a_living_connection, partial(_renew_all, held)))
            except Exception:
                logger.exception("the leases of %d streams could not be renewed", len(held))
                continue
            for pk in gone:
                if pk in self.speaking:
                    self.speaking[pk].stop(Cancelled())


class Voice:
    """One job while it speaks. Ask for `next` until there is none, then `leave`, whatever happens: that settles the job, once."""

    def __init__(self, relay: Relay, job: SynthesisJob, said: Said) -> None:
        self.job = job
        self.tally = Tally()
        self._relay = relay
        self._said = said
        self._first: Piece | None = None
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._marks: list[Mark] = []
        self._path: Path | None = None
        self._writing: asyncio.Future[None] | None = None
        self._stopped: PortalError | None = None
        self._task = asyncio.current_task()
        self._settled = False

    def stop(self, because: PortalError) -> None:
        """From outside: whoever listens is stopped now, and `because` is why."""
        if self._stopped is None and not self._settled and self._task is not None:
            self._stopped = because
            self._task.cancel()

    async def pull_first(self) -> None:
        self._first = await self.next()

    async def next(self) -> Piece | None:
        """The next audio and the word times that came with it, or the last times alone; None when all has been said.

        Raises ProviderError or PortalError when it breaks: the transfer must then break too, never end as if it were whole.
        """
        if self._first is not None:
            first, self._first = self._first, None
            return first
        tally = self.tally
        async for said in self._said:
            heard = [data for event in said if (data := tally.take(event))]
            if tally.marks:
                self._marks.extend(event for event in said if isinstance(event, Mark))
            check_flow(self.job, tally)
            if not heard:
                continue
            data = heard[0] if len(heard) == 1 else b"".join(heard)
            if tally.audio_bytes == len(data):
                self._relay.answers(self.job.voice.account)
            self._kept.append(data)
            self._kept_bytes += len(data)
            if self._kept_bytes > IN_MEMORY:
                await self._spool()
            return data, self._taken_marks()
        if not tally.ended:
            raise StreamBroken("the provider's frames ended before its last word", provider=self.job.provider)
        if not tally.audio_bytes:
            raise EmptySpeech
        # The times of the last words may come behind the last audio.
        return (b"", self._taken_marks()) if self._marks else None

    async def leave(self, error: BaseException | None = None) -> ProviderError | PortalError | None:
        """Close the books; `error` is why, None when all has been said and passed on: then they are closed when this returns.
        Returns what the row will say. Raises as `settle_whole` does.
        """
        if self._settled:
            return None
        self._settled = True
        self._relay.speaking.pop(self.job.pk, None)
        told = self._told(error)
        try:
            if told is None:
                await self._relay.settle(Heard(self.job, self.tally, self._path, self._kept))
            elif self.tally.audio_bytes or isinstance(told, ClientLeft | Cancelled | Interrupted):
                books = partial(_close_broken, self.job, self.tally, told, self._path, self._kept)
                self._relay.later(books, behind=self._writing)
            else:
                self._relay.later(partial(self._relay.refuse, self.job, told))
        finally:
            await self._said.aclose()
        return told

    def _told(self, error: BaseException | None) -> ProviderError | PortalError | None:
        if isinstance(error, asyncio.CancelledError):
            if self._stopped is not None and self._task is not None:
                self._task.uncancel()
            return self._stopped or Interrupted()
        if error is None or isinstance(error, ProviderError | PortalError):
            return error
        logger.error("synthesis job %s met what nobody foresaw", self.job.pk, exc_info=error)
        return Fault()

    def _taken_marks(self) -> Sequence[Mark]:
        if not self._marks:
            return ()
        taken, self._marks = self._marks, []
        return taken

    async def _spool(self) -> None:
        chunks, self._kept, self._kept_bytes = self._kept, [], 0
        self._path = self._path or spool_file(self.job)
        # Goes on when the listener leaves meanwhile: what was heard is measured by what lies there.
        self._writing = asyncio.ensure_future(self._relay.settling.run(partial(append_to, self._path, chunks)))
        await asyncio.shield(self._writing)


# --- what the threads do ---------------------------------------------------------------------------------------------


def _close_whole(heard: Sequence[Heard]) -> list[Exception | None]:
    try:
        check_connection()
        return settle_together(heard)
    finally:
        for each in heard:
            if each.path is not None:
                each.path.unlink(missing_ok=True)


def _on_a_living_connection(books: Callable[[], None]) -> None:
    check_connection()
    books()


def _close_broken(
    job: SynthesisJob, tally: Tally, error: ProviderError | PortalError, path: Path | None, rest: Sequence[bytes]
) -> None:
    path = path or spool_file(job)
    try:
        with suppress(OSError):  # without a file everything that was sent counts as heard
            append_to(path, rest)
        settle_broken(job, tally, error, heard=path)
    finally:
        path.unlink(missing_ok=True)
    leave.learn(job.voice.account, "synthesis", error)


def _renew_all(held: dict[uuid.UUID, uuid.UUID | None]) -> set[uuid.UUID]:
    """More time for all of these at once; those that are no longer ours, or that somebody wants cancelled."""
    rows = SynthesisJob.objects.filter(pk__in=held, lease_token__in=held.values())
    with transaction.atomic():
        # Who is being settled at this moment needs no more time; waiting for several rows here, and there, may never end.
        free = rows.select_for_update(no_key=True, skip_locked=True).values("pk")
        SynthesisJob.objects.filter(pk__in=list(free.values_list("pk", flat=True))).update(
            lease_until=timezone.now() + LEASE
        )
    going_on = set(rows.filter(cancel_requested_at__isnull=True).values_list("pk", flat=True))
    return held.keys() - going_on
