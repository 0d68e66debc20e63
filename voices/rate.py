"""One rate bucket per provider account and operation, shared by all processes and hosts.

GCRA in one statement: a read-modify-write bucket lets 22 calls a second through a limit of 10 on PostgreSQL (measured with
four processes). The clock is the database's, for hosts differ. What a statement hands out is a slot, which may lie a moment
ahead: whoever has it sleeps until then, in the order of asking, and asks nobody again.

An account's figure is a tenth below its provider's. Then `LATE` costs nothing: of slots 1/(0.9 L) s apart, which may be taken up
to 0.05 s late without the later ones moving, at most L fall into any one second as long as that stays under 1/9 s; what is left
is for the way to the provider.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence

from django.db import connection

from voices.errors import Busy
from voices.models import ProviderAccount, RateBucket
from voices.plain_driver import execute, vendor

LONGEST_WAIT_IN_PLACE = 2.0
LATE = 0.05
_NOW = {
    # Not NOW(): that is when the transaction began, and a statement may have waited for the row since.
    "postgresql": "EXTRACT(EPOCH FROM CLOCK_TIMESTAMP())::float8",
    "sqlite": "((JULIANDAY('now') - 2440587.5) * 86400.0)",
}
_TAKE = """
UPDATE voices_ratebucket
SET next_at = %s + CASE WHEN next_at > {now} - {late} THEN next_at ELSE {now} - {late} END
WHERE key = %s AND next_at <= {now} + %s AND held_until <= {now}
RETURNING next_at - %s - {now}
"""
_AGAIN_IN = """
SELECT CASE WHEN held_until > next_at THEN held_until ELSE next_at END - {now}, held_until - {now}
FROM voices_ratebucket WHERE key = %s
"""
_HOLD = """
UPDATE voices_ratebucket SET held_until = {now} + %(seconds)s WHERE key = %(key)s AND held_until < {now} + %(seconds)s
"""


def reserve(
    account: ProviderAccount, operation: str, *, per_second: float, ahead: float = 0.0, slots: int = 1
) -> float:
    """Take the next `slots` if the last comes within `ahead` seconds; how long to wait for the first, the others follow at
    1/`per_second`. Raises Busy when it comes later: then none is taken.
    """
    key = _key(account, operation)
    more = (slots - 1) / per_second
    if more and more > ahead:
        raise Busy(retry_after=more)
    taken = slots / per_second
    values = (taken, key, ahead - more, taken)
    slot = _row(_TAKE, values)
    if slot is None and _row(_AGAIN_IN, (key,)) is None:
        _make(key)
        slot = _row(_TAKE, values)
    if slot is not None:
        return max(0.0, slot[0])
    again = _row(_AGAIN_IN, (key,))
    raise Busy(retry_after=max(again[0] if again else 0.0, 0.001))


def wait(account: ProviderAccount, operation: str, *, per_second: float, reserving: bool = True) -> None:
    """Wait in place for a slot, two seconds at most. Raises Busy when it would take longer.

    Who does not reserve takes only what nobody has reserved: background work lets people who listen go first.
    """
    until = time.monotonic() + LONGEST_WAIT_IN_PLACE
    while True:
        try:
            seconds = reserve(
                account, operation, per_second=per_second, ahead=LONGEST_WAIT_IN_PLACE if reserving else 0.0
            )
        except Busy as busy:
            if time.monotonic() + busy.retry_after > until:
                raise
            time.sleep(busy.retry_after)
            continue
        if seconds:
            time.sleep(seconds)
            _refuse_if_held(account, operation)
        return


def hold_back(account: ProviderAccount, operation: str, *, seconds: float) -> None:
    """The provider asked for a pause: nothing of this kind leaves for this account until it is over."""
    key = _key(account, operation)
    _make(key)
    with connection.cursor() as cursor:
        cursor.execute(_written(_HOLD), {"key": key, "seconds": seconds})


def held_for(account: ProviderAccount, operation: str) -> float:
    """For how many more seconds the provider wants to be left alone; 0.0 when it does not."""
    left = _row(_AGAIN_IN, (_key(account, operation),))
    return max(0.0, left[1]) if left else 0.0


def _refuse_if_held(account: ProviderAccount, operation: str) -> None:
    """While we slept towards our slot, somebody else may have been told to slow down."""
    if seconds := held_for(account, operation):
        raise Busy(retry_after=seconds)


def _key(account: ProviderAccount, operation: str) -> str:
    return f"{account.pk}:{operation}"


def _make(key: str) -> None:
    RateBucket.objects.bulk_create([RateBucket(key=key, next_at=0)], ignore_conflicts=True)


def _row(sql: str, values: Sequence[float | str]) -> Sequence[float] | None:
    return next(iter(execute(_written(sql), values).rows), None)


@functools.cache
def _written(sql: str) -> str:
    return sql.format(now=_NOW[vendor()], late=LATE)
