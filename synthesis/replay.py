"""A repeat while it is heard: kept audio, sent as a voice that speaks it would be (relay.py), with nothing to settle.

Its row has ended before the first byte leaves. What breaks afterwards breaks the transfer, as when a file is downloaded.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import IO

from django.db.models.fields.files import FieldFile

from synthesis import marks
from synthesis.errors import Interrupted
from synthesis.models import SynthesisJob
from synthesis.settling import Tally
from voices.errors import Busy, PortalError
from voices.providers.base import Audio, Mark
from voices.storing import reading
from voices.threads import DatabaseThreads

CHUNK = 64 * 1024


class Replay:
    """Asked as a Voice is: `next` until there is none, then `leave`. Files are touched in `threads`; `gone` is told at the end."""

    def __init__(
        self, job: SynthesisJob, kept: IO[bytes] | None, *, threads: DatabaseThreads, gone: Callable[[], object]
    ) -> None:
        self.job = job
        self.tally = Tally()
        self._threads = threads
        self._gone = gone
        self._file = _File(job.audio, kept)
        self._first: bytes | None = None
        self._marks: Sequence[Mark] = [marks.from_json(told) for told in job.marks]
        self._stopped: PortalError | None = None
        self._task = asyncio.current_task()
        self._left = False

    def stop(self, because: PortalError) -> None:
        """From outside, as `Voice.stop`."""
        if self._stopped is None and not self._left and self._task is not None:
            self._stopped = because
            self._task.cancel()

    async def pull_first(self) -> None:
        """Raises Busy where the file went just now: whoever asks again is spoken to."""
        try:
            self._first = await self._read()
        except FileNotFoundError:
            raise Busy(retry_after=1.0) from None

    async def next(self) -> tuple[bytes, Sequence[Mark]] | None:
        """The next audio, all times of words with the first of it; None at the end."""
        data, self._first = (await self._read() if self._first is None else self._first), None
        if not data:
            return None
        told, self._marks = self._marks, ()
        return data, told

    async def leave(self, error: BaseException | None = None) -> BaseException | None:
        """Returns why the transfer broke, None where it did not."""
        if self._left:
            return None
        self._left = True
        self._gone()
        self._threads.submit(self._file.close)
        if isinstance(error, asyncio.CancelledError):
            if self._stopped is not None and self._task is not None:
                self._task.uncancel()
            return self._stopped or Interrupted()
        return error

    async def _read(self) -> bytes:
        data = await self._threads.run(self._file.read)
        self.tally.take(Audio(data))
        return data


class _File:
    """Opened by whichever thread reads first, if it is not yet. Who closes it waits for a read that nobody waits for any more."""

    def __init__(self, stored: FieldFile, opened: IO[bytes] | None) -> None:
        self._stored = stored
        self._opened = opened
        self._closed = False
        self._lock = threading.Lock()

    def read(self) -> bytes:
        with self._lock:
            if self._closed:
                return b""
            if self._opened is None:
                self._opened = reading(self._stored)
            return self._opened.read(CHUNK)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._opened is not None:
                self._opened.close()
