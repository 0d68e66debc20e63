"""Rates: one call after the other, each account by itself. Places are in test_ledger.py."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.models import F

from voices import rate
from voices.errors import Busy
from voices.models import ProviderAccount, RateBucket


@pytest.fixture
def small_account(transactional_db: None) -> ProviderAccount:
    return ProviderAccount.objects.create(
        provider="aliyun", name="small", voice_cap=10, voices_held=9, enrollment_rate=10, synthesis_rate=2
    )


def test_it_lets_calls_leave_one_after_the_other(small_account: ProviderAccount) -> None:
    assert rate.reserve(small_account, "synthesis", per_second=2) == 0
    with pytest.raises(Busy) as busy:
        rate.reserve(small_account, "synthesis", per_second=2)
    assert 0 < busy.value.retry_after <= 0.5
    assert rate.reserve(small_account, "enrollment", per_second=10) == 0


def test_it_hands_out_slots_ahead_in_the_order_of_asking(small_account: ProviderAccount) -> None:
    waits = [rate.reserve(small_account, "synthesis", per_second=4, ahead=2) for _call in range(4)]
    assert waits == sorted(waits)
    assert waits[0] == 0
    assert 0.5 < waits[-1] <= 0.75


def test_it_lets_those_who_listen_go_before_background_work(small_account: ProviderAccount) -> None:
    rate.reserve(small_account, "synthesis", per_second=4, ahead=2)
    with pytest.raises(Busy):
        rate.reserve(small_account, "synthesis", per_second=4)
    assert rate.reserve(small_account, "synthesis", per_second=4, ahead=2) <= 0.25


def test_a_call_that_comes_late_does_not_push_the_others_back(small_account: ProviderAccount) -> None:
    rate.reserve(small_account, "synthesis", per_second=10)
    RateBucket.objects.update(next_at=F("next_at") - 0.12)  # 0.02 s late
    rate.reserve(small_account, "synthesis", per_second=10)
    assert rate.reserve(small_account, "synthesis", per_second=10, ahead=2) < 0.085


def test_it_keeps_accounts_apart(small_account: ProviderAccount) -> None:
    other = ProviderAccount.objects.create(provider="aliyun", name="other")
    assert rate.reserve(small_account, "synthesis", per_second=0.1) == 0
    assert rate.reserve(other, "synthesis", per_second=0.1) == 0


def test_it_leaves_nothing_out_of_a_pause_the_provider_asked_for(small_account: ProviderAccount) -> None:
    rate.hold_back(small_account, "synthesis", seconds=30)
    with pytest.raises(Busy) as busy:
        rate.wait(small_account, "synthesis", per_second=100)
    assert 29 < busy.value.retry_after <= 30
    rate.hold_back(small_account, "synthesis", seconds=1)
    assert rate.held_for(small_account, "synthesis") > 25
    assert rate.held_for(small_account, "enrollment") == 0
    assert rate.reserve(small_account, "enrollment", per_second=100) == 0


def test_it_takes_one_statement_for_a_slot(small_account: ProviderAccount) -> None:
    rate.reserve(small_account, "synthesis", per_second=1000)
    with connection.execute_wrapper(counting := Counter()):
        rate.reserve(small_account, "synthesis", per_second=1000, ahead=1)
    assert counting.statements == 1


class Counter:
    statements = 0

    def __call__(self, execute: object, sql: str, params: object, many: bool, context: object) -> object:
        self.statements += 1
        return execute(sql, params, many, context)  # type: ignore[operator]
