"""Where a person, a token or an account stands: what is used, what is left, when it begins anew. Read from the meters alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from voices import plans
from voices.meters import OF_ACCOUNT, OF_TOKEN, OF_USER, Gauge, month_of, period_of
from voices.models import Budget, Measure, Meter, Owner, ProviderAccount
from voices.quota_models import LOW_FROM, today


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


def of_person(user: Owner) -> list[Reading]:
    gauges = [Gauge(each, period_of(each, today(), account=False), user_id=user.pk) for each in OF_USER]
    return _readings(gauges, _used(gauges), plans.caps_of(user))


def of_tokens(tokens: Iterable[Budget]) -> dict[int, list[Reading]]:
    """Of this month, by the token's number: one query for all of them."""
    caps = {token.pk: plans.caps_of_token(token) for token in tokens}
    month = month_of(today())
    gauges = {pk: [Gauge(measure, month, token_id=pk) for measure in OF_TOKEN] for pk in caps}
    used = _used([gauge for each in gauges.values() for gauge in each])
    return {pk: _readings(gauges[pk], used, caps[pk]) for pk in caps}


def of_accounts(accounts: Collection[ProviderAccount]) -> dict[int, list[Reading]]:
    """Of today, by the account's number, its voice places first: one query for all of them."""
    gauges = {
        account.pk: [Gauge(each, period_of(each, today(), account=True), account_id=account.pk) for each in OF_ACCOUNT]
        for account in accounts
    }
    used = _used([gauge for each in gauges.values() for gauge in each])
    return {
        account.pk: [
            Reading(Measure.SLOTS, account.voices_held, account.voice_cap, None),
            *_readings(gauges[account.pk], used, plans.caps_of_account(account)),
        ]
        for account in accounts
    }


def _used(gauges: Sequence[Gauge]) -> dict[str, int]:
    return dict(Meter.objects.filter(key__in=[each.key for each in gauges]).values_list("key", "used"))


def _readings(gauges: Sequence[Gauge], used: Mapping[str, int], caps: Mapping[Measure, int | None]) -> list[Reading]:
    return [Reading(each.measure, used.get(each.key, 0), caps[each.measure], each.resets_at) for each in gauges]
