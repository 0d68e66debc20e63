"""What the modules of one sandbox share."""

from __future__ import annotations

import sqlite3
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field

from aiohttp import web

from .faults import FaultBook
from .ledger import Ledger
from .options import Options
from .studio import Studio

_WINDOW_SECONDS = 1.0


class Gate:
    """Calls per second, by account and kind of call."""

    def __init__(self) -> None:
        self._passed: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)

    def admits(self, *, account: str, kind: str, rate: int) -> bool:
        """Count one call; False when it is over `rate` per second (0: no limit)."""
        if not rate:
            return True
        now, passed = time.monotonic(), self._passed[account, kind]
        while passed and passed[0] <= now - _WINDOW_SECONDS:
            passed.popleft()
        if len(passed) >= rate:
            return False
        passed.append(now)
        return True


@dataclass
class State:
    options: Options
    connection: sqlite3.Connection
    ledger: Ledger
    studio: Studio
    faults: FaultBook = field(default_factory=FaultBook)
    gate: Gate = field(default_factory=Gate)


STATE = web.AppKey("state", State)
