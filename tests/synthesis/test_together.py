"""What comes or ends at the same time shares one visit to the database, and nobody pays for what is amiss with another."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Sequence
from pathlib import Path

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.http import Http404
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from synthesis import services, settling
from synthesis.models import SynthesisJob
from synthesis.relay import Relay, _renew_all
from synthesis.services import Begun, SpeechOrder
from synthesis.settling import Heard, Tally, settle_together
from tests.cast import token_of
from tests.synthesis.test_speaking import order
from voiceclone_site.accounts.errors import TokenRevoked, TokenUnknown, TooManyRequests
from voiceclone_site.accounts.models import ApiToken, User
from voiceclone_site.accounts.services import revoke_token
from voiceclone_site.speech.admission import Admitted, Asking, Caller, admit_together
from voiceclone_site.speech.dialect import SpeechWish, Token, VoiceRef
from voiceclone_site.speech.native import naming
from voices import books, plans
from voices.errors import Busy, InvalidInput, LimitReached
from voices.models import Meter, ProviderAccount, VoiceClone
from voices.threads import DatabaseThreads, Together

State = SynthesisJob.State

SOUND = bytes(3200)


@pytest.fixture
def token(alice: User) -> str:
    return token_of(alice)


def asking(voice: VoiceClone, token: str, *, text: str = "你好", wrong: Exception | None = None) -> Asking:
    wish = SpeechWish(VoiceRef(str(voice.pk)), text, audio_format="pcm")
    return Asking(Token(token), wrong or wish, naming, Caller("127.0.0.1"))


def begun(orders: Sequence[SpeechOrder]) -> list[SynthesisJob]:
    return [each.job for each in services.begin_together(orders) if isinstance(each, Begun)]


def orders(voice: VoiceClone, count: int) -> list[SpeechOrder]:
    return [order(voice, text="你好", audio_format="pcm") for _each in range(count)]


def heard(job: SynthesisJob, sound: bytes = SOUND) -> Heard:
    return Heard(job, Tally(audio_bytes=len(sound), characters=4, first_audio_ms=1, ended=True), None, [sound])


def states() -> list[str]:
    return sorted(SynthesisJob.objects.values_list("state", flat=True))


def stored_files() -> list[Path]:
    return [path for path in (Path(settings.MEDIA_ROOT) / "speech").rglob("*") if path.is_file()]


# --- coming together -----------------------------------------------------------------------------------------------------


def test_it_lets_many_in_for_as_many_statements_as_one(ready_voice: VoiceClone, token: str) -> None:
    admit_together([asking(ready_voice, token)])
    with CaptureQueriesContext(connection) as one:
        admit_together([asking(ready_voice, token)])
    with CaptureQueriesContext(connection) as many:
        let_in = admit_together([asking(ready_voice, token) for _each in range(20)])
    assert all(isinstance(each, Admitted) for each in let_in)
    assert len(many) == len(one)
    assert len(set(SynthesisJob.objects.values_list("pk", flat=True))) == 22
    assert list(books.discrepancies()) == []


def test_each_is_refused_for_its_own_reason_and_nobody_for_anothers(
    ready_voice: VoiceClone, token: str, alice: User, charlie: User
) -> None:
    revoked = token_of(alice)
    revoke_token(ApiToken.objects.latest("pk"))
    wrong = InvalidInput(fields={"text": ["no"]})
    answers = admit_together(
        [
            asking(ready_voice, revoked),
            asking(ready_voice, token),
            asking(ready_voice, token_of(charlie)),
            asking(ready_voice, token, text=" "),
            asking(ready_voice, "vcp_nobody", wrong=wrong),
            asking(ready_voice, token, wrong=wrong),
            asking(ready_voice, token),
        ]
    )
    kinds = [type(each) for each in answers]
    assert kinds[:4] == [TokenRevoked, Admitted, Http404, InvalidInput]
    assert answers[4] is not wrong, "who asks comes first"
    assert kinds[5:] == [InvalidInput, Admitted]
    assert states() == [State.RUNNING] * 2


def test_the_last_request_of_a_minute_is_let_in_and_the_next_is_not(
    ready_voice: VoiceClone, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voiceclone_site.accounts.limits.time.time", lambda: 1_800_000_000.0)
    ApiToken.objects.update(requests_per_minute=3)
    group = [asking(ready_voice, token) for _each in range(5)]
    answers = admit_together(group)
    assert [type(each) for each in answers] == [Admitted] * 3 + [TooManyRequests] * 2
    assert [each.caller.standing.used for each in group if each.caller.standing] == [1, 2, 3, 4, 5]


def test_it_takes_what_is_left_of_a_limit_and_refuses_the_rest(ready_voice: VoiceClone, alice: User) -> None:
    plans.change_allowance(alice, by=None, characters_per_month=10)
    answers = services.begin_together(orders(ready_voice, 4))
    assert [type(each) for each in answers] == [Begun, Begun, LimitReached, LimitReached]
    assert Meter.objects.get(key__contains="user", measure="characters").used == 8
    assert list(books.discrepancies()) == []


def test_it_hands_out_the_slots_of_a_rate_in_their_order_and_no_more(
    ready_voice: VoiceClone, aliyun_account: ProviderAccount
) -> None:
    ProviderAccount.objects.update(synthesis_rate=1)
    ready_voice.refresh_from_db()
    answers = services.begin_together(orders(ready_voice, 5))
    waits = [each.wait for each in answers if isinstance(each, Begun)]
    assert waits == pytest.approx([0, 1, 2], abs=0.2)
    assert [type(each) for each in answers[3:]] == [Busy, Busy]
    assert SynthesisJob.objects.count() == 3


def test_one_alone_tries_an_account_whose_circuit_is_open(
    ready_voice: VoiceClone, aliyun_account: ProviderAccount
) -> None:
    ProviderAccount.objects.update(circuit=ProviderAccount.Circuit.OPEN, circuit_next_at=None)
    ProviderAccount.objects.update(circuit_next_at=ready_voice.created_at)
    ready_voice.refresh_from_db()
    assert len(begun(orders(ready_voice, 3))) == 1


def test_who_has_begun_has_begun_though_the_database_goes_away_behind_it(
    ready_voice: VoiceClone, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans.change_allowance(alice, by=None, characters_per_month=10)
    begin = services._begin

    def away_after_the_first(drafts: Sequence[SynthesisJob]) -> list[Begun]:
        if SynthesisJob.objects.exists():
            raise OperationalError
        return begin(drafts)

    monkeypatch.setattr(services, "_begin", away_after_the_first)
    answers = services.begin_together(orders(ready_voice, 3))
    assert [type(each) for each in answers] == [Begun, OperationalError, OperationalError]
    assert SynthesisJob.objects.count() == 1


# --- ending together -----------------------------------------------------------------------------------------------------


def test_it_settles_many_for_as_many_statements_as_one(ready_voice: VoiceClone) -> None:
    jobs = begun(orders(ready_voice, 12))
    settle_together([heard(jobs[0])])
    with CaptureQueriesContext(connection) as one:
        settle_together([heard(jobs[1])])
    with CaptureQueriesContext(connection) as many:
        assert settle_together([heard(job) for job in jobs[2:]]) == [None] * 10
    assert len(many) == len(one)
    assert states() == [State.SUCCESS] * 12
    assert len(stored_files()) == 12
    assert list(books.discrepancies()) == []
    for job in SynthesisJob.objects.all():
        assert (job.characters, job.audio_bytes, job.events.count()) == (4, len(SOUND), 1)


def test_what_is_no_audio_fails_alone(ready_voice: VoiceClone) -> None:
    good, bad, fine = begun(orders(ready_voice, 3))
    errors = settle_together([heard(good), heard(bad, b"x"), heard(fine)])
    assert [error is None for error in errors] == [True, False, True]
    assert states() == [State.FAILED, State.SUCCESS, State.SUCCESS]
    assert len(stored_files()) == 2
    assert list(books.discrepancies()) == []


def test_what_somebody_else_has_settled_stays_as_it_is(ready_voice: VoiceClone) -> None:
    jobs = begun(orders(ready_voice, 3))
    SynthesisJob.objects.filter(pk=jobs[1].pk).update(lease_token=uuid.uuid4())
    assert settle_together([heard(job) for job in jobs]) == [None] * 3
    assert states() == [State.RUNNING, State.SUCCESS, State.SUCCESS]
    assert len(stored_files()) == 2


def test_a_hold_that_was_closed_already_is_closed_once(ready_voice: VoiceClone) -> None:
    jobs = begun(orders(ready_voice, 3))
    copies = [SynthesisJob.objects.select_related("voice__account").get(pk=job.pk) for job in jobs]
    assert settle_together([heard(jobs[0])]) == [None]
    assert settle_together([heard(job) for job in copies]) == [None] * 3
    assert states() == [State.SUCCESS] * 3
    assert len(stored_files()) == 3
    assert list(books.discrepancies()) == []


@pytest.mark.parametrize("count", [1, 3])
def test_a_sound_stays_whose_commit_came_through_and_its_answer_did_not(
    ready_voice: VoiceClone, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    jobs = begun(orders(ready_voice, count))
    write = settling._write
    written: list[bool] = []

    def lost(endings: Sequence[settling._Ending]) -> bool:
        answer = write(endings)
        if not written:
            written.append(answer)
            raise OperationalError
        return answer

    monkeypatch.setattr(settling, "_write", lost)
    settle_together([heard(job) for job in jobs])
    assert states() == [State.SUCCESS] * count
    assert all(job.audio.storage.exists(str(job.audio.name)) for job in SynthesisJob.objects.all())
    assert list(books.discrepancies()) == []


def test_who_waits_for_a_slow_storage_keeps_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    job, renewed = SynthesisJob(lease_token=uuid.uuid4()), threading.Event()

    def store_slowly(heard: Sequence[Heard]) -> list[Exception | None]:
        return [None if renewed.wait(5) else TimeoutError() for _each in heard]

    def renew(held: dict[uuid.UUID, uuid.UUID | None]) -> set[uuid.UUID]:
        if held == {job.pk: job.lease_token}:
            renewed.set()
        return set()

    monkeypatch.setattr("synthesis.relay.RENEW_EVERY", 0.01)
    monkeypatch.setattr("synthesis.relay.spoken_through_lately", list)
    monkeypatch.setattr("synthesis.relay._close_whole", store_slowly)
    monkeypatch.setattr("synthesis.relay._renew_all", renew)

    async def settle() -> None:
        relay = Relay(refuse=services.refuse, threads=1)
        await relay.start()
        try:
            await relay.settle(heard(job))
        finally:
            await relay.stop()

    asyncio.run(settle())


def test_all_leases_are_renewed_at_once_and_it_says_whose_are_gone(ready_voice: VoiceClone) -> None:
    ours, stopped, taken = begun(orders(ready_voice, 3))
    now = timezone.now()
    SynthesisJob.objects.update(lease_until=now)
    SynthesisJob.objects.filter(pk=stopped.pk).update(cancel_requested_at=now)
    SynthesisJob.objects.filter(pk=taken.pk).update(lease_token=uuid.uuid4())
    assert _renew_all({job.pk: job.lease_token for job in (ours, stopped, taken)}) == {stopped.pk, taken.pk}
    later = SynthesisJob.objects.filter(lease_until__gt=now).values_list("pk", flat=True)
    assert set(later) == {ours.pk, stopped.pk}


# --- the groups themselves -----------------------------------------------------------------------------------------------


def test_all_that_came_while_a_thread_was_busy_is_done_together() -> None:
    groups: list[list[int]] = []

    def work(asked: Sequence[int]) -> list[int | Exception]:
        groups.append(list(asked))
        return [ValueError(each) if each == 3 else each * 2 for each in asked]

    async def ask() -> list[int | BaseException]:
        threads = DatabaseThreads(1, name="a test")
        together = Together(threads, work, most=4)
        gone = together.ask(0)
        gone.cancel()
        answers = await asyncio.gather(*(together.ask(each) for each in range(1, 7)), return_exceptions=True)
        threads.close()
        return answers

    answers = asyncio.run(ask())
    assert [type(each) for each in answers] == [int, int, ValueError, int, int, int]
    assert [each for each in answers if isinstance(each, int)] == [2, 4, 8, 10, 12]
    assert groups == [[1, 2, 3], [4, 5, 6]]


def test_what_ends_a_group_is_told_to_all_of_it_and_the_next_goes_on() -> None:
    def work(asked: Sequence[int]) -> list[int | Exception]:
        if 1 in asked:
            raise TokenUnknown
        return list(asked)

    async def ask() -> list[int | BaseException]:
        threads = DatabaseThreads(1, name="a test")
        together = Together(threads, work, most=2)
        answers = await asyncio.gather(*(together.ask(each) for each in range(4)), return_exceptions=True)
        threads.close()
        return answers

    answers = asyncio.run(ask())
    assert [type(each) for each in answers] == [TokenUnknown, TokenUnknown, int, int]
