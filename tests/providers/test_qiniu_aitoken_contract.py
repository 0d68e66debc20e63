"""Qiniu with its experiment switched on: the contract that every provider keeps. The rest is in test_qiniu_aitoken.py."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.portal import speaking_qiniu
from tests.providers.contract import CloningContract, SpeechContract, Stage, TraitsContract, refusal
from tests.sandbox_server import OTHER_QINIU_KEY, OTHER_QINIU_TTS_KEY, QINIU_ACCOUNT, QINIU_KEY, QINIU_TTS_KEY
from voiceclone_site.sandbox.remote import Sandbox
from voices.providers.base import Account
from voices.providers.errors import Refused, StreamBroken, VoiceNotUsable
from voices.providers.qiniu.voice_list import forget_lists


@pytest.fixture(autouse=True)
def _experiment(settings: Settings) -> Iterator[None]:
    settings.PROVIDERS = speaking_qiniu(settings)
    forget_lists()
    yield
    forget_lists()


@pytest.fixture
def stage(sandbox: Sandbox) -> Stage:
    keys = {"api_key": QINIU_KEY, "tts_api_key": QINIU_TTS_KEY}
    first = Account(key="1", credentials=keys, endpoints={"http": sandbox.qiniu_http, "tts": sandbox.qiniu_tts})
    others = {"api_key": OTHER_QINIU_KEY, "tts_api_key": OTHER_QINIU_TTS_KEY}
    wrong = {"api_key": "qiniu-nobodys-key", "tts_api_key": "sk-nobodys-key"}
    return Stage(
        slug="qiniu",
        account=first,
        other_account=dataclasses.replace(first, key="2", credentials=others),
        wrong_key=dataclasses.replace(first, key="3", credentials=wrong),
        ledger_account=QINIU_ACCOUNT,
        create="create_clone",
        train="train_clone",
        unwell={"code": "500"},
        strange={"code": "477"},
        status="get_clone",
        synthesis="qiniu:tts",
        task="qiniu:tts",
        handshake="qiniu:handshake",
    )


class TestTraits(TraitsContract):
    SLUG = "qiniu"


class TestCloning(CloningContract):
    pass


class TestSpeech(SpeechContract):
    def test_a_voice_that_is_not_there_cannot_speak(self, stage: Stage, sandbox: Sandbox, voice: str) -> None:
        # The list says so, before any connection that would have a number.
        error = refusal(lambda: self.spoken(stage, voice[:-4] + "0000"), stage)
        assert type(error) is VoiceNotUsable
        assert error.provider_code == "not-listed"
        assert sandbox.ledger.calls(stage.handshake) == []

    def test_a_voice_in_training_cannot_speak(self, stage: Stage, sandbox: Sandbox, voice: str) -> None:
        sandbox.set_qiniu_state(voice, "Training")
        assert isinstance(refusal(lambda: self.spoken(stage, voice), stage), Refused)
        assert sandbox.ledger.calls(stage.handshake) == []

    @pytest.mark.parametrize("how", ["drop", "reset", "close"])
    def test_a_stream_lost_before_audio_may_be_tried_again(
        self, stage: Stage, sandbox: Sandbox, voice: str, how: str
    ) -> None:
        # Its number comes with the first audio, so there is none to tell; half a frame is the first of audio.
        sandbox.fail(operation=stage.synthesis, how=how)  # type: ignore[arg-type]
        error = refusal(lambda: self.spoken(stage, voice), stage)
        assert isinstance(error, StreamBroken)
        assert error.retryable
        assert error.request_id == ""
        assert len(sandbox.ledger.calls(stage.task)) == 1
        self.test_it_speaks_and_tells_what_it_counted(stage, sandbox, voice)

    def test_a_failed_task_takes_its_connection_with_it(self, stage: Stage, sandbox: Sandbox, voice: str) -> None:
        sandbox.fail(operation=stage.synthesis, how="error")
        refusal(lambda: self.spoken(stage, voice), stage)
        self.spoken(stage, voice)
        assert len(sandbox.ledger.calls(stage.handshake)) == 2
