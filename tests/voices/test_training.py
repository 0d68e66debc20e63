"""How a voice comes to be, seen from the portal's services and from the sandbox's ledger."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.utils import timezone

from tests.providers.loopback import free_port
from tests.recordings import recording, silence
from tests.studio import make_due, ticked, trained
from tests.worker import drain
from voiceclone_site.accounts.models import User
from voiceclone_site.sandbox.remote import Sandbox
from voices import advancing, services
from voices.errors import Exhausted, InvalidInput, NoAccount, SampleRefused, WrongState
from voices.models import ProviderAccount, VoiceClone, VoiceConsent, VoiceSample

State = VoiceClone.State
Order = Callable[..., VoiceClone]


def stored_files() -> list[Path]:
    return [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]


def test_it_trains_a_voice_from_a_recording(order_voice: Order, sandbox: Sandbox) -> None:
    voice = order_voice()
    assert voice.state == State.INIT
    assert sandbox.ledger.calls("create_voice") == []

    trained(voice)

    (created,) = sandbox.ledger.created("aliyun-1")
    assert voice.remote_id == created
    assert voice.tag in created
    assert [event.kind for event in voice.events.all()] == ["created", "training_started", "ready"]


def test_it_keeps_what_was_consented_to(order_voice: Order, alice: User) -> None:
    voice = order_voice()
    consent = VoiceConsent.objects.get(voice=voice)
    assert consent.user == alice
    assert consent.sample == voice.sample
    assert "人工智能" in consent.statement
    assert consent.language == "zh-hans"
    assert consent.address == "127.0.0.1"


def test_it_sends_no_recording_without_consent(order_voice: Order, sandbox: Sandbox) -> None:
    voice = order_voice()
    VoiceConsent.objects.all().delete()
    drain()
    voice.refresh_from_db()
    assert voice.state == State.FAILED
    assert voice.error_code == "consent_missing"
    assert sandbox.ledger.calls("create_voice") == []


def test_it_keeps_nothing_of_a_recording_that_will_not_do(order_voice: Order, aliyun_account: ProviderAccount) -> None:
    with pytest.raises(SampleRefused):
        order_voice(recording=ContentFile(silence(), name="quiet.wav"))
    aliyun_account.refresh_from_db()
    assert not VoiceClone.objects.exists()
    assert not VoiceSample.objects.exists()
    assert stored_files() == []
    assert aliyun_account.voices_held == 0


def test_it_keeps_no_file_when_the_row_cannot_be_stored(order_voice: Order, aliyun_account: ProviderAccount) -> None:
    ProviderAccount.objects.update(voice_cap=0)
    with pytest.raises(Exhausted):
        order_voice()
    assert stored_files() == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": "  "}, "name"),
        ({"name": "x" * 61}, "name"),
        ({"model": "cosyvoice-v99"}, "model"),
        ({"language": "tlh"}, "language"),
        ({"provider": "acme"}, "provider"),
        ({"enrollment": {"max_prompt_audio_length": 99}}, "max_prompt_audio_length"),
        ({"enrollment": {"colour": "blue"}}, "colour"),
    ],
)
def test_it_names_the_field_that_is_wrong(order_voice: Order, wrong: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        order_voice(**wrong)
    assert list(refusal.value.fields) == [field]
    assert not VoiceClone.objects.exists()


def test_it_says_when_no_account_is_open(order_voice: Order) -> None:
    ProviderAccount.objects.update(is_open=False)
    with pytest.raises(NoAccount):
        order_voice()


def test_it_puts_a_new_voice_where_there_is_most_room(order_voice: Order, aliyun_account: ProviderAccount) -> None:
    ProviderAccount.objects.update(voice_cap=2)
    roomy = ProviderAccount.objects.create(
        provider=aliyun_account.provider,
        name="roomy",
        credentials={"api_key": "sk-sandbox-aliyun-2"},
        endpoints=aliyun_account.endpoints,
        voice_cap=5,
    )
    assert order_voice().account == roomy


def test_it_fails_in_words_when_the_provider_rejects_the_voice(order_voice: Order, sandbox: Sandbox) -> None:
    sandbox.fail(operation="create_voice", how="undeployed")
    voice = order_voice()
    drain()
    make_due(voice)
    advancing.advance(voice.pk)
    voice.refresh_from_db()
    assert voice.state == State.FAILED
    assert voice.error_code == "sample_rejected"
    assert voice.provider_state == "UNDEPLOYED"


def test_it_waits_and_asks_again_when_the_provider_is_busy(order_voice: Order, sandbox: Sandbox) -> None:
    sandbox.fail(operation="create_voice", how="error", status=429, code="Throttling.RateQuota")
    voice = order_voice()
    drain()
    voice.refresh_from_db()
    assert voice.state == State.INIT
    assert voice.error_code == "rate_limited"
    assert voice.due_at is not None
    assert voice.due_at > timezone.now()

    make_due(voice)
    trained(voice)
    assert len(sandbox.ledger.created("aliyun-1")) == 1


def test_it_gives_the_place_back_when_nothing_was_made(
    order_voice: Order, sandbox: Sandbox, aliyun_account: ProviderAccount
) -> None:
    sandbox.fail(operation="create_voice", how="error", status=400, code="Audio.AudioSilentError", times=0)
    voice = order_voice()
    aliyun_account.refresh_from_db()
    assert aliyun_account.voices_held == 1
    drain()
    voice.refresh_from_db()
    aliyun_account.refresh_from_db()
    assert voice.state == State.FAILED
    assert aliyun_account.voices_held == 0


def test_it_tells_of_an_unreachable_provider_and_goes_on_trying(
    order_voice: Order, aliyun_account: ProviderAccount
) -> None:
    ProviderAccount.objects.update(endpoints={"http": f"http://127.0.0.1:{free_port()}/api/v1", "websocket": "ws://x"})
    voice = order_voice()
    drain()
    voice.refresh_from_db()
    assert voice.state == State.INIT
    assert voice.error_code == "provider_unreachable"
    assert voice.due_at is not None


def test_it_gives_up_at_the_deadline(order_voice: Order, sandbox: Sandbox) -> None:
    sandbox.configure(train_seconds=3600)
    voice = order_voice()
    drain()
    VoiceClone.objects.update(deadline=timezone.now() - timedelta(seconds=1))
    make_due(voice)
    advancing.advance(voice.pk)
    voice.refresh_from_db()
    assert voice.state == State.FAILED
    assert voice.error_code == "training_timeout"


def test_it_asks_once_for_all_voices_of_an_account(order_voice: Order, sandbox: Sandbox) -> None:
    sandbox.configure(train_seconds=3600)
    voices = [order_voice(name=f"voice {number}") for number in range(3)]
    drain()
    for each in voices:
        each.refresh_from_db()
        sandbox.set_status(each.remote_id, "OK")
        make_due(each)
    sandbox.ledger.clear()

    advancing.sweep()
    drain()

    assert set(VoiceClone.objects.values_list("state", flat=True)) == {State.SUCCESS}
    assert len(sandbox.ledger.calls("list_voice")) == 1
    assert sandbox.ledger.calls("query_voice") == []


def test_it_is_asked_about_sooner_while_somebody_looks(order_voice: Order, sandbox: Sandbox) -> None:
    sandbox.configure(train_seconds=3600)
    voice = order_voice()
    drain()
    voice.refresh_from_db()
    sandbox.set_status(voice.remote_id, "OK")
    assert voice.due_at is not None
    assert voice.due_at > timezone.now()

    services.look_at(voice)
    drain()

    voice.refresh_from_db()
    assert voice.state == State.SUCCESS


def test_it_asks_no_more_than_every_two_seconds_however_many_look(order_voice: Order, sandbox: Sandbox) -> None:
    sandbox.configure(train_seconds=3600)
    voice = order_voice()
    drain()
    sandbox.ledger.clear()
    for _look in range(5):
        voice.refresh_from_db()
        services.look_at(voice)
        drain()
    assert len(sandbox.ledger.calls("query_voice")) == 1


def test_it_trains_again_in_place(ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    services.retrain(
        ready_voice,
        recording=ContentFile(recording("en-us+m3"), name="adam.wav"),
        filename="adam.wav",
        consent=ticked(),
    )
    assert ready_voice.state == State.INIT
    before = ready_voice.remote_id
    trained(ready_voice)
    assert ready_voice.remote_id == before
    assert len(sandbox.ledger.calls("update_voice")) == 1
    assert len(sandbox.ledger.created("aliyun-1")) == 1
    assert ready_voice.consents.count() == 2


def test_it_trains_again_from_the_recording_it_has_after_a_failure(order_voice: Order, sandbox: Sandbox) -> None:
    sandbox.fail(operation="create_voice", how="error", status=400, code="Audio.DecoderError")
    voice = order_voice()
    drain()
    voice.refresh_from_db()
    assert voice.state == State.FAILED

    services.retrain(voice)
    trained(voice)


def test_it_refuses_to_train_a_voice_that_is_in_work(order_voice: Order) -> None:
    with pytest.raises(WrongState):
        services.retrain(order_voice())


def test_it_renames_without_telling_the_provider(ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    sandbox.ledger.clear()
    services.rename(ready_voice, name="  Grandmother ")
    ready_voice.refresh_from_db()
    assert ready_voice.name == "Grandmother"
    assert sandbox.ledger.entries() == []


def test_it_notices_that_a_voice_is_gone_at_the_provider(
    ready_voice: VoiceClone, sandbox: Sandbox, aliyun_account: ProviderAccount
) -> None:
    sandbox.forget_voices()
    services.poll_now(ready_voice)
    drain()
    ready_voice.refresh_from_db()
    aliyun_account.refresh_from_db()
    assert ready_voice.state == State.EXPIRED
    assert aliyun_account.voices_held == 0

    services.retrain(ready_voice)
    trained(ready_voice)
    aliyun_account.refresh_from_db()
    assert aliyun_account.voices_held == 1
