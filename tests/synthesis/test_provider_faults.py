"""Every fault the sandbox knows, in the middle of speech, at both providers that speak: a job ends in words, keeps no half of the
audio, and is paid once.

A connection that is reset is the same error as one that ends: both are held against each driver in tests/providers/contract.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

import pytest
from django.core.files.base import ContentFile

from synthesis import services
from synthesis.models import SynthesisJob
from tests.recordings import CHINESE_WOMAN, recording
from tests.studio import ticked, trained
from tests.synthesis.test_speaking import STORY, heard, order, speak, spool_files
from tests.worker import finish
from voiceclone_site.accounts.models import User
from voiceclone_site.sandbox.faults import At
from voiceclone_site.sandbox.remote import Sandbox
from voices import services as voices
from voices.errors import PortalError
from voices.models import ProviderAccount, VoiceClone
from voices.providers.errors import ProviderError

State = SynthesisJob.State
Fault = dict[str, Any]
HOSTILE = "\x00 <script>alert(1)</script>"


@dataclass(frozen=True)
class Wire:
    """One provider that speaks, as the sandbox calls it."""

    provider: str
    synthesis: str
    task: str
    handshake: str
    faults: tuple[Fault, ...]
    refusals: tuple[Fault, ...]
    """Of the handshake."""


COMMON: tuple[Fault, ...] = (
    {"how": "drop"},
    {"how": "close"},
    {"how": "half_json"},
    {"how": "drip", "seconds": 0.001},
)
ALIYUN = Wire(
    provider="aliyun",
    synthesis="synthesis",
    task="run-task",
    handshake="handshake",
    faults=(
        *COMMON,
        {"how": "wrong_task_id"},
        {"how": "duplicate_sentence"},
        {"how": "missing_sentence"},
        {"how": "error", "code": "Brand.New", "message": HOSTILE},
        {"how": "error", "code": "InternalError", "message": "internal"},
        {"how": "error", "code": "Throttling.RateQuota", "message": "limit exceeded"},
    ),
    refusals=(
        {"how": "error", "status": 401, "code": "InvalidApiKey"},
        {"how": "error", "status": 503, "code": "Busy"},
    ),
)
IFLYTEK = Wire(
    provider="iflytek",
    synthesis="ifly:clone",
    task="ifly:clone",
    handshake="ifly:handshake",
    faults=(
        *COMMON,
        {"how": "bad_base64"},
        {"how": "huge"},
        {"how": "no_sid"},
        {"how": "extra_fields"},
        {"how": "flat_error", "code": "10700", "message": "engine"},
        {"how": "error", "code": "77777", "message": HOSTILE},
        {"how": "error", "code": "10223", "message": "no node"},
        {"how": "error", "code": "11203", "message": "flow control"},
    ),
    refusals=(
        {"how": "error", "status": 401, "message": "HMAC signature does not match"},
        {"how": "error", "status": 403, "message": "a valid date header is required"},
        {"how": "error", "status": 503, "message": "busy"},
    ),
)
WIRES = (ALIYUN, IFLYTEK)
Speaker = Callable[[Wire], VoiceClone]

strikes = pytest.mark.parametrize(
    ("wire", "fault"),
    [
        pytest.param(wire, fault, id=f"{wire.provider}-{fault['how']}-{fault.get('code', '')}")
        for wire in WIRES
        for fault in wire.faults
    ],
)
moments = pytest.mark.parametrize("at", get_args(At))


@pytest.fixture
def voice_at(
    alice: User, aliyun_account: ProviderAccount, iflytek_account: ProviderAccount, public_address: str
) -> Speaker:
    """A voice of Alice's that can speak, at one of the providers."""
    accounts = {account.provider: account for account in (aliyun_account, iflytek_account)}

    def made(wire: Wire) -> VoiceClone:
        traits = accounts[wire.provider].traits
        return trained(
            voices.create_voice(
                alice,
                name="Annie",
                provider=wire.provider,
                model=traits.default_model,
                language="zh",
                recording=ContentFile(recording(CHINESE_WOMAN), name="annie.wav"),
                filename="annie.wav",
                consent=ticked(),
                reading_id="5001-1" if traits.needs_reading_text else "",
            )
        )

    return made


def is_named(wire: Wire, fault: Fault, at: At) -> bool:
    """Whether the provider has come to say what its support would ask for. Aliyun takes a name of ours from the start."""
    return wire is ALIYUN or not (fault["how"] == "no_sid" or (at == "start" and fault["how"] in ("drop", "close")))


def ended_well(job: SynthesisJob) -> None:
    assert job.state in (State.SUCCESS, State.FAILED)
    assert job.has_audio == (job.state == State.SUCCESS)
    assert bool(job.error_sentence) == (job.state == State.FAILED)
    assert job.due_at is None
    assert job.lease_token is None
    assert spool_files() == []


@strikes
@moments
def test_it_ends_a_stream_in_words(voice_at: Speaker, sandbox: Sandbox, wire: Wire, fault: Fault, at: At) -> None:
    voice = voice_at(wire)
    sandbox.fail(operation=wire.synthesis, at=at, **fault)
    try:
        heard(speak(voice, STORY))
        broken = False
    except (ProviderError, PortalError):
        broken = True
    job = SynthesisJob.objects.get()
    ended_well(job)
    assert bool(job.provider_request_id) == is_named(wire, fault, at)
    assert broken == (job.state == State.FAILED)
    assert len(sandbox.ledger.calls(wire.task)) == 1


@strikes
@moments
def test_it_pays_for_a_background_job_once(
    voice_at: Speaker, sandbox: Sandbox, wire: Wire, fault: Fault, at: At
) -> None:
    voice = voice_at(wire)
    sandbox.fail(operation=wire.synthesis, at=at, **fault)
    job = finish(services.submit(order(voice, STORY)))
    ended_well(job)
    assert len(sandbox.ledger.calls(wire.task)) <= (1 if at == "after" and not comes_before_audio(wire, fault) else 2)
    assert job.state == State.FAILED or sandbox.ledger.characters(f"{wire.provider}-1") >= job.characters > 0


def comes_before_audio(wire: Wire, fault: Fault) -> bool:
    """These spoil the first frame of audio itself, whatever they are told, so nothing was heard before them."""
    return wire is IFLYTEK and fault["how"] in ("half_json", "bad_base64", "huge")


@pytest.mark.parametrize(
    ("wire", "fault"),
    [(wire, fault) for wire in WIRES for fault in ({"how": "drop"}, *wire.refusals)],
)
def test_it_says_why_it_could_not_begin(voice_at: Speaker, sandbox: Sandbox, wire: Wire, fault: Fault) -> None:
    voice = voice_at(wire)
    sandbox.fail(operation=wire.handshake, times=0, **fault)
    with pytest.raises(ProviderError):
        speak(voice)
    job = SynthesisJob.objects.get()
    assert (job.state, job.characters) == (State.FAILED, 0)
    assert job.error_sentence
    assert sandbox.ledger.calls(wire.task) == []
