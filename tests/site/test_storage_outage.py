"""A bucket that is away, and one that is there: what is asked of it, when, and what people, programs and rows see of it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connections
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from synthesis import advancing as speaking
from synthesis import job_services
from synthesis import services as synthesis
from synthesis.models import SynthesisJob
from tests.bucket import Bucket
from tests.cast import token_of
from tests.providers.loopback import free_port
from tests.recordings import WOMAN, recording
from tests.sample_server import SampleServer
from tests.studio import ticked
from tests.synthesis.test_pieces import STORY
from tests.voices.test_pages import filled
from tests.worker import drain, finish, let_time_pass
from voiceclone_site.accounts.models import User
from voiceclone_site.sandbox.remote import Sandbox
from voices import books, plans, services
from voices.errors import AccountExhausted, StorageUnavailable
from voices.models import ProviderAccount, VoiceClone, VoiceSample

Order = Callable[..., VoiceClone]
CODE, SENTENCE = "storage_unavailable", "can be neither kept nor read at the moment"


@pytest.fixture
def away(bucket: Bucket, settings: Settings) -> Iterator[Callable[[], None]]:
    """Called, nobody listens any more where the bucket was; called again, it is back."""
    there = settings.STORAGES

    def turn() -> None:
        if settings.STORAGES is not there:
            settings.STORAGES = there
            return
        default = there["default"]
        options = {**default["OPTIONS"], "endpoint_url": f"http://127.0.0.1:{free_port()}"}
        settings.STORAGES = {**there, "default": {**default, "OPTIONS": options}}

    yield turn
    settings.STORAGES = there


def sample() -> SimpleUploadedFile:
    return SimpleUploadedFile("annie.wav", recording(WOMAN))


def heard(tell: Callable[[Any], Any]) -> list[Any]:
    """What `tell` finds worth noting of each request that leaves for the bucket from now on."""
    noted: list[Any] = []
    events = default_storage.connection.meta.client.meta.events  # type: ignore[attr-defined]  # a bucket's

    def note(request: Any, **_more: Any) -> None:
        noted.append(tell(request))

    events.register("before-send.s3", note)
    return noted


# --- what is asked of it ---------------------------------------------------------------------------------------------


def test_it_fetches_of_an_object_only_what_was_asked_for(
    order_voice: Order, bucket: Bucket, alice_client: Client
) -> None:
    address = f"/api/v1/voices/{order_voice().pk}/sample"
    asked = heard(lambda request: (request.method, (request.headers.get("Range") or b"").decode()))
    part = alice_client.get(address, headers={"range": "bytes=1000-1099"})
    assert part.getvalue() == recording(WOMAN)[1000:1100]
    assert asked == [("HEAD", ""), ("GET", "bytes=1000-1099")]
    asked.clear()
    assert alice_client.head(address)["Content-Length"] == str(len(recording(WOMAN)))
    assert asked == [("HEAD", "")]
    whole = alice_client.get(address)
    assert b"".join(whole) == recording(WOMAN)


@pytest.mark.django_db(transaction=True)
def test_it_talks_to_no_bucket_inside_a_transaction(order_voice: Order, bucket: Bucket, sandbox: Sandbox) -> None:
    ours = connections["default"]
    inside = heard(lambda _request: ours.in_atomic_block)
    voice = finish(order_voice())
    services.retrain(_failed(voice), recording=sample(), filename="annie.wav", consent=ticked())
    job = synthesis.submit(synthesis.check(voice.owner, voice=finish(voice), text="Good morning."))
    assert finish(job).state == SynthesisJob.State.SUCCESS
    services.request_delete(voice)
    finish(voice)
    assert len(inside) > 6
    assert not any(inside)


@pytest.mark.django_db(transaction=True)
def test_a_batch_with_a_key_asks_it_for_repeats_before_its_transaction(
    order_voice: Order, bucket: Bucket, sandbox: Sandbox, alice_api: APIClient
) -> None:
    voice = finish(order_voice())
    services.answer_repeats(voice, on=True)
    voice.refresh_from_db()
    first = finish(synthesis.submit(synthesis.check(voice.owner, voice=voice, text="Good morning.")))
    ours = connections["default"]
    inside = heard(lambda _request: ours.in_atomic_block)
    body = {"voice": str(voice.pk), "texts": ["Good morning.", "Good evening."]}
    made = alice_api.post("/api/v1/jobs/batch", body, format="json", headers={"Idempotency-Key": "7f1c"})
    assert [each["repeat_of"] for each in made.json()["jobs"]] == [str(first.pk), None]
    assert inside == [False]


def _failed(voice: VoiceClone) -> VoiceClone:
    VoiceClone.objects.filter(pk=voice.pk).update(state=VoiceClone.State.FAILED)
    voice.refresh_from_db()
    return voice


def test_it_leaves_no_file_behind_when_the_row_cannot_be_written(order_voice: Order, bucket: Bucket) -> None:
    voice = order_voice()
    kept = bucket.names()
    with pytest.raises(IntegrityError):
        order_voice(pk=voice.pk)
    assert bucket.names() == kept


def test_it_sends_no_file_for_what_is_refused_anyway(
    order_voice: Order, bucket: Bucket, aliyun_account: ProviderAccount
) -> None:
    plans.change_account(aliyun_account, by=None, voice_cap=0)
    asked = heard(lambda request: request.method)
    with pytest.raises(AccountExhausted):
        order_voice()
    assert asked == []


# --- what people and programs see when it is away -----------------------------------------------------------------------


@pytest.mark.usefixtures("aliyun_account", "public_address")
def test_every_dialect_says_that_waiting_helps(
    alice: User, alice_api: APIClient, nobody_api: APIClient, away: Callable[[], None]
) -> None:
    away()
    form: dict[str, Any] = {"name": "Annie", "consent": "true", "language": "en", "sample": sample()}
    ours = alice_api.post("/api/v1/voices", form)
    error = ours.json()["error"]
    assert (ours.status_code, error["code"], error["action"], error["retryable"]) == (503, CODE, "operator", True)
    assert ours["Retry-After"] == "30"
    openai = alice_api.post("/v1/audio/voice_consents", {"name": "I agree", "language": "en", "recording": sample()})
    assert (openai.status_code, openai.json()["error"]["code"]) == (503, CODE)
    form = {"name": "Annie", "files": sample(), "labels": '{"consent": "true"}'}
    elevenlabs = nobody_api.post("/v1/voices/add", form, headers={"xi-api-key": token_of(alice)})
    assert elevenlabs.status_code == 503
    assert elevenlabs.json()["detail"]["status"] == CODE
    for answer in (ours, openai, elevenlabs):
        assert SENTENCE in answer.content.decode()
        assert "127.0.0.1" not in answer.content.decode()
    assert not VoiceClone.objects.exists()
    assert not VoiceSample.objects.exists()
    assert books.discrepancies() == []


def test_the_form_says_it_and_keeps_what_was_typed(
    alice_client: Client, aliyun_account: ProviderAccount, public_address: str, away: Callable[[], None]
) -> None:
    away()
    page = alice_client.post("/voices/new/", filled())
    assert page.status_code == 422
    assert SENTENCE in page.content.decode()
    assert 'value="Annie"' in page.content.decode()


def test_a_recording_that_cannot_be_read_now_is_not_gone(
    order_voice: Order, alice_client: Client, away: Callable[[], None]
) -> None:
    address = f"/api/v1/voices/{order_voice().pk}/sample"
    away()
    assert alice_client.get(address).status_code == 503
    away()
    assert alice_client.get(address).status_code == 200


# --- rows go on ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("aliyun_account", "public_address")
def test_a_voice_waits_for_the_storage_and_goes_on(
    alice: User, samples: SampleServer, settings: Settings, away: Callable[[], None]
) -> None:
    settings.OUTWARD_LOOPBACK = True
    voice = services.create_voice_from_url(
        alice,
        name="Annie",
        provider="aliyun",
        model="cosyvoice-v3-flash",
        language="en",
        url=samples.url(recording(WOMAN)),
        consent=ticked(),
    )
    before = voice.deadline
    away()
    drain()
    voice.refresh_from_db()
    assert (voice.state, voice.error_code, voice.error_action) == (VoiceClone.State.INIT, CODE, "operator")
    assert voice.error_detail
    assert (voice.attempts, voice.lease_token) == (0, None)
    assert before is not None
    assert voice.deadline is not None
    assert voice.deadline > before
    away()
    assert finish(voice).state == VoiceClone.State.SUCCESS
    assert (voice.error_code, voice.error_detail) == ("", "")


def test_a_deletion_stays_owed_while_the_storage_is_away(
    ready_voice: VoiceClone, bucket: Bucket, sandbox: Sandbox, away: Callable[[], None]
) -> None:
    away()
    services.request_delete(ready_voice)
    drain()
    ready_voice.refresh_from_db()
    assert (ready_voice.state, ready_voice.error_code) == (VoiceClone.State.DELETING, CODE)
    away()
    assert finish(ready_voice).state == VoiceClone.State.DELETED
    assert sandbox.voices() == []
    assert bucket.names() == []


def test_what_was_spoken_in_pieces_is_joined_once_the_storage_is_back(
    alice: User,
    bucket: Bucket,
    ready_voice: VoiceClone,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    away: Callable[[], None],
) -> None:
    monkeypatch.setattr(job_services, "PIECE_CHARACTERS", 20)
    job = synthesis.submit(job_services.check_long(alice, voice=ready_voice, text=STORY, audio_format="wav"))
    for _piece in range(job.pieces):
        speaking.advance(job.pk)
    paid = len(sandbox.ledger.calls("run-task"))
    away()
    for _time in range(speaking.BACKGROUND_ATTEMPTS + 1):
        let_time_pass()
    job.refresh_from_db()
    assert (job.state, job.error_code, job.pieces_spoken) == (SynthesisJob.State.QUEUED, CODE, job.pieces)
    away()
    assert finish(job).state == SynthesisJob.State.SUCCESS
    assert len(sandbox.ledger.calls("run-task")) == paid
    assert books.discrepancies() == []


def test_a_piece_that_cannot_be_kept_is_counted_as_spoken(
    alice: User, bucket: Bucket, ready_voice: VoiceClone, monkeypatch: pytest.MonkeyPatch, away: Callable[[], None]
) -> None:
    monkeypatch.setattr(job_services, "PIECE_CHARACTERS", 20)
    job = synthesis.submit(job_services.check_long(alice, voice=ready_voice, text=STORY, audio_format="wav"))
    speaking.advance(job.pk)
    job.refresh_from_db()
    counted = job.characters
    away()
    speaking.advance(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error_code) == (SynthesisJob.State.FAILED, CODE)
    assert job.characters > counted
    away()
    again = finish(job_services.retry(job))
    assert again.state == SynthesisJob.State.SUCCESS
    assert books.discrepancies() == []


def test_what_was_spoken_in_the_background_is_stored_once_the_storage_is_back(
    alice: User, bucket: Bucket, ready_voice: VoiceClone, monkeypatch: pytest.MonkeyPatch, away: Callable[[], None]
) -> None:
    waited: list[float] = []

    def it_comes_back(seconds: float) -> None:
        waited.append(seconds)
        away()

    monkeypatch.setattr("synthesis.settling.time", SimpleNamespace(sleep=it_comes_back, monotonic=time.monotonic))
    job = synthesis.submit(synthesis.check(alice, voice=ready_voice, text="Good morning."))
    away()
    speaking.advance(job.pk)
    job.refresh_from_db()
    assert (job.state, waited) == (SynthesisJob.State.SUCCESS, [2.0])
    with job.audio.open("rb") as sound:
        assert len(sound.read()) == job.audio_bytes


def test_the_log_says_why_and_names_no_object(
    order_voice: Order, bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    bucket.client.delete_bucket(Bucket=bucket.name)
    with pytest.raises(StorageUnavailable) as refused:
        order_voice(pk=uuid.uuid4())
    assert refused.value.detail.startswith("NoSuchBucket (PutObject, status 404)")
    assert "NoSuchBucket" in caplog.text
