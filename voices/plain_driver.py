"""Statements handed to the database's own driver. What Django does around one costs more than most of ours do: for SQLite it writes
them anew each time, for PostgreSQL it writes the values into them, in Python.

Transactions and errors stay Django's. Where somebody looks on (`connection.execute_wrapper`, a log of queries) all goes through it.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, transaction

ALIAS = DEFAULT_DB_ALIAS
_THE_WRITER = threading.Lock()


@dataclass(frozen=True, slots=True)
class Outcome:
    """`count`: how many rows a statement met, or all of several together. `rows`: what it gives back."""

    count: int
    rows: Sequence[Sequence[Any]]


@functools.cache
def vendor() -> str:
    """`sqlite` or `postgresql`: a site has one database."""
    return str(connections[ALIAS].vendor)


def execute(sql: str, values: Sequence[Any] = (), *others: Sequence[Any]) -> Outcome:
    """A statement as Django writes it, `%s` for each of the values; and the same with each of the others."""
    sets = (values, *others)
    connection = connections[ALIAS]
    if connection.queries_logged or _is_watched(connection):
        return _watched(connection, sql, sets)
    # Refuses an event loop, too.
    connection.ensure_connection()
    if connection.needs_rollback:
        connection.validate_no_broken_transaction()
    with connection.wrap_database_errors:
        if vendor() == "sqlite":
            return _by_sqlite(connection.connection, sql, sets)
        return Outcome(*_postgres().of(connection).ask(sql, sets))


def execute_later(sql: str, values: Sequence[Any] = (), *others: Sequence[Any]) -> None:
    """The same where nobody asks for the outcome. Within `writing` it need not have been executed, nor refused, before the next
    statement or the end of the transaction: PostgreSQL is sent both at once."""
    if vendor() == "sqlite" or not _is_left(connections[ALIAS], sql, (values, *others)):
        execute(sql, values, *others)


def _is_left(connection: Any, sql: str, sets: Sequence[Sequence[Any]]) -> bool:
    line = _line(connection)
    if not line.writing or connection.needs_rollback or connection.queries_logged or _is_watched(connection):
        return False
    with connection.wrap_database_errors:
        line.leave(sql, sets)
    if _before_others not in connection.execute_wrappers:
        connection.execute_wrappers.append(_before_others)
    return True


def may_have_died() -> bool:
    """Whether the server has said something unasked, as it does when it closes a connection, or that is closed already."""
    connection = connections[ALIAS]
    return vendor() != "sqlite" and connection.connection is not None and not _line(connection).is_quiet


@contextmanager
def writing(*, savepoint: bool = True) -> Iterator[None]:
    """A transaction; within another one, part of it, that can be undone alone if there is a `savepoint`.

    Of the threads of this process one writes at a time where the database itself has but one writer: SQLite lets the others look
    again after 1, 2, 5, 10 ms, and so on, and whoever comes in between goes first.
    """
    connection = connections[ALIAS]
    has_one_writer = vendor() == "sqlite"
    turn = _THE_WRITER if has_one_writer and not connection.in_atomic_block else nullcontext()
    with turn, transaction.atomic(savepoint=savepoint):
        if has_one_writer:
            yield
        else:
            with _gathering(connection):
                yield


@contextmanager
def _gathering(connection: Any) -> Iterator[None]:
    line = _line(connection)
    line.writing += 1
    try:
        yield
        if line.writing == 1:
            _catch_up(connection)
    except BaseException:
        line.forget()
        raise
    finally:
        line.writing -= 1
        if not line.writing and _before_others in connection.execute_wrappers:
            connection.execute_wrappers.remove(_before_others)


def _catch_up(connection: Any) -> None:
    line = _line(connection)
    if connection.needs_rollback:
        line.forget()
    with connection.wrap_database_errors:
        line.catch_up()


def _before_others(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
    """What was left for later goes before any statement that comes another way."""
    _catch_up(context["connection"])
    return execute(sql, params, many, context)


def _is_watched(connection: Any) -> bool:
    wrappers = connection.execute_wrappers
    return bool(wrappers) and any(each is not _before_others for each in wrappers)


def _watched(connection: Any, sql: str, sets: Sequence[Sequence[Any]]) -> Outcome:
    with _cursor(connection) as opened:
        if len(sets) == 1:
            opened.execute(sql, sets[0])
        else:
            opened.executemany(sql, sets)
        return Outcome(opened.rowcount, opened.fetchall() if opened.description else ())


def _cursor(connection: Any) -> Any:
    if vendor() == "sqlite":
        return connection.cursor()
    connection.ensure_connection()
    opened = import_module("psycopg").Cursor(connection.connection)
    return connection.make_debug_cursor(opened) if connection.queries_logged else connection.make_cursor(opened)


def _line(connection: Any) -> Any:
    connection.ensure_connection()
    return _postgres().of(connection)


@functools.cache
def _postgres() -> Any:
    """Loaded with the driver, which a machine with SQLite has no use for."""
    return import_module("voices.plain_postgres")


def _by_sqlite(driver: Any, sql: str, sets: Sequence[Sequence[Any]]) -> Outcome:
    sql = _with_question_marks(sql)
    if len(sets) == 1:
        done = driver.execute(sql, sets[0])
        # Of a statement that gives rows back it counts them when they are all there.
        rows = done.fetchall() if done.description else ()
    else:
        done, rows = driver.executemany(sql, sets), ()
    return Outcome(done.rowcount, rows)


@functools.cache
def _with_question_marks(sql: str) -> str:
    return sql.replace("%s", "?").replace("%%", "%")
