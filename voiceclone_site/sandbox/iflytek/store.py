"""iFlytek's part of the sandbox's memory."""

from __future__ import annotations

import sqlite3

_SCHEMA = """
CREATE TABLE IF NOT EXISTS iflytek_tokens (
    token TEXT PRIMARY KEY,
    app_id TEXT NOT NULL,
    expires REAL NOT NULL,
    calls INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS iflytek_trainings (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    app_id TEXT NOT NULL,
    order_json TEXT NOT NULL,
    status INTEGER NOT NULL,
    failed_desc TEXT NOT NULL,
    ready_at REAL NOT NULL,
    sha256 TEXT NOT NULL,
    res_id TEXT NOT NULL,
    submitted INTEGER NOT NULL,
    called_back INTEGER NOT NULL,
    created REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS iflytek_trainings_res_id ON iflytek_trainings (res_id);
CREATE TABLE IF NOT EXISTS iflytek_calls (account TEXT NOT NULL, at REAL NOT NULL);
"""


def prepare(connection: sqlite3.Connection) -> None:
    connection.executescript(_SCHEMA)
