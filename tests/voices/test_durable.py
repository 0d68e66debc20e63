"""Rows as durable work: one holder at a time, and whoever has lost a row cannot write to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.studio import make_due
from voices.durable import back_off, claim, give_back, move, renew, write_back
from voices.models import VoiceClone, VoiceEvent

State = VoiceClone.State
LEASE = timedelta(seconds=60)


@pytest.fixture
def row(order_voice: Callable[..., VoiceClone]) -> VoiceClone:
    return order_voice()


def taken(row: VoiceClone) -> VoiceClone:
    mine = claim(VoiceClone, row.pk, lease=LEASE)
    assert mine is not None
    return mine


def test_it_gives_a_row_to_one_holder_only(row: VoiceClone) -> None:
    taken(row)
    assert claim(VoiceClone, row.pk, lease=LEASE) is None


def test_it_gives_no_row_before_it_is_due(row: VoiceClone) -> None:
    VoiceClone.objects.update(due_at=timezone.now() + timedelta(seconds=30))
    assert claim(VoiceClone, row.pk, lease=LEASE) is None


def test_it_gives_no_row_that_has_nothing_left_to_do(row: VoiceClone) -> None:
    VoiceClone.objects.update(due_at=None)
    assert claim(VoiceClone, row.pk, lease=LEASE) is None


def test_it_counts_an_attempt_that_ends_in_a_crash(row: VoiceClone) -> None:
    taken(row)
    make_due(row)
    assert taken(row).attempts == 2


def test_it_keeps_out_a_holder_whose_lease_has_passed_on(row: VoiceClone) -> None:
    first = taken(row)
    make_due(row)
    second = taken(row)
    event = VoiceEvent(row=first, kind="ready")
    assert not write_back(first, event=event, state=State.SUCCESS)
    assert not renew(first, lease=LEASE)
    assert write_back(second, state=State.TRAINING)
    row.refresh_from_db()
    assert row.state == State.TRAINING
    assert not row.events.filter(kind="ready").exists()


def test_it_does_not_overrule_what_the_owner_did_meanwhile(row: VoiceClone) -> None:
    mine = taken(row)
    assert move(row, states={State.INIT}, event=VoiceEvent(row=row, kind="delete_requested"), state=State.DELETING)
    assert not write_back(mine, state=State.TRAINING)
    give_back(mine, remote_id="kept")
    row.refresh_from_db()
    assert (row.state, row.remote_id, row.lease_token) == (State.DELETING, "kept", None)


def test_it_moves_a_row_only_from_the_states_named(row: VoiceClone) -> None:
    assert not move(row, states={State.FAILED}, event=VoiceEvent(row=row, kind="x"), state=State.INIT)
    assert not row.events.filter(kind="x").exists()


def test_it_writes_the_event_with_the_change(row: VoiceClone) -> None:
    write_back(taken(row), event=VoiceEvent(row=row, kind="trained"), state=State.TRAINING)
    event = row.events.get(kind="trained")
    assert (event.from_state, event.to_state) == (State.INIT, State.TRAINING)


def test_it_waits_longer_each_time_and_never_much_more_than_a_minute() -> None:
    waits = [back_off(attempt).total_seconds() for attempt in (1, 4, 7, 50, 10_000)]
    assert 2.4 <= waits[0] <= 3.6
    assert waits[1] > waits[0]
    assert all(48 <= wait <= 72 for wait in waits[3:])
