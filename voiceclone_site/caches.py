"""Django's two shared caches, each able to count exactly: one round trip to Redis, four calls of the system for files.

As Django has it, `incr` asks Redis three times where a key may be missing; and of files it reads one and puts another in its
place, so that two requests at one instant are counted as one, after 5 ms on a slow disk.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.redis import RedisCache


class CountingRedis(RedisCache):
    def count(self, key: str, by: int, *, seconds: int) -> int:
        """`by` more, and how many that makes, for at least `seconds` from now."""
        key = self.make_and_validate_key(key)
        pipeline = self._client.pipeline(transaction=False)
        pipeline.incrby(key, by)
        pipeline.expire(key, seconds)
        return int(pipeline.execute()[0])

    @cached_property
    def _client(self) -> Any:
        # Django makes one for each question; that takes longer than the answer.
        return self._cache.get_client(write=True)


class CountingFiles(FileBasedCache):
    def __init__(self, dir: str, params: dict[str, Any]) -> None:
        super().__init__(dir, params)
        self._counts = Path(dir).absolute() / "counts"

    def count(self, key: str, by: int, *, seconds: int) -> int:
        """As `CountingRedis.count`, over all processes of this host. It begins anew with each stretch of `seconds` of the clock, so
        what is counted in a minute is kept for a multiple of minutes."""
        digest = hashlib.sha256(self.make_and_validate_key(key).encode()).hexdigest()
        era = int(time.time() // seconds)
        file = self._counts / str(era) / digest
        try:
            return _longer(file, by)
        except FileNotFoundError:
            file.parent.mkdir(parents=True, exist_ok=True)
            for old in self._counts.iterdir():
                if old.name not in {str(era), str(era - 1)}:
                    shutil.rmtree(old, ignore_errors=True)
            return _longer(file, by)

    def clear(self) -> None:
        super().clear()
        with suppress(FileNotFoundError):
            shutil.rmtree(self._counts)


def _longer(file: Path, by: int) -> int:
    """A count is the length of a file. Nobody can come between an append and the place that it leaves the file at."""
    opened = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(opened, b"." * by)
        return os.lseek(opened, 0, os.SEEK_CUR)
    finally:
        os.close(opened)
