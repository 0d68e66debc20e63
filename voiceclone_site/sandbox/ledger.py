"""Everything that went over the wire, for assertions: keys redacted, text kept, and what it cost."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

REDACTED = "[redacted]"
_SECRET_HEADERS = ("authorization", "cookie", "proxy-authorization")


@dataclass(frozen=True)
class Entry:
    id: int
    at: float
    """Unix time."""
    provider: str
    account: str
    """Empty when the key was not known."""
    operation: str
    """An enrollment action; "handshake", "fetch", "disconnect"; a frame's action or event; or "audio"."""
    direction: Literal["in", "out"]
    """Seen from the sandbox."""
    status: int
    """HTTP status of an answer; else 0."""
    headers: dict[str, str]
    body: Any
    """The JSON that was sent; for audio its number of bytes."""
    voice_id: str
    """The voice that this entry created ("created"), deleted ("deleted") or spoke with."""
    characters: int
    """Billed by this entry; the sum is the bill."""
    fault: str
    """How it was made to fail; empty when it was not."""


class Ledger:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def write(
        self,
        *,
        provider: str,
        account: str,
        operation: str,
        direction: Literal["in", "out"] = "in",
        status: int = 0,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        voice_id: str = "",
        characters: int = 0,
        fault: str = "",
    ) -> None:
        shown = {k: REDACTED if k.lower() in _SECRET_HEADERS else v for k, v in (headers or {}).items()}
        self._connection.execute(
            "INSERT INTO ledger (at, provider, account, operation, direction, status, headers, body, voice_id,"
            " characters, fault) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                time.time(),
                provider,
                account,
                operation,
                direction,
                status,
                json.dumps(shown),
                json.dumps(body, ensure_ascii=False),
                voice_id,
                characters,
                fault,
            ),
        )

    def entries(self, *, operation: str = "", account: str = "", direction: str = "") -> list[Entry]:
        """Oldest first; an empty argument is any."""
        rows = self._connection.execute(
            "SELECT * FROM ledger WHERE (:operation = '' OR operation = :operation)"
            " AND (:account = '' OR account = :account) AND (:direction = '' OR direction = :direction) ORDER BY id",
            {"operation": operation, "account": account, "direction": direction},
        )
        return [
            Entry(**{**dict(row), "headers": json.loads(row["headers"]), "body": json.loads(row["body"])})
            for row in rows
        ]

    def characters(self, account: str) -> int:
        row = self._connection.execute(
            "SELECT COALESCE(SUM(characters), 0) FROM ledger WHERE account = ?", (account,)
        ).fetchone()
        return int(row[0])

    def clear(self) -> None:
        self._connection.execute("DELETE FROM ledger")


def as_json(entry: Entry) -> dict[str, Any]:
    return dataclasses.asdict(entry)
