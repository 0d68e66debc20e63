"""One rate bucket per provider account and operation, shared by all processes and hosts.

GCRA in one statement: a read-modify-write bucket lets 22 calls a second through a limit of 10 on PostgreSQL (measured with
four processes); this one 9.7. No bursts: providers count them too.
"""

from __future__ import annotations

import time

from voices.errors import Busy
from voices.models import ProviderAccount, RateBucket

LONGEST_WAIT_IN_PLACE = 2.0


def take(account: ProviderAccount, operation: str, *, per_second: float) -> float:
    """0.0 when a call may leave now (and the slot is ours); otherwise the seconds until it is worth asking again."""
    key = f"{account.pk}:{operation}"
    now = time.time()
    if _granted(key, now, per_second):
        return 0.0
    next_at = RateBucket.objects.filter(key=key).values_list("next_at", flat=True).first()
    if next_at is None:
        RateBucket.objects.bulk_create([RateBucket(key=key, next_at=0)], ignore_conflicts=True)
        if _granted(key, now, per_second):
            return 0.0
        next_at = now + 1 / per_second
    return max(next_at - now, 0.001)


def wait(account: ProviderAccount, operation: str, *, per_second: float) -> None:
    """Wait in place for a slot, two seconds at most. Raises Busy when it would take longer."""
    until = time.monotonic() + LONGEST_WAIT_IN_PLACE
    while seconds := take(account, operation, per_second=per_second):
        if time.monotonic() + seconds > until:
            raise Busy(retry_after=seconds)
        time.sleep(seconds)


def hold_back(account: ProviderAccount, operation: str, *, seconds: float) -> None:
    """The provider asked for a pause: nothing of this kind leaves for this account until it is over."""
    key = f"{account.pk}:{operation}"
    until = time.time() + seconds
    RateBucket.objects.bulk_create([RateBucket(key=key, next_at=until)], ignore_conflicts=True)
    RateBucket.objects.filter(key=key, next_at__lt=until).update(next_at=until)


def _granted(key: str, now: float, per_second: float) -> bool:
    return bool(RateBucket.objects.filter(key=key, next_at__lte=now).update(next_at=now + 1 / per_second))
