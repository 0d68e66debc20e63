"""Training and speaking, off the event loop. Prints are kept by the sample's SHA-256, so equal samples train once."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from .speech import decoding, voiceprint
from .speech.voiceprint import VoicePrint

T = TypeVar("T")
_log = logging.getLogger(__name__)
_MOST_SECONDS = 60.0
_THREADS = 2


class Studio:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._threads = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="sandbox-studio")
        self._training: dict[str, asyncio.Task[None]] = {}

    async def work(self, job: Callable[[], T]) -> T:
        """Run something heavy in the studio's own threads."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, job)

    def keep(self, audio: bytes) -> str:
        """Store a sample; its SHA-256."""
        sha256 = hashlib.sha256(audio).hexdigest()
        self._connection.execute("INSERT OR IGNORE INTO samples VALUES (?, ?)", (sha256, audio))
        return sha256

    def sample(self, sha256: str) -> bytes | None:
        row = self._connection.execute("SELECT audio FROM samples WHERE sha256 = ?", (sha256,)).fetchone()
        return bytes(row["audio"]) if row else None

    def print_of(self, sha256: str) -> VoicePrint | None:
        """The finished print, if training has ended."""
        row = self._connection.execute("SELECT print FROM prints WHERE sha256 = ?", (sha256,)).fetchone()
        found = VoicePrint.from_json(row["print"]) if row else None
        return found if found and found.version == voiceprint.VERSION else None

    def train(self, sha256: str) -> asyncio.Task[None]:
        """Start training on a kept sample, or join the training under way."""
        if sha256 not in self._training:
            task = asyncio.get_running_loop().create_task(self._train(sha256))
            self._training[sha256] = task
            task.add_done_callback(lambda done: self._trained(sha256, done))
        return self._training[sha256]

    def _trained(self, sha256: str, done: asyncio.Task[None]) -> None:
        self._training.pop(sha256, None)
        if not done.cancelled() and (error := done.exception()):
            _log.error(
                "Training on sample %s failed; its voice stays DEPLOYING. Enroll another one.", sha256, exc_info=error
            )

    async def _train(self, sha256: str) -> None:
        audio = self.sample(sha256)
        if audio is None or self.print_of(sha256):
            return

        def learn() -> str:
            recording = decoding.decode(audio, most_seconds=_MOST_SECONDS)
            return voiceprint.take(recording.samples, rate=recording.rate).to_json()

        learnt = await self.work(learn)
        self._connection.execute("INSERT OR REPLACE INTO prints VALUES (?, ?)", (sha256, learnt))

    async def close(self) -> None:
        for task in list(self._training.values()):
            task.cancel()
        await asyncio.gather(*self._training.values(), return_exceptions=True)
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
