"""Statements that go to the driver itself are as the ORM's are: in order, in transactions, in errors, and in values."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.db import DataError, IntegrityError, OperationalError, connection, transaction
from django.db.models import Model
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from synthesis.models import SynthesisJob
from voices import plain_sql
from voices.models import RateBucket, VoiceClone, VoiceEvent
from voices.plain_driver import execute, may_have_died, writing
from voices.plain_rows import drafted
from voices.threads import check_connection


def event(voice: VoiceClone, kind: str) -> VoiceEvent:
    return drafted(VoiceEvent, row=voice, kind=kind)


def bucket(key: str) -> RateBucket:
    return RateBucket(key=key, next_at=0)


def insert_and_break_off(row: Model) -> None:
    plain_sql.insert(row)
    raise ZeroDivisionError


def close_from_the_other_end() -> None:
    parameters: dict[str, Any] = {**connection.get_connection_params(), "autocommit": True}
    with psycopg.connect(**parameters) as another:
        another.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid])


def kinds(voice: VoiceClone) -> list[str]:
    return list(
        VoiceEvent.objects.filter(row=voice, kind__startswith="odd").order_by("id").values_list("kind", flat=True)
    )


def test_it_drafts_what_the_model_would_have_made(ready_voice: VoiceClone) -> None:
    now = timezone.now()
    given = {"owner": ready_voice.owner, "voice": ready_voice, "text": "Hello.", "created_at": now, "token_id": None}
    made, model_made = drafted(SynthesisJob, **given), SynthesisJob(**given)
    model_made.id = made.id
    assert {**vars(made), "_state": None} == {**vars(model_made), "_state": None}
    assert made._state.adding
    assert made.voice is ready_voice
    with pytest.raises(AssertionError):
        drafted(SynthesisJob, tekst="Hello.")


def test_a_row_comes_back_as_the_orm_reads_it(ready_voice: VoiceClone) -> None:
    look = plain_sql.Lookup(
        lambda name: VoiceClone.objects.select_related("account", "owner").filter(name=name), ("a name",)
    )
    (found,) = look(ready_voice.name)
    read = VoiceClone.objects.select_related("account", "owner").get(pk=ready_voice.pk)
    pairs: list[tuple[Any, Any]] = [(found, read), (found.account, read.account), (found.owner, read.owner)]
    for ours, theirs in pairs:
        assert {**vars(ours), "_state": None} == {**vars(theirs), "_state": None}
        assert (ours._state.adding, ours._state.db) == (False, "default")


def test_what_is_left_for_later_comes_before_what_is_asked_in_another_way(ready_voice: VoiceClone) -> None:
    with writing():
        plain_sql.insert(event(ready_voice, "odd one"))
        assert kinds(ready_voice) == ["odd one"]
        plain_sql.insert(event(ready_voice, "odd two"))
        VoiceEvent.objects.create(row=ready_voice, kind="odd three")
        plain_sql.insert(event(ready_voice, "odd four"))
    assert kinds(ready_voice) == ["odd one", "odd two", "odd three", "odd four"]


def test_what_is_left_for_later_is_undone_with_its_own_part_alone(ready_voice: VoiceClone) -> None:
    with writing():
        plain_sql.insert(event(ready_voice, "odd one"))
        with pytest.raises(ZeroDivisionError), writing():
            insert_and_break_off(event(ready_voice, "odd two"))
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            insert_and_break_off(event(ready_voice, "odd three"))
        plain_sql.insert(event(ready_voice, "odd four"))
    assert kinds(ready_voice) == ["odd one", "odd four"]


@pytest.mark.django_db(transaction=True)
def test_what_is_refused_is_refused_at_the_end_of_its_transaction_at_the_latest() -> None:
    RateBucket.objects.create(key="taken", next_at=0)
    with pytest.raises(IntegrityError), writing():
        plain_sql.insert(bucket("free"), bucket("taken"))
    assert list(RateBucket.objects.values_list("key", flat=True)) == ["taken"]
    with writing():
        plain_sql.insert(bucket("free"))
    assert RateBucket.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_nothing_is_left_of_what_was_to_be_rolled_back() -> None:
    with writing():
        plain_sql.insert(bucket("one"))
        transaction.set_rollback(True)
    with pytest.raises(ZeroDivisionError), writing():
        insert_and_break_off(bucket("two"))
    assert not RateBucket.objects.exists()


def test_whoever_looks_on_sees_each_statement(ready_voice: VoiceClone) -> None:
    with CaptureQueriesContext(connection) as seen, writing():
        plain_sql.insert(event(ready_voice, "odd one"))
        execute("SELECT 1")
    told = [each["sql"] for each in seen if "SAVEPOINT" not in each["sql"]]
    assert [sql.split(" ", 1)[0] for sql in told] == ["INSERT", "SELECT"]


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite keeps a NUL within a text, and what is behind it")
def test_a_text_is_never_cut_short(ready_voice: VoiceClone) -> None:
    with pytest.raises((DataError, ValueError)), transaction.atomic():
        plain_sql.update(VoiceClone, ({"id": ready_voice.pk}, {"name": "cut\0short"}))
    ready_voice.refresh_from_db()
    assert "cut" not in ready_voice.name


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no server that could close a connection")
@pytest.mark.django_db(transaction=True)
def test_a_connection_that_its_server_has_closed_is_replaced_before_anything_is_written() -> None:
    connection.ensure_connection()
    assert not may_have_died()
    close_from_the_other_end()
    check_connection()
    with writing():
        plain_sql.insert(bucket("free"))
    assert RateBucket.objects.exists()


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no server that could close a connection")
@pytest.mark.django_db(transaction=True)
def test_a_connection_that_dies_in_a_transaction_says_so() -> None:
    with pytest.raises(OperationalError), writing():
        execute("SELECT PG_TERMINATE_BACKEND(PG_BACKEND_PID())")
    connection.close()
    assert execute("SELECT 1").rows == [(1,)]
