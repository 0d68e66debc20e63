"""Every fault the sandbox knows, in the middle of speech: a job ends in words, keeps no half of the audio, and is paid once."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from synthesis import services
from synthesis.models import SynthesisJob
from tests.synthesis.test_speaking import STORY, heard, order, speak, spool_files
from tests.worker import finish
from voiceclone_site.sandbox.faults import At
from voiceclone_site.sandbox.remote import Sandbox
from voices.errors import PortalError
from voices.models import VoiceClone
from voices.providers.errors import ProviderError

State = SynthesisJob.State

FAULTS: list[dict[str, Any]] = [
    {"how": "drop"},
    {"how": "reset"},
    {"how": "close"},
    {"how": "half_json"},
    {"how": "wrong_task_id"},
    {"how": "duplicate_sentence"},
    {"how": "missing_sentence"},
    {"how": "drip", "seconds": 0.001},
    {"how": "error", "code": "Brand.New", "message": "\x00 <script>alert(1)</script>"},
    {"how": "error", "code": "InternalError", "message": "internal"},
    {"how": "error", "code": "Throttling.RateQuota", "message": "limit exceeded"},
]
faults = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault['how']}-{fault.get('code', '')}")
moments = pytest.mark.parametrize("at", get_args(At))


def ended_well(job: SynthesisJob, sandbox: Sandbox) -> None:
    assert job.state in (State.SUCCESS, State.FAILED)
    assert job.has_audio == (job.state == State.SUCCESS)
    assert bool(job.error_sentence) == (job.state == State.FAILED)
    assert job.due_at is None
    assert job.lease_token is None
    assert job.provider_request_id
    assert spool_files() == []


@faults
@moments
def test_it_ends_a_stream_in_words(ready_voice: VoiceClone, sandbox: Sandbox, fault: dict[str, Any], at: At) -> None:
    sandbox.fail(operation="synthesis", at=at, **fault)
    try:
        heard(speak(ready_voice, STORY))
        broken = False
    except (ProviderError, PortalError):
        broken = True
    job = SynthesisJob.objects.get()
    ended_well(job, sandbox)
    assert broken == (job.state == State.FAILED)
    assert len(sandbox.ledger.calls("run-task")) == 1


@faults
@moments
def test_it_pays_for_a_background_job_once(
    ready_voice: VoiceClone, sandbox: Sandbox, fault: dict[str, Any], at: At
) -> None:
    sandbox.fail(operation="synthesis", at=at, **fault)
    job = finish(services.submit(order(ready_voice, STORY)))
    ended_well(job, sandbox)
    assert len(sandbox.ledger.calls("run-task")) <= (1 if at == "after" else 2)


@pytest.mark.parametrize(
    "fault",
    [
        {"how": "drop"},
        {"how": "reset"},
        {"how": "error", "status": 401, "code": "InvalidApiKey"},
        {"how": "error", "status": 503, "code": "ModelUnavailable"},
    ],
)
def test_it_says_why_it_could_not_begin(ready_voice: VoiceClone, sandbox: Sandbox, fault: dict[str, Any]) -> None:
    sandbox.fail(operation="handshake", times=0, **fault)
    with pytest.raises(ProviderError):
        speak(ready_voice)
    job = SynthesisJob.objects.get()
    assert (job.state, job.characters) == (State.FAILED, 0)
    assert job.error_sentence
    assert sandbox.ledger.calls("run-task") == []
