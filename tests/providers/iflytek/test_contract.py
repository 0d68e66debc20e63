"""The contract that every provider keeps. What only this one does is asked in test_against_the_sandbox.py."""

from __future__ import annotations

import dataclasses

import pytest

from tests.portal import iflytek_endpoints
from tests.providers.contract import TEXT, CloningContract, SpeechContract, Stage, TraitsContract, eventually, refusal
from tests.sandbox_server import IFLYTEK, IFLYTEK_ACCOUNT, OTHER_IFLYTEK
from voiceclone_site.sandbox.remote import Sandbox
from voices.providers import ws
from voices.providers.base import Account, Audio, Done
from voices.providers.errors import RateLimited


@pytest.fixture
def stage(sandbox: Sandbox) -> Stage:
    sandbox.configure(iflytek={"signature": "strict"})
    first = Account(key="1", credentials=IFLYTEK, endpoints=iflytek_endpoints(sandbox))
    return Stage(
        slug="iflytek",
        account=first,
        other_account=dataclasses.replace(first, key="2", credentials=OTHER_IFLYTEK),
        wrong_key=dataclasses.replace(first, key="3", credentials={**IFLYTEK, "api_key": "x" * 32}),
        ledger_account=IFLYTEK_ACCOUNT,
        reading="5001-1",
        create="ifly:task/add",
        train="ifly:submitWithAudio",
        failing="mismatch",
        unwell={"code": "99999"},
        strange={"code": "77777"},
        status="ifly:result",
        synthesis="ifly:clone",
        task="ifly:clone",
        handshake="ifly:handshake",
    )


class TestTraits(TraitsContract):
    SLUG = "iflytek"


class TestCloning(CloningContract):
    pass


class TestSpeech(SpeechContract):
    @pytest.mark.parametrize("how", ["drop", "reset", "close", "error"])
    def test_a_stream_lost_after_audio_is_broken_and_not_tried_again(
        self, stage: Stage, sandbox: Sandbox, voice: str, how: str
    ) -> None:
        # Half a frame is the first frame of audio itself here, so it comes before any.
        sandbox.fail(operation=stage.synthesis, how=how, at="after", code="10700")  # type: ignore[arg-type]
        error = refusal(lambda: self.spoken(stage, voice), stage)
        assert not error.retryable
        assert len(sandbox.ledger.calls(stage.task)) == 1

    def test_a_voice_in_training_cannot_speak(self, stage: Stage, sandbox: Sandbox, voice: str) -> None:
        # It has no id to speak with yet: a task's is none.
        task_id = sandbox.iflytek_tasks()[0]["task_id"]
        assert refusal(lambda: self.spoken(stage, task_id), stage).provider_code == "26004"

    def test_a_refusal_for_haste_says_so(self, stage: Stage, sandbox: Sandbox, voice: str) -> None:
        sandbox.fail(operation=stage.synthesis, how="error", at="start", code="11203", message="flow control")
        error = refusal(lambda: self.spoken(stage, voice), stage)
        assert type(error) is RateLimited
        assert error.retryable

    def test_leaving_early_ends_the_task_at_the_provider(self, stage: Stage, sandbox: Sandbox, voice: str) -> None:
        # The provider tells by the one session that the account may have: it is free again.
        sandbox.configure(speed=1, iflytek={"concurrent": 1})
        spoken = ws.speak(stage.speech(), self.request(stage, voice, text=TEXT * 20))
        next(event for event in spoken if isinstance(event, Audio))
        assert type(refusal(lambda: self.spoken(stage, voice), stage)) is RateLimited
        spoken.close()
        sandbox.configure(speed=0)
        eventually(lambda: self._has_room(stage, voice))
        assert sandbox.ledger.characters(stage.ledger_account) < len(TEXT * 20)

    def _has_room(self, stage: Stage, voice: str) -> bool:
        try:
            return isinstance(self.spoken(stage, voice)[-1], Done)
        except RateLimited:
            return False
