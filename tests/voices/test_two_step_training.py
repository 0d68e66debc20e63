"""A provider that makes a place first, trains it afterwards, and keeps no mark of ours: seen from the services and its ledger."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone

from tests.recordings import MAN, WOMAN, recording, silence, tone
from tests.studio import make_due, ticked, trained
from tests.worker import drain, finish, let_time_pass
from voiceclone_site.accounts.models import User
from voiceclone_site.sandbox.remote import Sandbox
from voices import advancing, services
from voices.durable import claim, declare_intent
from voices.errors import InvalidInput
from voices.models import ProviderAccount, VoiceClone
from voices.orders import order_for

State = VoiceClone.State
Order = Callable[..., VoiceClone]
ACCOUNT = "qiniu-1"


@pytest.fixture
def order(alice: User, qiniu_account: ProviderAccount, public_address: str) -> Order:
    """Take in a recording for Alice; nothing has been sent to the provider yet."""

    def take_in(*, audio: bytes | None = None, **changes: Any) -> VoiceClone:
        wanted: dict[str, Any] = {
            "name": "Annie",
            "provider": qiniu_account.provider,
            "model": qiniu_account.traits.default_model,
            "language": "zh",
            "recording": ContentFile(audio or recording(WOMAN), name="annie.wav"),
            "filename": "annie.wav",
            "consent": ticked(),
        }
        return services.create_voice(alice, **(wanted | changes))

    return take_in


@pytest.fixture(params=["current-body", "legacy-mirror"])
def any_wire(request: pytest.FixtureRequest, sandbox: Sandbox) -> None:
    dialect, transport = request.param.split("-")
    sandbox.configure(qiniu_dialect=dialect, qiniu_transport=transport)


def place_made_elsewhere(sandbox: Sandbox, voice: VoiceClone) -> str:
    """A place that somebody made in the provider's console, or that a lost answer left behind."""
    remote = voice.account.client().cloning.create(order_for(voice))
    return remote.remote_id


def kinds(voice: VoiceClone) -> list[str]:
    return [event.kind for event in voice.events.all()]


def step(voice: VoiceClone) -> VoiceClone:
    make_due(voice)
    advancing.advance(voice.pk)
    voice.refresh_from_db()
    return voice


# --- the usual way -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("any_wire")
def test_it_makes_a_place_trains_it_and_has_a_demo(order: Order, sandbox: Sandbox) -> None:
    voice = order()
    assert sandbox.ledger.entries() == []

    trained(voice)

    assert kinds(voice) == ["created", "place_made", "training_started", "ready"]
    assert sandbox.ledger.created(ACCOUNT) == [voice.remote_id]
    assert voice.provider_state == "Success"
    assert voice.demo_url.startswith(sandbox.origin)
    (row,) = sandbox.qiniu_voices(ACCOUNT)
    assert row["name"] == "Annie"
    assert sandbox.ledger.calls("rename_clone") == []


def test_it_waits_while_the_provider_trains(order: Order, sandbox: Sandbox) -> None:
    sandbox.configure(train_seconds=3600)
    voice = order()
    drain()
    voice.refresh_from_db()
    assert (voice.state, voice.provider_state) == (State.TRAINING, "Training")
    sandbox.set_qiniu_state(voice.remote_id, "Success")
    trained(voice)


def test_it_asks_once_for_all_voices_of_an_account(order: Order, sandbox: Sandbox) -> None:
    sandbox.configure(train_seconds=3600)
    voices = [order(name=f"voice {number}") for number in range(3)]
    drain()
    let_time_pass()
    for voice in voices:
        voice.refresh_from_db()
        sandbox.set_qiniu_state(voice.remote_id, "Success")
        make_due(voice)
    sandbox.ledger.clear()

    advancing.sweep()
    drain()

    assert set(VoiceClone.objects.values_list("state", flat=True)) == {State.SUCCESS}
    assert len(sandbox.ledger.calls("list_clones")) == 1
    assert sandbox.ledger.calls("get_clone") == []


@pytest.mark.usefixtures("any_wire")
def test_it_trains_again_in_the_same_place_after_a_failure(order: Order, sandbox: Sandbox) -> None:
    sandbox.fail(operation="train_clone", how="undeployed")
    voice = finish(order())
    assert (voice.state, voice.provider_state) == (State.FAILED, "Failed")
    assert voice.error_code == "sample_rejected"
    assert voice.holds_slot
    before = voice.remote_id

    services.retrain(
        voice, recording=ContentFile(recording(MAN), name="adam.wav"), filename="adam.wav", consent=ticked()
    )
    trained(voice)

    assert voice.remote_id == before
    assert sandbox.ledger.created(ACCOUNT) == [before]
    assert len(sandbox.ledger.calls("train_clone")) == 2


def test_it_says_that_nobody_speaks_before_anything_is_sent(order: Order, sandbox: Sandbox) -> None:
    for audio in (silence(), tone()):
        with pytest.raises(InvalidInput):
            order(audio=audio)
    assert sandbox.ledger.entries() == []


def test_it_makes_the_voice_anew_when_its_place_is_gone(order: Order, sandbox: Sandbox) -> None:
    voice = trained(order())
    sandbox.remove_qiniu_voice(voice.remote_id)
    services.poll_now(voice)
    drain()
    voice.refresh_from_db()
    assert (voice.state, voice.remote_id) == (State.EXPIRED, "")
    services.retrain(voice)
    trained(voice)
    assert len(sandbox.ledger.created(ACCOUNT)) == 2


# --- an answer that never came -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("any_wire")
def test_it_adopts_the_place_whose_answer_was_lost(order: Order, sandbox: Sandbox) -> None:
    sandbox.fail(operation="create_clone", how="drop", at="after")
    voice = order()
    drain()
    voice.refresh_from_db()
    assert voice.state == State.UNKNOWN
    (made,) = sandbox.ledger.created(ACCOUNT)

    step(voice)
    assert (voice.state, voice.remote_id) == (State.INIT, made)
    trained(voice)

    assert "adopted" in kinds(voice)
    assert len(sandbox.ledger.calls("create_clone")) == 1
    assert len(sandbox.ledger.calls("train_clone")) == 1


def test_it_sends_again_only_after_three_looks_found_nothing(order: Order, sandbox: Sandbox) -> None:
    sandbox.fail(operation="create_clone", how="drop", at="before")
    voice = order()
    drain()
    for _look in range(3):
        assert len(sandbox.ledger.calls("create_clone")) == 1
        voice.refresh_from_db()
        assert voice.state == State.UNKNOWN
        step(voice)
    trained(voice)
    assert len(sandbox.ledger.calls("create_clone")) == 2
    assert len(sandbox.ledger.created(ACCOUNT)) == 1


def test_it_goes_on_looking_while_the_provider_cannot_be_asked(order: Order, sandbox: Sandbox) -> None:
    sandbox.fail(operation="create_clone", how="drop", at="after")
    voice = order()
    drain()
    sandbox.fail(operation="list_clones", how="html")
    step(voice)
    assert (voice.state, voice.looks, voice.intent) == (State.UNKNOWN, 0, "")
    assert voice.due_at is not None
    assert voice.due_at > timezone.now()
    trained(voice)
    assert len(sandbox.ledger.created(ACCOUNT)) == 1


@pytest.mark.parametrize("how", ["drop", "reset", "html", "half_json", "error"])
def test_a_training_whose_answer_was_lost_is_not_paid_twice(order: Order, sandbox: Sandbox, how: Any) -> None:
    sandbox.fail(operation="train_clone", how=how, at="after", status=500)
    voice = order()
    drain()
    voice.refresh_from_db()
    assert (voice.state, voice.error_code) == (State.UNKNOWN, "outcome_unknown")

    trained(voice)

    assert len(sandbox.ledger.calls("train_clone")) == 1
    assert sandbox.ledger.calls("rename_clone") == []


def test_a_training_that_never_arrived_is_sent_once_more(order: Order, sandbox: Sandbox) -> None:
    sandbox.fail(operation="train_clone", how="drop", at="before")
    voice = trained(order())
    assert "not_handed_over" in kinds(voice)
    assert len(sandbox.ledger.calls("train_clone")) == 2
    assert len(sandbox.ledger.entries(operation="trained")) == 1


def test_another_training_that_never_arrived_does_not_pass_for_the_first(order: Order, sandbox: Sandbox) -> None:
    """The voice is ready, but it still speaks like the older recording."""
    voice = trained(order())
    sandbox.fail(operation="train_clone", how="drop", at="before")
    services.retrain(
        voice, recording=ContentFile(recording(MAN), name="adam.wav"), filename="adam.wav", consent=ticked()
    )
    trained(voice)
    assert len(sandbox.ledger.entries(operation="trained")) == 2
    (row,) = sandbox.qiniu_voices(ACCOUNT)
    assert row["demo_sha256"] == row["sha256"]


def test_another_training_whose_answer_was_lost_is_not_paid_twice(order: Order, sandbox: Sandbox) -> None:
    voice = trained(order())
    sandbox.configure(train_seconds=3600)
    sandbox.fail(operation="train_clone", how="drop", at="after")
    services.retrain(
        voice, recording=ContentFile(recording(MAN), name="adam.wav"), filename="adam.wav", consent=ticked()
    )
    drain()
    step(voice)
    assert voice.state == State.TRAINING
    sandbox.set_qiniu_state(voice.remote_id, "Success")
    trained(voice)
    assert len(sandbox.ledger.entries(operation="trained")) == 2


def test_it_looks_before_it_trains_when_its_process_died_in_the_middle(order: Order, sandbox: Sandbox) -> None:
    voice = order()
    taken = claim(VoiceClone, voice.pk, lease=timedelta(seconds=90))
    assert taken is not None
    advancing.train(taken)  # makes the place
    taken = claim(VoiceClone, voice.pk, lease=timedelta(seconds=90))
    assert taken is not None
    assert declare_intent(taken, "train", lease=timedelta(seconds=90))
    taken.account.client().cloning.train(taken.remote_id, order_for(taken))  # and then it is killed

    drain()
    make_due(voice)
    trained(voice)
    assert len(sandbox.ledger.calls("train_clone")) == 1


# --- places that nobody has ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("any_wire")
def test_it_takes_an_empty_place_over_before_it_makes_another(order: Order, sandbox: Sandbox) -> None:
    voice = order()
    waiting = place_made_elsewhere(sandbox, voice)
    trained(voice)
    assert voice.remote_id == waiting
    assert "place_reused" in kinds(voice)
    assert sandbox.ledger.created(ACCOUNT) == [waiting]


def test_it_leaves_alone_what_has_a_name_or_a_voice(order: Order, sandbox: Sandbox) -> None:
    voice = order()
    cloning = voice.account.client().cloning
    named, elsewhere = place_made_elsewhere(sandbox, voice), place_made_elsewhere(sandbox, voice)
    cloning.rename(named, "somebody else's")
    cloning.train(elsewhere, order_for(voice))
    trained(voice)
    assert voice.remote_id not in (named, elsewhere)
    assert list(VoiceClone.objects.values_list("remote_id", flat=True)) == [voice.remote_id]


def test_it_takes_no_place_that_another_voice_has(order: Order, sandbox: Sandbox) -> None:
    sandbox.fail(operation="train_clone", how="error", status=400)
    first = finish(order())
    assert (first.state, first.remote_id != "") == (State.FAILED, True)
    second = trained(order())
    assert second.remote_id != first.remote_id
    assert len(sandbox.ledger.created(ACCOUNT)) == 2


def test_a_place_of_a_deleted_row_is_free_again(order: Order, sandbox: Sandbox) -> None:
    sandbox.fail(operation="create_clone", how="drop", at="after")
    first = order()
    drain()
    first.refresh_from_db()
    services.request_delete(first)
    drain()
    assert trained(order()).remote_id == sandbox.ledger.created(ACCOUNT)[0]
    assert len(sandbox.ledger.created(ACCOUNT)) == 1


def test_two_voices_are_never_made_at_the_same_moment(order: Order, sandbox: Sandbox) -> None:
    """Between another's `create` and the row that knows its place, that place looks like nobody's."""
    first, second = order(name="first"), order(name="second")
    taken = claim(VoiceClone, first.pk, lease=timedelta(seconds=90))
    assert taken is not None
    assert declare_intent(taken, "create", lease=timedelta(seconds=90))

    step(second)

    assert (second.state, second.intent, second.attempts) == (State.INIT, "", 0)
    assert second.due_at is not None
    assert second.due_at > timezone.now()
    assert sandbox.ledger.entries() == []

    make_due(first)  # its process is dead: nobody waits for it any longer
    trained(second)


def test_it_pays_for_nobody_elses_paid_place(order: Order, sandbox: Sandbox) -> None:
    paid = order(enrollment={"tier": "pro"})
    waiting = place_made_elsewhere(sandbox, paid)
    free = order()
    step(free)
    assert free.remote_id != waiting
    trained(paid)
    assert paid.remote_id == waiting


# --- names ---------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("any_wire")
def test_the_provider_is_told_a_new_name_and_does_not_train(order: Order, sandbox: Sandbox) -> None:
    voice = trained(order())
    services.rename(voice, name="奶奶")
    drain()
    (told,) = sandbox.ledger.calls("rename_clone")
    assert told.body == {"name": "奶奶"}
    assert len(sandbox.ledger.calls("train_clone")) == 1
    voice.refresh_from_db()
    assert (voice.state, voice.remote_name, voice.due_at) == (State.SUCCESS, "奶奶", None)


def test_a_name_changed_in_training_is_told_when_that_has_ended(order: Order, sandbox: Sandbox) -> None:
    for outcome in ("Success", "Failed"):
        sandbox.configure(train_seconds=3600)
        voice = order(name="before")
        drain()
        voice.refresh_from_db()
        services.rename(voice, name=outcome)
        drain()
        assert [call for call in sandbox.ledger.calls("rename_clone") if call.voice_id == voice.remote_id] == []
        sandbox.set_qiniu_state(voice.remote_id, outcome)
        finish(voice)
        (told,) = [call for call in sandbox.ledger.calls("rename_clone") if call.voice_id == voice.remote_id]
        assert told.body == {"name": outcome}


def test_a_name_that_cannot_be_told_is_told_later(order: Order, sandbox: Sandbox) -> None:
    voice = trained(order())
    sandbox.fail(operation="rename_clone", how="error", status=500)
    services.rename(voice, name="later")
    finish(voice)
    assert "rename_failed" in kinds(voice)
    assert voice.remote_name == "later"
    assert len(sandbox.ledger.calls("rename_clone")) == 2


def test_a_name_for_a_voice_that_is_gone_shows_that_it_is_gone(order: Order, sandbox: Sandbox) -> None:
    voice = trained(order())
    sandbox.remove_qiniu_voice(voice.remote_id)
    services.rename(voice, name="too late")
    finish(voice)
    assert (voice.state, voice.error_code) == (State.EXPIRED, "voice_not_found_at_provider")


@pytest.mark.parametrize("name", ["字" * 20, "a" * 20, "a" * 18 + "😀", "字1a" * 6])
def test_a_name_has_room_for_twenty(order: Order, sandbox: Sandbox, name: str) -> None:
    trained(order(name=name))
    assert [row["name"] for row in sandbox.qiniu_voices()] == [name]


@pytest.mark.parametrize("name", ["字" * 21, "a" * 21, "a" * 19 + "😀", "", "  ", "a\x00b"])
def test_a_name_that_is_too_long_goes_nowhere(order: Order, sandbox: Sandbox, name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        order(name=name)
    assert list(caught.value.fields) == ["name"]
    voice = trained(order())
    with pytest.raises(InvalidInput):
        services.rename(voice, name=name)
    assert sandbox.ledger.calls("rename_clone") == []


# --- deleting ------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("any_wire")
def test_it_deletes_though_the_answer_looks_like_a_failure(
    order: Order, sandbox: Sandbox, qiniu_account: ProviderAccount
) -> None:
    voice = trained(order())
    sandbox.fail(operation="delete_clone", how="error", status=500, at="after")
    services.request_delete(voice)
    drain()
    voice.refresh_from_db()
    qiniu_account.refresh_from_db()
    assert voice.state == State.DELETED
    assert len(sandbox.ledger.calls("delete_clone")) == 1
    assert qiniu_account.voices_held == 0


def test_it_owes_a_delete_that_failed_until_it_is_done(order: Order, sandbox: Sandbox) -> None:
    voice = trained(order())
    sandbox.fail(operation="delete_clone", how="error", status=500)
    services.request_delete(voice)
    drain()
    voice.refresh_from_db()
    assert voice.state == State.DELETING
    step(voice)
    assert voice.state == State.DELETED
    assert sandbox.qiniu_voices() == []


@pytest.mark.usefixtures("any_wire")
def test_it_takes_a_voice_that_is_already_gone_as_deleted(order: Order, sandbox: Sandbox) -> None:
    voice = trained(order())
    sandbox.remove_qiniu_voice(voice.remote_id)
    services.request_delete(voice)
    assert finish(voice).state == State.DELETED


def test_a_paid_place_is_gone_from_here_and_stays_there(
    order: Order, sandbox: Sandbox, qiniu_account: ProviderAccount
) -> None:
    voice = trained(order(enrollment={"tier": "pro"}))
    sample = voice.sample
    assert sample is not None
    services.request_delete(voice)
    finish(voice)
    assert voice.state == State.DELETED
    assert voice.error_code == "voice_not_deletable"
    assert "kept_by_provider" in kinds(voice)
    sample.refresh_from_db()
    assert sample.erased_at is not None
    assert [row["id"] for row in sandbox.qiniu_voices()] == [voice.remote_id]
    qiniu_account.refresh_from_db()
    assert qiniu_account.voices_held == 1
    assert len(sandbox.ledger.calls("delete_clone")) == 1


# --- what an account has and has not -------------------------------------------------------------------------------------


def test_voices_of_other_people_at_the_account_stay_invisible(order: Order, sandbox: Sandbox) -> None:
    voice = order()
    cloning = voice.account.client().cloning
    foreign = place_made_elsewhere(sandbox, voice)
    cloning.train(foreign, order_for(voice))
    trained(voice)
    let_time_pass()
    assert VoiceClone.objects.count() == 1
    services.request_delete(voice)
    finish(voice)
    assert [row["id"] for row in sandbox.qiniu_voices()] == [foreign]


@pytest.mark.usefixtures("any_wire")
def test_a_wrong_key_is_not_asked_about_again_and_again(
    order: Order, sandbox: Sandbox, qiniu_account: ProviderAccount
) -> None:
    sandbox.configure(train_seconds=3600)
    voice = order()
    drain()
    ProviderAccount.objects.update(credentials={"api_key": "revoked"})
    step(voice)
    assert (voice.state, voice.error_code) == (State.TRAINING, "credentials_rejected")
    assert voice.error_action == "operator"
    assert voice.due_at is not None
    assert voice.due_at >= timezone.now() + timedelta(minutes=4)


def test_no_paid_training_is_left(order: Order, sandbox: Sandbox) -> None:
    sandbox.configure(qiniu_paid_trainings=0)
    voice = finish(order(enrollment={"tier": "pro"}))
    assert (voice.state, voice.error_code) == (State.FAILED, "slots_exhausted")
    assert len(sandbox.ledger.calls("train_clone")) == 1


def test_a_language_of_the_paid_tier_needs_the_paid_tier(order: Order, sandbox: Sandbox) -> None:
    voice = finish(order(language="ja"))
    assert voice.state == State.FAILED
    assert voice.error_action == "user"
    assert sandbox.qiniu_voices() == []
    assert trained(order(language="ja", enrollment={"tier": "pro"})).is_ready


def test_it_hears_of_a_training_that_ended_after_the_deadline(order: Order, sandbox: Sandbox) -> None:
    sandbox.configure(train_seconds=3600)
    voice = order()
    drain()
    VoiceClone.objects.update(deadline=timezone.now() - timedelta(seconds=1))
    step(voice)
    assert (voice.state, voice.error_code) == (State.FAILED, "training_timeout")
    assert voice.due_at is not None
    assert voice.due_at > timezone.now() + timedelta(minutes=50)

    step(voice)
    assert voice.state == State.FAILED
    sandbox.set_qiniu_state(voice.remote_id, "Success")
    step(voice)
    assert (voice.state, voice.error_code) == (State.SUCCESS, "")


def test_it_stops_listening_a_day_after_the_deadline(order: Order, sandbox: Sandbox) -> None:
    sandbox.configure(train_seconds=3600)
    voice = order()
    drain()
    VoiceClone.objects.update(deadline=timezone.now() - timedelta(hours=25))
    step(voice)
    sandbox.ledger.clear()
    step(voice)
    assert (voice.state, voice.due_at) == (State.FAILED, None)
    assert sandbox.ledger.entries() == []


# --- voices from elsewhere -----------------------------------------------------------------------------------------------


def imported(alice: User, remote_id: str, *, name: str = "From elsewhere") -> VoiceClone:
    return services.import_voice(
        alice, name=name, provider="qiniu", model="QN_ACV", language="zh", remote_id=remote_id, consent=ticked()
    )


def test_a_voice_from_elsewhere_is_believed_once_it_is_confirmed(alice: User, order: Order, sandbox: Sandbox) -> None:
    model_voice = order()
    foreign = place_made_elsewhere(sandbox, model_voice)
    model_voice.account.client().cloning.train(foreign, order_for(model_voice))
    voice = finish(imported(alice, foreign))
    assert voice.state == State.SUCCESS
    assert voice.demo_url
    assert sandbox.ledger.calls("rename_clone") == []
    services.rename(voice, name="mine now")
    finish(voice)
    assert [call.body for call in sandbox.ledger.calls("rename_clone")] == [{"name": "mine now"}]


def test_an_empty_place_is_no_voice_to_take_over(alice: User, order: Order, sandbox: Sandbox) -> None:
    empty = place_made_elsewhere(sandbox, order())
    voice = finish(imported(alice, empty))
    assert (voice.state, voice.error_code) == (State.FAILED, "voice_not_usable")
    assert finish(imported(alice, "nobody")).error_code == "voice_not_found_at_provider"
