"""A `create` whose answer never came: at most one voice, no blind repetition."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone

from tests.studio import make_due, trained
from tests.worker import drain
from voiceclone_site.sandbox.remote import Sandbox
from voices import advancing, services
from voices.durable import claim, declare_intent
from voices.models import ProviderAccount, VoiceClone
from voices.orders import order_for

State = VoiceClone.State
Order = Callable[..., VoiceClone]


def test_it_adopts_the_voice_whose_answer_was_lost(order_voice: Order, sandbox: Sandbox) -> None:
    sandbox.fail(operation="create_voice", how="drop", at="after")
    voice = order_voice()
    drain()
    voice.refresh_from_db()
    assert voice.state == State.UNKNOWN
    (made,) = sandbox.ledger.created("aliyun-1")

    make_due(voice)
    advancing.advance(voice.pk)

    trained(voice)
    assert voice.remote_id == made
    assert len(sandbox.ledger.calls("create_voice")) == 1
    assert "adopted" in [event.kind for event in voice.events.all()]


def test_it_sends_again_only_after_three_looks_found_nothing(order_voice: Order, sandbox: Sandbox) -> None:
    sandbox.fail(operation="create_voice", how="drop", at="before")
    voice = order_voice()
    drain()
    for _look in range(3):
        assert len(sandbox.ledger.calls("create_voice")) == 1
        voice.refresh_from_db()
        assert voice.state == State.UNKNOWN
        make_due(voice)
        advancing.advance(voice.pk)

    trained(voice)
    assert len(sandbox.ledger.calls("create_voice")) == 2
    assert len(sandbox.ledger.created("aliyun-1")) == 1


def test_it_gives_up_after_the_deadline_and_only_once_it_knows_that_nothing_was_made(
    order_voice: Order, sandbox: Sandbox
) -> None:
    sandbox.fail(operation="create_voice", how="drop", at="before")
    voice = order_voice()
    drain()
    VoiceClone.objects.filter(pk=voice.pk).update(deadline=timezone.now() - timedelta(hours=1))
    for _look in range(3):
        voice.refresh_from_db()
        assert voice.state == State.UNKNOWN, "the deadline says nothing about what the provider has made"
        make_due(voice)
        advancing.advance(voice.pk)
    drain()
    voice.refresh_from_db()
    assert (voice.state, voice.error_code, voice.due_at) == (State.FAILED, "training_timeout", None)
    assert "could not be handed over in time" in voice.error_sentence
    assert len(sandbox.ledger.calls("create_voice")) == 1
    assert ProviderAccount.objects.get().voices_held == 0


def test_it_looks_for_the_voice_when_its_process_died_in_the_middle(order_voice: Order, sandbox: Sandbox) -> None:
    voice = order_voice()
    taken = claim(VoiceClone, voice.pk, lease=timedelta(seconds=90))
    assert taken is not None
    assert declare_intent(taken, "create", lease=timedelta(seconds=90))
    order = order_for(taken)
    taken.account.client().cloning.create(order)  # and then the process is killed

    drain()
    assert len(sandbox.ledger.calls("create_voice")) == 1

    make_due(voice)
    advancing.sweep()
    drain()
    voice.refresh_from_db()
    assert voice.state == State.UNKNOWN
    make_due(voice)
    advancing.advance(voice.pk)
    trained(voice)
    assert len(sandbox.ledger.created("aliyun-1")) == 1


def test_it_removes_what_was_made_twice(order_voice: Order, sandbox: Sandbox) -> None:
    sandbox.fail(operation="create_voice", how="drop", at="after")
    voice = order_voice()
    drain()
    voice.refresh_from_db()
    voice.account.client().cloning.create(order_for(voice))
    assert len(sandbox.ledger.created("aliyun-1")) == 2

    make_due(voice)
    advancing.advance(voice.pk)

    voice.refresh_from_db()
    assert [each["voice_id"] for each in sandbox.voices("aliyun-1")] == [voice.remote_id]
    assert "duplicate_removed" in [event.kind for event in voice.events.all()]


def test_it_waits_while_the_provider_cannot_be_asked(order_voice: Order, sandbox: Sandbox) -> None:
    sandbox.fail(operation="create_voice", how="drop", at="after")
    voice = order_voice()
    drain()
    sandbox.fail(operation="list_voice", how="html")
    make_due(voice)
    advancing.advance(voice.pk)
    voice.refresh_from_db()
    assert voice.state == State.UNKNOWN
    assert voice.looks == 0
    assert voice.due_at is not None
    assert voice.due_at > timezone.now()


def test_it_deletes_what_it_never_heard_of_when_the_owner_is_done(
    order_voice: Order, sandbox: Sandbox, aliyun_account: ProviderAccount
) -> None:
    sandbox.fail(operation="create_voice", how="drop", at="after")
    voice = order_voice()
    drain()
    voice.refresh_from_db()
    services.request_delete(voice)
    drain()
    voice.refresh_from_db()
    aliyun_account.refresh_from_db()
    assert voice.state == State.DELETED
    assert sandbox.voices("aliyun-1") == []
    assert aliyun_account.voices_held == 0


def test_it_deletes_a_voice_that_became_known_while_being_deleted(order_voice: Order, sandbox: Sandbox) -> None:
    voice = order_voice()
    taken = claim(VoiceClone, voice.pk, lease=timedelta(seconds=90))
    assert taken is not None
    services.request_delete(voice)
    drain()  # somebody else holds the lease: nothing happens yet
    voice.refresh_from_db()
    assert voice.state == State.DELETING

    advancing.train(taken)
    make_due(voice)
    advancing.advance(voice.pk)

    voice.refresh_from_db()
    assert voice.state == State.DELETED
    assert sandbox.voices("aliyun-1") == []
