"""What people, operators and clocks get wrong, by the portal's own doors: the book's sentence, a row that can go on, and nothing
paid for twice."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable

import pytest
from django.core.files.base import ContentFile
from rest_framework.test import APIClient

from synthesis import services as speech
from synthesis.models import SynthesisJob
from tests.cast import token_of
from tests.front import Answer, Portal
from tests.providers.iflytek.test_through_the_portal import order, stock_voice
from tests.recordings import CHINESE_WOMAN, recording
from tests.sandbox_server import IFLYTEK, OTHER_IFLYTEK
from tests.studio import ticked
from tests.worker import finish
from voiceclone_site.accounts.models import User
from voiceclone_site.sandbox.remote import Sandbox
from voices import services
from voices.errors import InvalidInput
from voices.models import ProviderAccount, VoiceClone
from voices.providers.iflytek.auth import forget_tokens

__all__ = ["order", "stock_voice"]

State = VoiceClone.State
Order = Callable[..., VoiceClone]
VOICES, SPEECH = "/api/v1/voices", "/api/v1/speech"
TEXT = "今天天气怎么样？我们出去走走吧。"


class Mouth:
    """Alice's program, which asks for speech by the API."""

    def __init__(self, portal: Portal, alice: User) -> None:
        self.portal, self.alice = portal, alice

    def speak(self, voice: VoiceClone, text: str = TEXT) -> Answer:
        """The answer, heard to its end."""
        answer = self.portal.ask(SPEECH, {"voice": str(voice.pk), "text": text}, token=token_of(self.alice))
        self.portal.until_quiet()
        return answer

    def refused(self, voice: VoiceClone, *, status: int, code: str, provider_code: str, action: str) -> str:
        """Speech is refused so, the job says the same, and nothing of the text was spoken; the sentence."""
        answer = self.speak(voice)
        error = answer.json()["error"]
        said = (answer.status, error["code"], error["provider_code"], error["action"])
        assert said == (status, code, provider_code, action)
        job = SynthesisJob.objects.latest("created_at")
        assert (job.state, job.characters, job.error_code) == ("Failed", 0, code)
        return str(error["message"])


@pytest.fixture
def mouth(portal: Portal, alice: User) -> Mouth:
    return Mouth(portal, alice)


def with_credentials(account: ProviderAccount, **changes: str) -> None:
    account.credentials = {**IFLYTEK, **changes}
    account.save(update_fields=["credentials"])
    forget_tokens()


# --- keys and clocks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [{"api_key": "x" * 32}, {"app_id": "ffffffff"}])
def test_a_training_with_a_wrong_key_or_application_is_told_and_goes_on_when_that_is_put_right(
    order: Order, iflytek_account: ProviderAccount, sandbox: Sandbox, wrong: dict[str, str]
) -> None:
    voice = order()
    with_credentials(iflytek_account, **wrong)
    finish(voice)
    assert (voice.state, voice.error_action) == (State.FAILED, "operator")
    assert voice.error_sentence
    assert sandbox.iflytek_tasks() == []
    with_credentials(iflytek_account)
    services.retrain(voice)
    assert finish(voice).state == State.SUCCESS
    assert len(sandbox.ledger.created("iflytek-1")) == 1


@pytest.mark.parametrize(
    ("wrong", "provider_code"),
    [
        ({"api_key": "x" * 32}, "401"),
        ({"api_secret": "x" * 32}, "401"),
        ({"app_id": "ffffffff"}, "10313"),
    ],
)
def test_speech_with_a_wrong_key_secret_or_application_is_told_as_such(
    mouth: Mouth,
    order: Order,
    iflytek_account: ProviderAccount,
    sandbox: Sandbox,
    wrong: dict[str, str],
    provider_code: str,
) -> None:
    voice = finish(order())
    with_credentials(iflytek_account, **wrong)
    said = mouth.refused(voice, status=502, code="credentials_rejected", provider_code=provider_code, action="operator")
    assert said == "The speech service is not set up correctly. Please tell the operator of this site."
    assert sandbox.ledger.characters("iflytek-1") == 0


def test_a_clock_ten_minutes_off_is_named_and_nothing_is_spoken(
    mouth: Mouth, order: Order, iflytek_account: ProviderAccount, sandbox: Sandbox
) -> None:
    voice = finish(order())
    sandbox.configure(iflytek={"clock_shift": 600})
    said = mouth.refused(voice, status=502, code="clock_skewed", provider_code="403", action="operator")
    assert said.startswith("The clock of this server is wrong")
    assert re.search(r"our clock is (599|60\d) s behind", SynthesisJob.objects.get().error_detail)
    assert sandbox.ledger.calls("ifly:clone") == []


# --- the recording and its training ----------------------------------------------------------------------------------


def test_a_recording_of_41_seconds_is_refused_at_the_door(
    alice_api: APIClient, iflytek_account: ProviderAccount, sandbox: Sandbox
) -> None:
    answer = alice_api.post(
        VOICES,
        {
            "name": "小明",
            "provider": "iflytek",
            "model": "omni_v1",
            "language": "zh",
            "sample": ContentFile(recording(CHINESE_WOMAN, 41), name="me.wav"),
            "reading": "5001-1",
            "consent": "true",
        },
        format="multipart",
    )
    assert answer.status_code == 422
    assert list(answer.json()["error"]["fields"]) == ["sample"]
    assert "at most 40 s" in str(answer.json()["error"]["fields"]["sample"])
    assert not VoiceClone.objects.exists()
    assert sandbox.iflytek_tasks() == []


def test_the_same_task_is_never_trained_twice(
    alice_api: APIClient, order: Order, iflytek_account: ProviderAccount, sandbox: Sandbox
) -> None:
    voice = finish(order())
    answer = alice_api.post(f"{VOICES}/{voice.pk}/retrain", {"consent": "true"}, format="multipart")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "not_supported")
    voice.refresh_from_db()
    assert (voice.state, voice.error_code) == (State.SUCCESS, "")
    assert len(sandbox.ledger.calls("ifly:submitWithAudio")) == len(sandbox.ledger.created("iflytek-1")) == 1


# --- text and voices -------------------------------------------------------------------------------------------------


def test_a_text_of_2001_han_characters_never_reaches_the_provider_in_one_request(
    mouth: Mouth, order: Order, sandbox: Sandbox, alice: User
) -> None:
    voice = finish(order())
    with pytest.raises(InvalidInput) as refused:
        speech.check(alice, voice=voice, text="字" * 2001)
    assert "2000" in str(refused.value.fields["text"])
    assert not SynthesisJob.objects.exists()
    assert sandbox.ledger.calls("ifly:clone") == []

    assert mouth.speak(voice, "字" * 2001).status == 200
    asked = [
        base64.b64decode(call.body["payload"]["text"]["text"]).decode() for call in sandbox.ledger.calls("ifly:clone")
    ]
    assert [len(text) for text in asked] == [2000, 1]
    assert SynthesisJob.objects.get().characters == 2001


def test_a_stock_voice_that_the_provider_does_not_know_any_more_says_so(
    mouth: Mouth, stock_voice: VoiceClone, sandbox: Sandbox
) -> None:
    VoiceClone.objects.filter(pk=stock_voice.pk).update(remote_id="x5_nobody_flow")
    stock_voice.refresh_from_db()
    said = mouth.refused(stock_voice, status=409, code="voice_not_usable", provider_code="10163", action="user")
    assert said == "The provider does not offer this voice any more. Please choose another one."
    stock_voice.refresh_from_db()
    assert stock_voice.state == State.SUCCESS
    assert len(sandbox.ledger.calls("ifly:tts")) == 1


@pytest.mark.parametrize("model", ["standard", "omni_v1"])
def test_a_voice_of_the_other_edition_or_of_another_account_is_not_taken_over(
    alice: User, order: Order, iflytek_account: ProviderAccount, sandbox: Sandbox, model: str
) -> None:
    voice = finish(order())
    remote_id = voice.remote_id
    services.request_delete(voice)
    finish(voice)
    if model == "omni_v1":
        with_credentials(iflytek_account, **OTHER_IFLYTEK)
    imported = finish(
        services.import_voice(
            alice, name="旧声音", provider="iflytek", model=model, language="zh", remote_id=remote_id, consent=ticked()
        )
    )
    assert (imported.state, imported.error_provider_code) == (State.FAILED, "26004")
    assert imported.error_sentence.startswith("The provider does not know this voice with this model.")
    assert sandbox.ledger.characters("iflytek-1") == sandbox.ledger.characters("iflytek-2") == 0


def test_a_voice_of_another_account_cannot_speak(
    mouth: Mouth, order: Order, iflytek_account: ProviderAccount, sandbox: Sandbox
) -> None:
    voice = finish(order())
    with_credentials(iflytek_account, **OTHER_IFLYTEK)
    said = mouth.refused(
        voice,
        status=409,
        code="voice_not_found_at_provider",
        provider_code="26004",
        action="user",
    )
    assert said.startswith("The provider does not know this voice with this model.")
    assert sandbox.ledger.characters("iflytek-2") == 0
