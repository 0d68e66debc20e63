"""A request with an Idempotency-Key happens once: repeated, in a rush, and after a process died in the middle."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections
from django.utils import timezone
from rest_framework.test import APIClient

from synthesis.models import SynthesisJob
from tests.cast import program_with, token_of
from tests.recordings import WOMAN, recording
from tests.studio import make_due
from tests.worker import drain, finish
from voiceclone_site.accounts.models import User
from voiceclone_site.sandbox.remote import Sandbox
from voices import idempotency
from voices.models import IdempotencyKey, ProviderAccount, VoiceClone

KEY = {"HTTP_IDEMPOTENCY_KEY": "4f1c-once"}
JOBS, SPEECH, VOICES = "/api/v1/jobs", "/api/v1/speech", "/api/v1/voices"


def post(api: APIClient, address: str, body: dict[str, Any], **extra: Any) -> Any:
    return api.post(address, body, format="json", **extra)


def wish(voice: VoiceClone, text: str = "Hello.") -> dict[str, Any]:
    return {"voice": str(voice.pk), "text": text}


def clone(api: APIClient, *, name: str = "Annie", **extra: Any) -> Any:
    sample = SimpleUploadedFile("annie.wav", recording(WOMAN))
    return api.post(VOICES, {"name": name, "consent": "true", "language": "en", "sample": sample}, **extra)


def test_it_gives_the_same_answer_to_the_same_request(alice_api: APIClient, ready_voice: VoiceClone) -> None:
    first = post(alice_api, JOBS, wish(ready_voice), **KEY)
    again = post(alice_api, JOBS, wish(ready_voice), **KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again["Location"] == first["Location"]
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert SynthesisJob.objects.count() == 1


def test_it_makes_one_voice_of_a_form_that_is_sent_twice(alice_api: APIClient, aliyun_account: ProviderAccount) -> None:
    first, again = clone(alice_api, **KEY), clone(alice_api, **KEY)
    assert first.status_code == 201, first.content
    assert again.json()["id"] == first.json()["id"]
    aliyun_account.refresh_from_db()
    assert (VoiceClone.objects.count(), aliyun_account.voices_held) == (1, 1)


def test_it_refuses_another_request_with_the_same_key(alice_api: APIClient, ready_voice: VoiceClone) -> None:
    post(alice_api, JOBS, wish(ready_voice), **KEY)
    other = post(alice_api, JOBS, wish(ready_voice, "Something else."), **KEY)
    assert other.status_code == 422
    assert other.json()["error"]["code"] == "idempotency_key_reused"
    assert clone(alice_api, **KEY).status_code == 422
    assert SynthesisJob.objects.count() == 1


def test_keys_are_each_persons_own(alice_api: APIClient, charlie_api: APIClient, ready_voice: VoiceClone) -> None:
    post(alice_api, JOBS, wish(ready_voice), **KEY)
    assert post(charlie_api, JOBS, wish(ready_voice), **KEY).status_code == 404


def test_a_request_that_was_refused_may_be_sent_again(alice_api: APIClient, ready_voice: VoiceClone) -> None:
    assert post(alice_api, JOBS, wish(ready_voice, ""), **KEY).status_code == 400
    assert post(alice_api, JOBS, wish(ready_voice), **KEY).status_code == 201


def test_it_asks_for_patience_while_the_first_is_under_way(alice_api: APIClient, ready_voice: VoiceClone) -> None:
    post(alice_api, JOBS, wish(ready_voice), **KEY)
    IdempotencyKey.objects.update(status=None, body="")
    answer = post(alice_api, JOBS, wish(ready_voice), **KEY)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "idempotency_key_in_use")
    assert int(answer["Retry-After"]) > 0


@pytest.mark.parametrize("made", [True, False])
def test_it_goes_on_where_a_process_died(alice_api: APIClient, ready_voice: VoiceClone, made: bool) -> None:
    first = post(alice_api, JOBS, wish(ready_voice), **KEY).json()
    IdempotencyKey.objects.update(status=None, body="", lease_until=timezone.now() - timedelta(seconds=1))
    if not made:
        SynthesisJob.objects.all().delete()
    again = post(alice_api, JOBS, wish(ready_voice), **KEY)
    assert (again.status_code, again.json()["id"]) == (201, first["id"])
    assert SynthesisJob.objects.count() == 1


def test_it_does_not_speak_anew_what_is_being_spoken_or_came_to_nothing(
    alice_api: APIClient, ready_voice: VoiceClone, sandbox: Sandbox
) -> None:
    post(alice_api, SPEECH, wish(ready_voice), **KEY)  # handed to the relay, which is not there (test_relay.py has one)
    waiting = post(alice_api, SPEECH, wish(ready_voice), **KEY)
    assert (waiting.status_code, waiting.json()["error"]["code"]) == (409, "idempotency_key_in_use")
    job = SynthesisJob.objects.get()
    make_due(job)
    finish(job)
    again = post(alice_api, SPEECH, wish(ready_voice), **KEY)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "no_audio_kept")
    assert SynthesisJob.objects.count() == 1
    assert sandbox.ledger.calls("run-task") == []


def test_a_training_is_ordered_once(alice_api: APIClient, ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    address = f"{VOICES}/{ready_voice.pk}/retrain"
    once: Any = alice_api
    first, again = (once.post(address, {}, **KEY) for _time in range(2))
    assert (first.status_code, again.status_code) == (202, 202)
    drain()
    assert len(sandbox.ledger.calls("update_voice")) == 1


def test_it_forgets_a_key_after_a_day(alice_api: APIClient, ready_voice: VoiceClone) -> None:
    post(alice_api, JOBS, wish(ready_voice), **KEY)
    IdempotencyKey.objects.update(created_at=timezone.now() - idempotency.KEPT - timedelta(seconds=1))
    assert post(alice_api, JOBS, wish(ready_voice, "Something else."), **KEY).status_code == 201


def test_it_refuses_a_key_that_is_none(alice_api: APIClient, ready_voice: VoiceClone) -> None:
    answer = post(alice_api, JOBS, wish(ready_voice), HTTP_IDEMPOTENCY_KEY="x" * 256)
    assert answer.status_code == 400
    assert list(answer.json()["error"]["fields"]) == ["Idempotency-Key"]


@pytest.mark.skipif(
    "__import__('django.db').db.connection.vendor == 'sqlite' and __import__('django.db').db.connection.is_in_memory_db()",
    reason="an in-memory database has one connection",
)
@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_make_one_row(transactional_db: None) -> None:
    owner = User.objects.create_user("rush@example.com", "kettle-under-the-bridge")
    account = ProviderAccount.objects.create(provider="aliyun", name="a", credentials={"api_key": "k"})
    voice = VoiceClone.objects.create(
        owner=owner, account=account, provider="aliyun", model="cosyvoice-v3-flash", language="en", name="A",
        state=VoiceClone.State.SUCCESS, remote_id="cosyvoice-v3-flash-a-0",
    )  # fmt: skip
    token = token_of(owner)

    def one(_number: int) -> int:
        try:
            return int(post(program_with(token), JOBS, wish(voice), **KEY).status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=20) as pool:
        statuses = list(pool.map(one, range(20)))
    assert SynthesisJob.objects.count() == 1
    assert set(statuses) <= {201, 409}
    assert 201 in statuses
