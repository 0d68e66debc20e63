"""A process that dies between two statements: from then on it does nothing more, whatever its code would still have done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from django.db import connection, transaction

BOOKKEEPING = ("SAVEPOINT", "RELEASE", "ROLLBACK")


class Killed(BaseException):
    """Nobody catches it: SIGKILL has no handler."""


class Death:
    """Strikes before the `nth` statement from now on. Of a transaction that it strikes in nothing is kept."""

    def __init__(self, nth: int) -> None:
        self.left = nth
        self.struck = False
        self.thread = threading.get_ident()  # the portal that hands out a sample meanwhile is another process

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if threading.get_ident() == self.thread and not sql.startswith(BOOKKEEPING):
            self.left -= 1
            if self.left <= 0:
                self.struck = True
                raise Killed
        return execute(sql, params, many, context)


def dies_before(nth: int, act: Callable[[], object]) -> bool:
    """Run `act` in a process that is killed before its `nth` statement; False when it came to its end before that."""
    death = Death(nth)
    with connection.execute_wrapper(death), _transactions_of_their_own():
        try:
            act()
        except Killed:
            return True
    return death.struck


@contextmanager
def _transactions_of_their_own() -> Iterator[None]:
    """What is a transaction outside of a test can be undone by itself within the test's, also where it asks for no savepoint."""
    enter = transaction.Atomic.__enter__

    def begin(block: transaction.Atomic) -> None:
        around = connection.atomic_blocks
        block.savepoint = block.savepoint or bool(around and getattr(around[-1], "_from_testcase", False))
        enter(block)

    with mock.patch.object(transaction.Atomic, "__enter__", begin):
        yield
