"""PostgreSQL as libpq has it, with psycopg's own conversion of values: its cursors take twice the CPU of one statement, and seven
times that of five which are sent together.

Those cost one round trip, and each is prepared when a connection meets it first. psycopg goes on using the same connection for
everything else, and prepares nothing on it, or it would forget ours with its own; between two of our calls nothing is left open.
"""

from __future__ import annotations

import functools
import itertools
import select
from collections.abc import Mapping, Sequence
from typing import Any, Final
from weakref import WeakKeyDictionary

import psycopg
from django.conf import settings
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

MOST_PREPARED: Final = 200
"""Of one connection, or groups of all sizes would fill the server's memory."""

Values = Sequence[Any]


class Line:
    """One connection to PostgreSQL. `writing`: how many blocks of `plain_driver.writing` it is in."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        self.writing = 0
        self.waiting: list[tuple[str, Values]] = []
        self._pgconn = connection.pgconn
        self._socket = select.poll()
        self._values = Transformer(connection)
        self._names: dict[str, bytes] = {}
        self._numbers = itertools.count()

    def ask(self, sql: str, sets: Sequence[Values]) -> tuple[int, Sequence[Values]]:
        """How many rows were met, and what was given back, when all that waits and this has been executed. Raises psycopg.Error."""
        # psycopg's own lock: a connection may be shared, and then its cursors wait for one another by it.
        with self.connection.lock:
            own = [(sql, self._dumped(values)) for values in sets]
            before, self.waiting = self.waiting, []
            results = self._sent([*before, *own])[len(before) :]
            rows: list[Values] = []
            for result in results:
                if result.status == ExecStatus.TUPLES_OK:
                    self._values.set_pgresult(result)
                    rows += self._values.load_rows(0, result.ntuples, tuple)
            return sum(result.command_tuples or 0 for result in results), rows

    def leave(self, sql: str, sets: Sequence[Values]) -> None:
        """For the next call, whatever it is."""
        with self.connection.lock:
            self.waiting += [(sql, self._dumped(values)) for values in sets]

    def catch_up(self) -> None:
        """Execute what waits. Raises psycopg.Error."""
        if self.waiting:
            with self.connection.lock:
                before, self.waiting = self.waiting, []
                self._sent(before)

    def forget(self) -> None:
        self.waiting = []

    @property
    def is_quiet(self) -> bool:
        """Open, and nothing has come on it that nobody has asked for. No round trip."""
        return self._pgconn.status == ConnStatus.OK and not self._has_come()

    def _dumped(self, values: Values) -> Values:
        # Text without a type: the statement knows which it needs, and then one is prepared whatever the sizes of numbers.
        return self._values.dump_sequence(values, [PyFormat.TEXT] * len(values))

    def _sent(self, statements: Sequence[tuple[str, Values]]) -> list[PGresult]:
        pgconn = self._pgconn
        begins = not self.connection.autocommit and pgconn.transaction_status == TransactionStatus.IDLE
        sent: list[str] = []
        pgconn.enter_pipeline_mode()
        try:
            if begins:
                pgconn.send_query_params(b"BEGIN", None)
                sent.append("")
            fresh: dict[str, bytes] = {}
            for sql, values in statements:
                name = self._names.get(sql) or fresh.get(sql)
                if name is None and self._room(fresh):
                    name = fresh[sql] = b"plain_%d" % next(self._numbers)
                    pgconn.send_prepare(name, _numbered(sql))
                    sent.append(sql)
                if name is None:
                    pgconn.send_query_params(_numbered(sql), values)
                else:
                    pgconn.send_query_prepared(name, values)
                sent.append("")
            pgconn.pipeline_sync()
            results = self._answers()
        except BaseException:
            # Answers may still be to come, and nobody would know whose they are.
            self.connection.close()
            raise
        pgconn.exit_pipeline_mode()
        failed = next((each for each in results if each.status not in _WELL), None)
        for sql, result in zip(sent, results, strict=False):
            if sql and result.status == ExecStatus.COMMAND_OK:
                self._names[sql] = fresh[sql]
        if failed is not None:
            raise error_from_result(failed, encoding="utf-8")
        return [result for sql, result in zip(sent, results, strict=True) if not sql][begins:]

    def _room(self, fresh: Mapping[str, bytes]) -> bool:
        return settings.PREPARED_STATEMENTS and len(self._names) + len(fresh) < MOST_PREPARED

    def _answers(self) -> list[PGresult]:
        """Of all that was sent, up to the end of it. Raises psycopg.OperationalError when the connection dies."""
        pgconn = self._pgconn
        answers: list[PGresult] = []
        while pgconn.flush():
            self._wait(select.POLLIN | select.POLLOUT)
            pgconn.consume_input()
        while True:
            # Asked before it has come, `get_result` would wait for it and let no other thread of this process do anything.
            while pgconn.is_busy():
                self._wait(select.POLLIN)
                pgconn.consume_input()
            result = pgconn.get_result()
            if pgconn.status != ConnStatus.OK:
                raise psycopg.OperationalError(f"the connection is lost: {pgconn.get_error_message()}")
            if result is None:
                continue
            if result.status == ExecStatus.PIPELINE_SYNC:
                return answers
            answers.append(result)

    def _has_come(self) -> bool:
        self._socket.register(self._pgconn.socket, select.POLLIN)
        return bool(self._socket.poll(0))

    def _wait(self, for_what: int) -> None:
        self._socket.register(self._pgconn.socket, for_what)
        self._socket.poll()


_WELL: Final = frozenset({ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK})
_lines: WeakKeyDictionary[Any, Line] = WeakKeyDictionary()


def of(connection: Any) -> Line:
    """The line of one of Django's connections, which is open."""
    line = _lines.get(connection)
    if line is None or line.connection is not connection.connection:
        line = _lines[connection] = Line(connection.connection)
    return line


@functools.cache
def _numbered(sql: str) -> bytes:
    """As PostgreSQL itself numbers the places of values."""
    first, *others = sql.split("%s")
    return (
        (first + "".join(f"${place}{part}" for place, part in zip(itertools.count(1), others)))
        .replace("%%", "%")
        .encode()
    )
