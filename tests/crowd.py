"""Rows of every kind that lists and endpoints show: a few, and then many more beside them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from synthesis.models import JobEvent, SynthesisJob
from voiceclone_site.accounts.models import User
from voiceclone_site.accounts.services import issue_token
from voices import ledger, plans
from voices.models import (
    Allowance,
    ConsentRecording,
    DeliveryEvent,
    Finding,
    LimitChange,
    Plan,
    ProviderAccount,
    VoiceClone,
    VoiceEvent,
    VoiceSample,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
from voices.webhook_services import MOST as MOST_WEBHOOKS

MODEL = "cosyvoice-v3-flash"
TEXT = "今天天气怎么样？"
FILE = "crowd/recording.wav"
MARKS = [{"text": "今", "begin_ms": 0, "end_ms": 100}, {"text": "天", "begin_ms": 100, "end_ms": 200}]


@dataclass(frozen=True)
class Crowd:
    """One of each kind, to be asked for by its id; whatever is added, these are those that get more of what belongs to them."""

    owner: User
    account: ProviderAccount
    voice: VoiceClone
    job: SynthesisJob
    waiting: SynthesisJob
    webhook: WebhookEndpoint
    delivery: WebhookDelivery
    consent: ConsentRecording
    plan: Plan
    token: int

    def grow(self, count: int) -> None:
        """So many more of everything that is without a limit, and events, samples and messages of the one of each kind too."""
        for _each in range(count):
            mark = uuid.uuid4().hex[:8]
            voice = a_voice(self.owner, self.account)
            spoken(voice)
            events_of(self.voice, self.job)
            a_sample(self.voice)
            row, _token = issue_token(self.owner, name=mark, scopes=["speech"], expires_at=None)
            spoken(self.voice, token=row.pk)
            WebhookDelivery.objects.bulk_create([a_delivery(self.webhook)])
            DeliveryEvent.objects.create(row=self.delivery, kind="not_delivered", detail={"status": 500})
            a_consent(self.owner)
            ProviderAccount.objects.create(provider="aliyun", name=mark)
            Finding.objects.create(account=self.account, kind=Finding.Kind.ORPHAN, remote_id=mark)
            plan = plans.change_plan(Plan(), by=self.owner, name=mark)
            on_a_plan(plan, voice)
            on_a_plan(self.plan, voice)
            LimitChange.objects.create(by=self.owner, subject=mark, user=self.owner, limit="voices", after="1")
        while WebhookEndpoint.objects.of(self.owner).count() < MOST_WEBHOOKS - 1:
            a_webhook(self.owner)


def crowd(owner: User) -> Crowd:
    default_storage.save(FILE, ContentFile(b"RIFF"))
    account = ProviderAccount.objects.create(provider="aliyun", name="crowd", voice_cap=1_000_000, synthesis_rate=1e6)
    voice = a_voice(owner, account)
    job, webhook = spoken(voice), a_webhook(owner)
    waiting = SynthesisJob.objects.create(
        owner=owner, voice=voice, state=SynthesisJob.State.QUEUED, due_at=timezone.now(), **described()
    )
    ledger.add(
        ledger.speech(waiting.pk, owner_id=owner.pk, voice=voice, characters=15, model=MODEL, token_id=None),
    )
    delivery = a_delivery(webhook)
    delivery.save()
    DeliveryEvent.objects.create(row=delivery, kind="not_delivered", detail={"status": 500})
    plan = plans.change_plan(Plan(), by=owner, name="Everybody's")
    token, _text = issue_token(owner, name="the first", scopes=["speech"], expires_at=None)
    LimitChange.objects.create(by=owner, subject="somebody", user=owner, limit="voices", after="1")
    Finding.objects.create(account=account, kind=Finding.Kind.ORPHAN, remote_id="first")
    events_of(voice, job)
    a_sample(voice)
    on_a_plan(plan, voice)
    return Crowd(owner, account, voice, job, waiting, webhook, delivery, a_consent(owner), plan, token.pk)


def a_voice(owner: User, account: ProviderAccount) -> VoiceClone:
    voice = VoiceClone.objects.create(
        owner=owner,
        account=account,
        provider=account.provider,
        name="Zoe",
        model=MODEL,
        language="zh",
        remote_id=uuid.uuid4().hex,
        state=VoiceClone.State.SUCCESS,
        holds_slot=True,
        polled_at=timezone.now(),
        error_code="provider_error",
        error_provider_code="Throttling",
    )
    a_sample(voice)
    ledger.add(
        ledger.place(voice, account),
        ledger.training(voice, account, token_id=None),
        ledger.recording(voice, account, size=100),
    )
    VoiceEvent.objects.create(row=voice, kind="created")
    return voice


def a_sample(voice: VoiceClone) -> VoiceSample:
    return VoiceSample.objects.create(
        voice=voice,
        original=FILE,
        prepared=FILE,
        filename="annie.wav",
        size=100,
        sha256="0" * 64,
        container="wav",
        seconds=12,
        sample_rate=24_000,
        channels=1,
    )


def described() -> dict[str, Any]:
    return {
        "provider": "aliyun",
        "model": MODEL,
        "mode": SynthesisJob.Mode.BACKGROUND,
        "text": TEXT,
        "audio_format": "wav",
        "sample_rate": 24_000,
        "characters_expected": 15,
    }


def spoken(voice: VoiceClone, *, token: int | None = None) -> SynthesisJob:
    assert voice.owner is not None
    job = SynthesisJob.objects.create(
        owner=voice.owner,
        voice=voice,
        token_id=token,
        state=SynthesisJob.State.SUCCESS,
        characters=15,
        audio=FILE,
        audio_bytes=4,
        marks=MARKS,
        finished_at=timezone.now(),
        **described(),
    )
    asked: dict[str, Any] = {"owner_id": job.owner_id, "voice": voice, "token_id": token}
    ledger.add(ledger.speech(job.pk, characters=15, model=MODEL, **asked))
    ledger.settle_speech(job.pk, characters=15, milliseconds=2000)
    ledger.add(ledger.audio(job.pk, size=4, **asked))
    return job


def events_of(voice: VoiceClone, job: SynthesisJob) -> None:
    VoiceEvent.objects.create(row=voice, kind="renamed", detail={"from": "Annie", "to": "Anne"})
    JobEvent.objects.create(row=job, kind="spoken")


def a_webhook(owner: User) -> WebhookEndpoint:
    return WebhookEndpoint.objects.create(owner=owner, url="https://example.com/hook", events=WebhookEvent.values)


def a_delivery(webhook: WebhookEndpoint) -> WebhookDelivery:
    """Not saved yet; it has failed for good."""
    return WebhookDelivery(
        endpoint=webhook,
        event=WebhookEvent.JOB_DONE,
        body="{}",
        state=WebhookDelivery.State.FAILED,
        created_at=timezone.now() - timedelta(minutes=5),
    )


def on_a_plan(plan: Plan, voice: VoiceClone) -> None:
    """Somebody, with a meter of their own."""
    person = User.objects.create_user(f"{uuid.uuid4().hex}@example.com", None)
    Allowance.objects.create(user=person, plan=plan)
    ledger.add(ledger.audio(uuid.uuid4(), owner_id=person.pk, voice=voice, size=1, token_id=None))


def a_consent(owner: User) -> ConsentRecording:
    return ConsentRecording.objects.create(
        owner=owner, name="I agree", language="zh-CN", audio=FILE, sha256="0" * 64, seconds=3
    )
