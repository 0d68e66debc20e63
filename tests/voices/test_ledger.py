"""The ledger: what is held, settled and released, and that meters and books agree whatever happens at the same time."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from synthesis import services as speech
from synthesis import settling
from synthesis.errors import ClientLeft
from synthesis.models import SynthesisJob
from tests.rush import rush
from tests.studio import ticked
from voiceclone_site.accounts.models import ApiToken, User
from voiceclone_site.accounts.services import issue_token
from voices import books, ledger, outcomes, plans, reconciling, services
from voices.errors import AccountExhausted, Exhausted, LimitReached, NoRoomLeft, WrongState
from voices.findings import Finding
from voices.ledger import Purpose
from voices.models import LedgerEntry, Meter, ProviderAccount, VoiceClone, VoiceSample

AT_A_PRICE = Decimal(2)


@pytest.fixture
def account(transactional_db: None) -> ProviderAccount:
    """Committed, so that other connections see it; nobody answers at its addresses, and nobody is asked."""
    return account_of("small")


def account_of(name: str, **changes: Any) -> ProviderAccount:
    wanted: dict[str, Any] = {"voice_cap": 10, "enrollment_rate": 1000, "synthesis_rate": 1000}
    return ProviderAccount.objects.create(provider="aliyun", name=name, **(wanted | changes))


@pytest.fixture
def eve(account: ProviderAccount) -> User:
    return User.objects.create_user("eve@example.com")


@pytest.fixture
def voice(account: ProviderAccount, eve: User) -> VoiceClone:
    """A ready voice with its place."""
    made = imported(eve)
    VoiceClone.objects.filter(pk=made.pk).update(state=VoiceClone.State.SUCCESS, due_at=None)
    made.refresh_from_db()
    return made


def imported(owner: User, remote_id: str = "cosyvoice-v3-flash-mine-1") -> VoiceClone:
    return services.import_voice(
        owner,
        name="Mine",
        provider="aliyun",
        model="cosyvoice-v3-flash",
        language="zh",
        remote_id=remote_id,
        consent=ticked(),
    )


@pytest.fixture
def token(eve: User) -> ApiToken:
    row, _secret = issue_token(eve, name="a customer", scopes=["speech"], expires_at=None)
    return row


def order(voice: VoiceClone, text: str = "你好", *, token: int | None = None) -> speech.SpeechOrder:
    return speech.check(voice.owner, voice=voice, text=text, token_id=token)


def used(key: str) -> int:
    return Meter.objects.get(key=key).used


def month() -> str:
    return f"{timezone.localdate():%Y-%m}"


# --- in a rush ---------------------------------------------------------------------------------------------------------


def speak_once(*, number: int, voice: str, token: int | None = None) -> str:
    try:
        speech.submit(order(VoiceClone.objects.select_related("account", "owner").get(pk=voice), "好", token=token))
    except Exhausted as refusal:
        return refusal.code
    return "granted"


def import_once(*, number: int, user: int) -> str:
    try:
        imported(User.objects.get(pk=user), remote_id=f"rush-{number}")
    except Exhausted as refusal:
        return refusal.code
    return "granted"


def end_once(*, number: int, job: str) -> str:
    if number % 2:
        ledger.settle_speech(uuid.UUID(job), characters=3)
    else:
        ledger.release(uuid.UUID(job), Purpose.SPEECH)
    return "ended"


def live_a_little(*, number: int, voice: str, token: int) -> str:
    """Ten random steps of one user of the voice, seeded by `number`: order, cancel, end. Every other one has a token."""
    dice = random.Random(number)
    mine = VoiceClone.objects.select_related("account", "owner").get(pk=voice)
    for _step in range(10):
        waiting = SynthesisJob.objects.filter(state="Queued").order_by("?").first()
        match dice.choice(["submit", "cancel", "settle", "release"]):
            case "submit":
                speak_once(number=number, voice=voice, token=token if number % 2 else None)
            case "cancel" if waiting:
                try:
                    speech.cancel(waiting)
                except WrongState:
                    continue
            case "settle" if waiting:
                ledger.settle_speech(waiting.pk, characters=dice.randint(0, 9), milliseconds=5)
            case "release" if waiting:
                ledger.release(waiting.pk, Purpose.SPEECH)
    return str(mine.name)


def move_it_somehow(*, number: int, findings: list[int], jobs: list[str]) -> str:
    """Three at a time at the same voice: an operator who gives it what was found at the provider, its owner who trains it again,
    and what it has spoken until now is settled."""
    finding = Finding.objects.select_related("voice__account", "account").get(pk=findings[number // 3])
    assert finding.voice is not None
    try:
        match number % 3:
            case 0:
                reconciling.adopt(finding, by="Dana")
            case 1:
                services.retrain(finding.voice)
            case _:
                job = SynthesisJob.objects.select_related("voice__account").get(pk=jobs[number // 3])
                settling.settle_broken(job, settling.Tally(audio_bytes=9, characters=1), ClientLeft(), heard=Path())
    except WrongState:
        return "moved meanwhile"
    return "done"


def speaking(owner: User, number: int) -> SynthesisJob:
    """Of a voice that fails and gives its place back while it speaks."""
    voice = imported(owner, remote_id=f"cosyvoice-{number}")
    VoiceClone.objects.filter(pk=voice.pk).update(state="Success")
    job = speech.record(order(VoiceClone.objects.get(pk=voice.pk)), mode=SynthesisJob.Mode.STREAM)
    outcomes.let_go(voice, place=True)
    VoiceSample.objects.create(voice=voice, filename="eve.wav", size=9, seconds=12, sample_rate=24000, channels=1)
    VoiceClone.objects.filter(pk=voice.pk).update(state="Failed", kind="cloned", remote_id="", due_at=None)
    return job


def orphan_of(voice: VoiceClone) -> Finding:
    return Finding.objects.create(
        account=voice.account, kind=Finding.Kind.ORPHAN, remote_id=f"found-{voice.pk}", voice=voice, is_ours=True
    )


def test_it_locks_a_voice_before_its_owners_meters_whoever_moves_it(
    account: ProviderAccount, eve: User, tmp_path: Path
) -> None:
    plans.change_account(account, by=None, voice_cap=100, character_price=AT_A_PRICE, training_price=AT_A_PRICE)
    jobs = [speaking(eve, number) for number in range(10)]
    findings = [orphan_of(job.voice).pk for job in jobs]
    said = rush(
        "tests.voices.test_ledger.move_it_somehow",
        tmp_path,
        processes=1,
        threads=30,
        findings=findings,
        jobs=[str(job.pk) for job in jobs],
    )
    assert set(said) <= {"done", "moved meanwhile"}
    assert VoiceClone.objects.filter(holds_slot=True, state__in=("Init", "Training")).count() == 10
    assert ProviderAccount.objects.get().voices_held == 10
    assert set(SynthesisJob.objects.values_list("state", "characters")) == {("Cancelled", 1)}
    assert books.discrepancies() == []


def test_it_grants_the_last_character_once_in_a_rush(voice: VoiceClone, tmp_path: Path) -> None:
    plans.change_allowance(voice.owner, by=None, characters_per_month=3)
    said = rush("tests.voices.test_ledger.speak_once", tmp_path, voice=str(voice.pk))
    assert sorted(said) == ["characters_exhausted"] * 49 + ["granted"]
    assert SynthesisJob.objects.count() == 1
    assert books.discrepancies() == []


def test_it_grants_the_last_character_of_a_token_once_in_a_rush(
    voice: VoiceClone, token: ApiToken, tmp_path: Path
) -> None:
    plans.change_budget(token, by=None, characters_per_month=3)
    said = rush("tests.voices.test_ledger.speak_once", tmp_path, voice=str(voice.pk), token=token.pk)
    assert sorted(said) == ["granted"] + ["token_characters_exhausted"] * 49
    assert SynthesisJob.objects.count() == 1
    assert books.discrepancies() == []


def test_it_grants_the_last_place_once_in_a_rush(account: ProviderAccount, eve: User, tmp_path: Path) -> None:
    plans.change_account(account, by=None, voice_cap=1)
    said = rush("tests.voices.test_ledger.import_once", tmp_path, user=eve.pk)
    assert sorted(said) == ["granted"] + ["slots_exhausted"] * 49
    assert VoiceClone.objects.count() == 1
    assert books.discrepancies() == []


def test_it_gives_a_person_their_last_voice_once_in_a_rush(account: ProviderAccount, eve: User, tmp_path: Path) -> None:
    plans.change_account(account, by=None, voice_cap=100)
    plans.change_allowance(eve, by=None, voices=1)
    said = rush("tests.voices.test_ledger.import_once", tmp_path, user=eve.pk)
    assert sorted(said) == ["granted"] + ["voices_exhausted"] * 49
    assert books.discrepancies() == []


def test_it_closes_a_hold_once_in_a_rush(voice: VoiceClone, tmp_path: Path) -> None:
    job = speech.submit(order(voice))
    rush("tests.voices.test_ledger.end_once", tmp_path, job=str(job.pk))
    assert LedgerEntry.objects.filter(row=job.pk).exclude(kind="hold").count() == 1
    assert books.discrepancies() == []


def test_its_meters_are_the_sums_of_its_books_after_any_interleaving(
    voice: VoiceClone, token: ApiToken, tmp_path: Path
) -> None:
    plans.change_account(voice.account, by=None, character_price=AT_A_PRICE, characters_per_day=90)
    plans.change_budget(token, by=None, characters_per_month=30)
    rush("tests.voices.test_ledger.live_a_little", tmp_path, threads=12, voice=str(voice.pk), token=token.pk)
    assert SynthesisJob.objects.count() > 10
    assert books.discrepancies() == []


# --- one after the other -----------------------------------------------------------------------------------------------


class Statements:
    def __init__(self) -> None:
        self.said: list[str] = []

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self.said.append(sql)
        return execute(sql, params, many, context)


@pytest.mark.parametrize("budget", [None, 100])
def test_it_holds_and_records_a_job_in_three_statements(voice: VoiceClone, token: ApiToken, budget: int | None) -> None:
    plans.change_budget(token, by=None, characters_per_month=budget)
    wanted = order(voice, token=token.pk)
    speech.record(wanted, mode=SynthesisJob.Mode.STREAM)  # the first of a month makes its meters
    with connection.execute_wrapper(statements := Statements()):
        speech.record(wanted, mode=SynthesisJob.Mode.STREAM)
    assert [sql.split()[0] for sql in statements.said if "SAVEPOINT" not in sql and sql != "BEGIN IMMEDIATE"] == [
        "UPDATE",
        "INSERT",
        "INSERT",
    ]


def test_it_holds_what_a_job_may_use_and_settles_what_it_has(voice: VoiceClone) -> None:
    voice.account = plans.change_account(voice.account, by=None, character_price=AT_A_PRICE)
    job = speech.submit(order(voice))
    characters = f"user:{voice.owner_id}:characters:{month()}"
    assert (used(characters), used(f"user:{voice.owner_id}:jobs:")) == (4, 1)
    with transaction.atomic():
        ledger.settle_speech(job.pk, characters=6, milliseconds=900)
    assert (used(characters), used(f"user:{voice.owner_id}:jobs:")) == (6, 0)
    assert used(f"account:{voice.account_id}:cost:{timezone.localdate()}") == 6 * 200
    ledger.release(job.pk, Purpose.SPEECH)
    assert used(characters) == 6
    assert books.discrepancies() == []


def test_the_database_itself_takes_no_second_end_of_a_hold(voice: VoiceClone) -> None:
    job = speech.submit(order(voice))
    ledger.release(job.pk, Purpose.SPEECH)
    hold = LedgerEntry.objects.get(row=job.pk, kind="hold")
    closing = LedgerEntry.objects.get(hold=hold)
    closing.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        closing.save(force_insert=True)


def test_it_holds_nothing_when_what_was_to_be_written_fails(voice: VoiceClone) -> None:
    claim = ledger.speech(
        uuid.uuid4(), owner_id=voice.owner_id or 0, voice=voice, characters=5, model=voice.model, token_id=None
    )
    with pytest.raises(ZeroDivisionError), ledger.holding(claim):
        1 / 0  # noqa: B018
    assert not LedgerEntry.objects.filter(purpose=Purpose.SPEECH).exists()
    assert books.discrepancies() == []


def test_it_says_what_is_used_what_is_left_and_when_it_begins_anew(voice: VoiceClone) -> None:
    plans.change_allowance(voice.owner, by=None, characters_per_month=10)
    speech.submit(order(voice))
    with pytest.raises(LimitReached) as refused:
        speech.submit(order(voice, "今天天气怎么样"))
    quota = refused.value.quota
    assert quota is not None
    assert (quota.used, quota.left, quota.limit, quota.asked) == (4, 6, 10, 14)
    assert quota.resets_at is not None
    assert quota.resets_at > timezone.now()
    assert timezone.localtime(quota.resets_at).day == 1
    assert SynthesisJob.objects.count() == 1


def test_a_new_month_begins_by_itself(voice: VoiceClone, monkeypatch: pytest.MonkeyPatch) -> None:
    plans.change_allowance(voice.owner, by=None, characters_per_month=4)
    old = speech.submit(order(voice))
    with pytest.raises(LimitReached):
        speech.submit(order(voice))
    soon = timezone.now() + timedelta(days=32)
    monkeypatch.setattr(timezone, "now", lambda: soon)
    new = speech.submit(order(voice))
    ledger.settle_speech(old.pk, characters=1)
    ledger.settle_speech(new.pk, characters=3)
    assert used(f"user:{voice.owner_id}:characters:{month()}") == 3
    assert books.discrepancies() == []


def test_a_token_is_given_back_what_was_not_used_and_begins_anew_with_the_month(
    voice: VoiceClone, token: ApiToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    voice.account = plans.change_account(voice.account, by=None, character_price=AT_A_PRICE)
    plans.change_budget(token, by=None, characters_per_month=4, spend_per_month=Decimal("0.01"))
    speech.cancel(speech.submit(order(voice, token=token.pk)))
    old = speech.submit(order(voice, token=token.pk))
    assert used(f"token:{token.pk}:cost:{month()}") == 4 * 200
    ledger.settle_speech(
        old.pk, characters=6
    )  # more than was held: settled all the same, and then nothing more is granted
    assert used(f"token:{token.pk}:characters:{month()}") == 6
    with pytest.raises(LimitReached) as refused:
        speech.submit(order(voice, "1", token=token.pk))
    assert refused.value.quota is not None
    assert (refused.value.code, refused.value.quota.left) == ("token_characters_exhausted", 0)
    soon = timezone.now() + timedelta(days=32)
    monkeypatch.setattr(timezone, "now", lambda: soon)
    speech.submit(order(voice, token=token.pk))
    assert used(f"token:{token.pk}:characters:{month()}") == 4
    assert books.discrepancies() == []


def test_of_those_who_come_together_a_token_pays_for_as_many_as_it_can(voice: VoiceClone, token: ApiToken) -> None:
    plans.change_budget(token, by=None, characters_per_month=11)
    wanted = [order(voice, token=token.pk), order(voice), order(voice, token=token.pk), order(voice, token=token.pk)]
    begun = speech.begin_together(wanted)
    assert [getattr(each, "code", "begun") for each in begun] == [*["begun"] * 3, "token_characters_exhausted"]
    for each in begun[:3]:
        assert isinstance(each, speech.Begun)
    ledger.settle_speeches([ledger.Used(each.pk, 3) for each in SynthesisJob.objects.all()])
    assert used(f"token:{token.pk}:characters:{month()}") == 6
    assert books.discrepancies() == []


def test_the_books_of_a_token_that_is_gone_are_closed_all_the_same(
    voice: VoiceClone, token: ApiToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, key = speech.submit(order(voice, token=token.pk)), f"token:{token.pk}:characters:{month()}"
    Meter.objects.filter(key=key).delete()  # as if it had not been there, so that it is made for a token that is gone
    number = token.pk
    token.delete()
    ledger.settle_speech(job.pk, characters=3)
    assert Meter.objects.get(key=key).cap is None
    Meter.objects.filter(key=key).update(used=3)
    assert books.discrepancies() == []
    assert set(LedgerEntry.objects.filter(row=job.pk).values_list("token", flat=True)) == {number}


def test_a_training_is_paid_by_the_token_that_asks_for_it(voice: VoiceClone, token: ApiToken) -> None:
    plans.change_account(voice.account, by=None, training_price=Decimal(5))
    plans.change_budget(token, by=None, spend_per_month=Decimal("9.99"))
    voice.account.refresh_from_db()
    for _time, code in enumerate(["", "token_cost_exhausted"]):
        claim = ledger.training(voice, voice.account, token_id=token.pk)
        if not code:
            with ledger.holding(claim):
                continue
        with pytest.raises(LimitReached) as refused, ledger.holding(claim):
            pass
        assert refused.value.code == code
    assert used(f"token:{token.pk}:cost:{month()}") == 5_000_000
    assert books.discrepancies() == []


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        ({"characters_per_day": 3}, "account_characters_exhausted"),
        ({"spend_per_day": Decimal(0)}, "account_cost_exhausted"),
    ],
)
def test_an_account_is_not_overdrawn(voice: VoiceClone, limit: dict[str, Any], code: str) -> None:
    plans.change_account(voice.account, by=None, **limit)
    with pytest.raises(AccountExhausted) as refused:
        speech.submit(order(voice))
    assert refused.value.code == code
    assert refused.value.resets_at is not None
    assert books.discrepancies() == []


def test_who_has_no_storage_left_does_not_speak(voice: VoiceClone) -> None:
    ledger.add(ledger.audio(uuid.uuid4(), owner_id=voice.owner_id or 0, voice=voice, size=50, token_id=None))
    plans.change_allowance(voice.owner, by=None, storage_bytes=49)
    with pytest.raises(NoRoomLeft):
        speech.submit(order(voice))
    plans.change_allowance(voice.owner, by=None, storage_bytes=50)
    speech.submit(order(voice))


def test_a_new_voice_goes_where_there_is_room(account: ProviderAccount, eve: User) -> None:
    account_of("large", voice_cap=12)
    chosen = [imported(eve, f"voice-{number}").account.name for number in range(22)]
    assert (chosen.count("large"), chosen.count("small")) == (12, 10)
    with pytest.raises(AccountExhausted):
        imported(eve, "one-too-many")


def test_a_stranger_has_limits_of_their_own(voice: VoiceClone, order_for: Callable[[User], object]) -> None:
    plans.change_allowance(voice.owner, by=None, characters_per_month=0)
    mallory = User.objects.create_user("mallory@example.com")
    assert order_for(mallory)


@pytest.fixture
def order_for(account: ProviderAccount) -> Callable[[User], object]:
    def place(owner: User) -> SynthesisJob:
        made = imported(owner, f"of-{owner.pk}")
        VoiceClone.objects.filter(pk=made.pk).update(state=VoiceClone.State.SUCCESS, due_at=None)
        made.refresh_from_db()
        return speech.submit(order(made))

    return place
