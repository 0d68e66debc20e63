"""Where a person or an account stands: what is used, what is left, when it begins anew. Read from the meters alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from voices import plans
from voices.meters import OF_ACCOUNT, OF_USER, Gauge, period_of
from voices.models import Measure, Meter, Owner, ProviderAccount
from voices.quota_models import today


@dataclass(frozen=True, slots=True)
class Reading:
    """`used` includes what is held for work under way. `limit` None: no limit. `resets_at` None: only given back."""

    measure: Measure
    used: int
    limit: int | None
    resets_at: datetime | None

    @property
    def left(self) -> int | None:
        return None if self.limit is None else max(self.limit - self.used, 0)

    @property
    def percent(self) -> int:
        """Of the limit, 0 to 100; 0 without one."""
        if self.limit is None:
            return 0
        return 100 if self.used >= self.limit else int(100 * self.used / self.limit)

    @property
    def is_low(self) -> bool:
        return self.percent >= LOW_FROM


LOW_FROM = 80
"""Percent."""


def of_person(user: Owner) -> list[Reading]:
    caps = plans.caps_of(user)
    gauges = {Gauge(each, period_of(each, today(), account=False), user_id=user.pk): caps[each] for each in OF_USER}
    return _read(gauges)


def of_accounts(accounts: Collection[ProviderAccount]) -> dict[int, list[Reading]]:
    """By the account's id, of today; its voice places first. One query for all of them."""
    gauges: dict[Gauge, int | None] = {}
    for account in accounts:
        caps = plans.caps_of_account(account)
        gauges |= {
            Gauge(each, period_of(each, today(), account=True), account_id=account.pk): caps[each]
            for each in OF_ACCOUNT
        }
    readings = iter(_read(gauges))
    return {
        account.pk: [
            Reading(Measure.SLOTS, account.voices_held, account.voice_cap, None),
            *(next(readings) for _measure in OF_ACCOUNT),
        ]
        for account in accounts
    }


def _read(gauges: Mapping[Gauge, int | None]) -> list[Reading]:
    """In their order; each comes with its cap."""
    used = dict(Meter.objects.filter(key__in=[each.key for each in gauges]).values_list("key", "used"))
    return [Reading(each.measure, used.get(each.key, 0), cap, each.resets_at) for each, cap in gauges.items()]
