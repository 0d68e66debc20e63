"""iFlytek as the portal drives it: from a recording to a voice that speaks, and what goes wrong on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.utils.translation import override

from synthesis import services as speaking
from synthesis.models import SynthesisJob
from tests.listening import listen
from tests.recordings import CHINESE_WOMAN, recording
from tests.studio import ticked
from tests.worker import drain, finish
from voiceclone_site.accounts.models import User
from voiceclone_site.sandbox.remote import Sandbox
from voices import services, stock
from voices.errors import InvalidInput, NotSupported, SampleRefused
from voices.failures import shown
from voices.models import ProviderAccount, VoiceClone

State = VoiceClone.State
Order = Callable[..., VoiceClone]

TEXT = "今天天气怎么样？我们出去走走吧。"


@pytest.fixture
def order(alice: User, iflytek_account: ProviderAccount, public_address: str) -> Order:
    def taken_in(**changes: Any) -> VoiceClone:
        wanted: dict[str, Any] = {
            "name": "小明",
            "provider": "iflytek",
            "model": "omni_v1",
            "language": "zh",
            "recording": ContentFile(recording(CHINESE_WOMAN), name="me.wav"),
            "filename": "me.wav",
            "consent": ticked(),
            "reading_id": "5001-1",
        }
        return services.create_voice(alice, **(wanted | changes))

    return taken_in


@pytest.fixture
def stock_voice(iflytek_account: ProviderAccount) -> VoiceClone:
    stock.offer(iflytek_account)
    return VoiceClone.objects.get(remote_id="x5_lingxiaoxuan_flow")


def spoken(owner: User, voice: VoiceClone, text: str = TEXT, **changes: Any) -> tuple[bytes, SynthesisJob]:
    stream = speaking.speak(speaking.check(owner, voice=voice, text=text, **changes))
    try:
        heard = b"".join(stream)
    finally:
        stream.close()
    stream.job.refresh_from_db()
    return heard, stream.job


def test_a_recording_becomes_a_voice_by_one_task_and_one_submission(order: Order, sandbox: Sandbox) -> None:
    voice = finish(order())
    (task,) = sandbox.iflytek_tasks()
    assert (voice.state, voice.remote_id) == (State.SUCCESS, task["res_id"])
    assert task["order"]["third_user"] == voice.tag
    assert [event.kind for event in voice.events.all()] == ["created", "place_made", "training_started", "ready"]
    assert len(sandbox.ledger.calls("ifly:submitWithAudio")) == 1
    assert sandbox.ledger.calls("ifly:submit") == []


def test_the_voice_speaks_as_its_sample_does(order: Order, alice: User) -> None:
    voice = finish(order())
    heard, job = spoken(alice, voice, audio_format="wav", parameters={"rhy": "1"})
    assert job.state == "Success"
    assert job.characters == len(TEXT)
    assert listen(heard).f0 == pytest.approx(listen(recording(CHINESE_WOMAN)).f0, rel=0.15)
    assert [mark["text"] for mark in job.marks if mark["text"]] == [sign for sign in TEXT if sign not in "？。"]


def test_a_standard_voice_speaks_its_own_language_without_being_told(
    order: Order, alice: User, sandbox: Sandbox
) -> None:
    voice = finish(order(model="standard", language="en"))
    spoken(alice, voice, "Good morning.")
    (entry,) = sandbox.ledger.calls("ifly:clone")
    tts = entry.body["parameter"]["tts"]
    assert (tts["vcn"], tts["LanguageID"]) == ("x5_clone", 1)


def test_a_stock_voice_is_everybodys_and_says_what_it_is(stock_voice: VoiceClone, alice: User) -> None:
    assert stock_voice in VoiceClone.objects.visible_to(alice)
    assert stock_voice.is_stock
    heard, job = spoken(alice, stock_voice, parameters={"rhy": "1", "oral_level": "high"})
    assert listen(heard).duration > 2
    assert job.marks


def test_a_stock_voice_takes_a_longer_text_than_a_cloned_one(
    stock_voice: VoiceClone, alice: User, order: Order
) -> None:
    text = "字" * 2001
    assert speaking.check(alice, voice=stock_voice, text=text).characters == 2001
    voice = finish(order())
    for long in (text, "😀" * 1600):
        with pytest.raises(InvalidInput) as caught:
            speaking.check(alice, voice=voice, text=long)
        assert list(caught.value.fields) == ["text"]


@pytest.mark.parametrize("audio_format", ["opus", "speex"])
def test_a_format_that_could_not_be_played_is_refused_in_words(
    audio_format: str, stock_voice: VoiceClone, alice: User
) -> None:
    with pytest.raises(InvalidInput) as caught:
        speaking.check(alice, voice=stock_voice, text=TEXT, audio_format=audio_format)
    with override("en"):
        assert "mp3, wav, pcm" in str(caught.value.fields["format"][0])


def test_a_sentence_must_be_chosen_and_be_one_of_those_offered(order: Order) -> None:
    for wrong in ("", "5001-99", "5002-1"):
        with pytest.raises(InvalidInput) as caught:
            order(reading_id=wrong)
        assert list(caught.value.fields) == ["reading"]


@pytest.mark.parametrize(("seconds", "rate"), [(41, 24000), (4, 24000), (12, 16000)])
def test_a_recording_that_the_provider_would_not_take_is_not_kept(seconds: int, rate: int, order: Order) -> None:
    wrong = ContentFile(recording(CHINESE_WOMAN, seconds, rate=rate), name="me.wav")
    with pytest.raises(SampleRefused):
        order(recording=wrong)
    assert not VoiceClone.objects.exists()


def test_nobody_trains_the_model_of_the_stock_voices(order: Order) -> None:
    with pytest.raises(InvalidInput) as caught:
        order(model="super_humanoid")
    assert list(caught.value.fields) == ["model"]


def test_a_reading_that_does_not_match_fails_in_words_and_can_be_recorded_again(order: Order, sandbox: Sandbox) -> None:
    sandbox.fail(operation="ifly:submitWithAudio", how="mismatch")
    voice = finish(order())
    assert (voice.state, voice.error_code, voice.error_action) == (State.FAILED, "sample_rejected", "user")
    with override("en"):
        assert "does not match the sentence" in shown(voice.error_sentence)
    services.retrain(
        voice,
        recording=ContentFile(recording(CHINESE_WOMAN), name="me.wav"),
        filename="me.wav",
        consent=ticked(),
        reading_id="5001-2",
    )
    assert finish(voice).state == State.SUCCESS
    assert [task["status"] for task in sandbox.iflytek_tasks()] == [0, 1]


@pytest.mark.parametrize("at", ["before", "after"])
def test_a_submission_whose_answer_is_lost_is_paid_for_once(at: str, order: Order, sandbox: Sandbox) -> None:
    sandbox.fail(operation="ifly:submitWithAudio", how="reset", at=at)  # type: ignore[arg-type]
    voice = finish(order())
    assert voice.state == State.SUCCESS
    assert len(sandbox.iflytek_tasks()) == len(sandbox.ledger.created("iflytek-1")) == 1


def test_a_token_that_expires_with_every_call_costs_nothing_twice(order: Order, sandbox: Sandbox) -> None:
    sandbox.configure(iflytek={"token_calls": 1})
    assert finish(order()).state == State.SUCCESS
    assert len(sandbox.ledger.created("iflytek-1")) == 1


def test_a_full_contract_queues_the_voice_and_it_goes_on_by_itself(order: Order, sandbox: Sandbox) -> None:
    sandbox.fail(operation="ifly:submitWithAudio", how="error", code="10018", message="路数不足", status=200)
    voice = order()
    drain()
    voice.refresh_from_db()
    assert (voice.state, voice.error_provider_code) == (State.INIT, "10018")
    assert finish(voice).state == State.SUCCESS


@pytest.mark.parametrize("code", [10016, 10017, 10019, 10020, 10021])
def test_a_matter_of_the_contract_is_the_operators(code: int, order: Order, sandbox: Sandbox) -> None:
    voice = order()
    sandbox.fail(operation="ifly:task/add", how="error", code=str(code), message="no", status=200)
    finish(voice)
    assert (voice.state, voice.error_provider_code, voice.error_action) == (State.FAILED, str(code), "operator")
    assert sandbox.iflytek_tasks() == []


def test_deleting_is_of_the_portal_alone_and_said_so(order: Order, sandbox: Sandbox) -> None:
    voice = finish(order())
    before = len(sandbox.ledger.entries(direction="in"))
    services.request_delete(voice)
    assert finish(voice).state == State.DELETED
    assert len(sandbox.ledger.entries(direction="in")) == before
    assert str(voice.traits.delete_note)


def test_a_trained_voice_is_not_trained_again(order: Order) -> None:
    voice = finish(order())
    with pytest.raises(NotSupported):
        services.retrain(voice)


def test_a_voice_that_was_trained_elsewhere_is_taken_over(order: Order, alice: User, sandbox: Sandbox) -> None:
    elsewhere = finish(order())
    remote_id = elsewhere.remote_id
    services.request_delete(elsewhere)
    finish(elsewhere)

    def taken_over(model: str) -> VoiceClone:
        return finish(
            services.import_voice(
                alice,
                name="旧声音",
                provider="iflytek",
                model=model,
                language="zh",
                remote_id=remote_id,
                consent=ticked(),
            )
        )

    wrong = taken_over("standard")
    assert (wrong.state, wrong.error_provider_code) == (State.FAILED, "26004")
    services.request_delete(wrong)
    finish(wrong)
    voice = taken_over("omni_v1")
    assert voice.state == State.SUCCESS
    assert sandbox.ledger.characters("iflytek-1") == 1
    assert spoken(alice, voice)[1].state == "Success"
