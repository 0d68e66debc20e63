"""The sandbox's memory: one SQLite file that survives kill -9, used from the event loop's thread only."""

from __future__ import annotations

import sqlite3
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS ledger (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    provider TEXT NOT NULL,
    account TEXT NOT NULL,
    operation TEXT NOT NULL,
    direction TEXT NOT NULL,
    status INTEGER NOT NULL,
    headers TEXT NOT NULL,
    body TEXT NOT NULL,
    voice_id TEXT NOT NULL,
    characters INTEGER NOT NULL,
    fault TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS ledger_operation ON ledger (operation, account);
CREATE TABLE IF NOT EXISTS samples (sha256 TEXT PRIMARY KEY, audio BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS prints (sha256 TEXT PRIMARY KEY, print TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS aliyun_voices (
    voice_id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    model TEXT NOT NULL,
    prefix TEXT NOT NULL,
    status TEXT NOT NULL,
    verdict TEXT NOT NULL,
    ready_at REAL NOT NULL,
    sha256 TEXT NOT NULL,
    created REAL NOT NULL,
    modified REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS aliyun_voices_account ON aliyun_voices (account, created);
CREATE TABLE IF NOT EXISTS qiniu_voices (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    language TEXT NOT NULL,
    tier TEXT NOT NULL,
    state TEXT NOT NULL,
    verdict TEXT NOT NULL,
    ready_at REAL NOT NULL,
    sha256 TEXT NOT NULL,
    demo_sha256 TEXT NOT NULL,
    created REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS qiniu_voices_account ON qiniu_voices (account, created);
CREATE TABLE IF NOT EXISTS qiniu_trainings_used (account TEXT PRIMARY KEY, used INTEGER NOT NULL);
"""


def connect(data_dir: Path) -> sqlite3.Connection:
    """Open or make `sandbox.sqlite3`. Every statement is its own transaction: what was answered is on disk."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    connection = sqlite3.connect(data_dir / "sandbox.sqlite3", isolation_level=None, timeout=10)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.executescript(_SCHEMA)
    return connection
