"""How a voice speaks: streamed, in the background, and when something goes wrong on the way."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from synthesis import advancing, job_services, services
from synthesis.models import SynthesisJob
from synthesis.streaming import SpeechStream
from tests.listening import listen
from tests.recordings import WOMAN, recording
from tests.studio import make_due
from tests.worker import drain, finish
from voiceclone_site.accounts.models import User
from voiceclone_site.sandbox.remote import Sandbox
from voices import books, usage
from voices.durable import claim, declare_intent
from voices.errors import Busy, InvalidInput, PortalError, VoiceNotReady, WrongState
from voices.models import ProviderAccount, VoiceClone
from voices.providers.errors import ProviderError

State = SynthesisJob.State

WEATHER = "今天天气怎么样？"
STORY = "从前有一座山。山上有一座庙。庙里有一个老和尚。他在讲一个故事。故事讲的是什么呢？"


def order(voice: VoiceClone, text: str = WEATHER, **changes: Any) -> services.SpeechOrder:
    return services.check(voice.owner, voice=voice, text=text, **changes)


def speak(voice: VoiceClone, text: str = WEATHER, **changes: Any) -> SpeechStream:
    return services.speak(order(voice, text, **changes))


def heard(stream: SpeechStream) -> bytes:
    try:
        return b"".join(stream)
    finally:
        stream.close()


def job_of(stream: SpeechStream) -> SynthesisJob:
    return SynthesisJob.objects.get(pk=stream.job.pk)


def spool_files() -> list[Path]:
    return list((Path(settings.DATA_DIR) / "spool").iterdir())


@pytest.mark.parametrize("audio_format", ["mp3", "wav", "opus"])
def test_it_speaks_in_the_voice_of_the_sample(ready_voice: VoiceClone, audio_format: str) -> None:
    sound = listen(heard(speak(ready_voice, STORY, audio_format=audio_format, sample_rate=24000)))
    sample = listen(recording(WOMAN))
    assert 5 < sound.duration < 16
    assert sound.loudness > -35
    assert sound.f0 == pytest.approx(sample.f0, rel=0.10)


def test_it_tells_the_story_of_the_job(ready_voice: VoiceClone) -> None:
    stream = speak(ready_voice, audio_format="wav")
    audio = heard(stream)
    job = job_of(stream)
    assert job.state == State.SUCCESS
    assert job.characters == job.characters_expected == 15
    assert job.first_audio_ms is not None
    assert job.provider_request_id
    assert job.audio_bytes == len(audio)
    assert job.seconds == pytest.approx(listen(audio).duration, abs=0.1)
    with job.audio.open("rb") as stored:
        assert listen(stored.read()).duration == pytest.approx(job.seconds, abs=0.1)
    assert spool_files() == []


def test_it_has_the_first_audio_before_the_provider_has_sent_its_last(
    ready_voice: VoiceClone, sandbox: Sandbox
) -> None:
    sandbox.configure(speed=4)
    stream = speak(ready_voice, STORY)
    assert sandbox.ledger.answers("audio")
    assert sandbox.ledger.answers("task-finished") == []
    heard(stream)
    assert len(sandbox.ledger.answers("task-finished")) == 1


def test_it_stops_the_provider_when_nobody_listens_any_more(ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    sandbox.configure(speed=2)
    stream = speak(ready_voice, STORY * 3)
    next(iter(stream))
    stream.close()
    job = job_of(stream)
    assert job.state == State.CANCELLED
    assert job.error_code == "client_left"
    assert not job.audio
    assert job.characters < job.characters_expected
    assert job.provider_request_id
    assert sandbox.ledger.answers("task-finished") == []
    assert spool_files() == []


def test_it_breaks_a_stream_that_the_provider_cut(ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    sandbox.fail(operation="synthesis", how="close", at="after")
    stream = speak(ready_voice, STORY)
    with pytest.raises(ProviderError):
        heard(stream)
    job = job_of(stream)
    assert job.state == State.FAILED
    assert job.error_code == "stream_broken"
    assert not job.audio
    assert len(sandbox.ledger.calls("run-task")) == 1


def test_it_fails_honestly_before_the_first_audio(ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    sandbox.fail(operation="synthesis", how="error", code="DataInspectionFailed", message="inappropriate content")
    with pytest.raises(ProviderError) as refusal:
        speak(ready_voice)
    assert refusal.value.code == "text_rejected"
    job = SynthesisJob.objects.get()
    assert job.state == State.FAILED
    assert job.error_provider_code == "DataInspectionFailed"
    assert job.provider_request_id
    assert spool_files() == []


def test_it_asks_about_the_voice_that_the_provider_would_not_speak_with(
    ready_voice: VoiceClone, sandbox: Sandbox
) -> None:
    sandbox.forget_voices()
    with pytest.raises(ProviderError) as refusal:
        speak(ready_voice)
    assert refusal.value.code == "voice_not_usable"
    drain()
    ready_voice.refresh_from_db()
    assert ready_voice.state == VoiceClone.State.EXPIRED


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"text": "  \n "}, "text"),
        ({"text": "字" * 100_001}, "text"),
        ({"audio_format": "aiff"}, "format"),
        ({"sample_rate": 12345}, "sample_rate"),
        ({"parameters": {"rate": 9}}, "rate"),
        ({"parameters": {"loudness": 9}}, "loudness"),
    ],
)
def test_it_names_what_is_wrong_with_a_wish(
    ready_voice: VoiceClone, sandbox: Sandbox, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        order(ready_voice, **changes)
    assert list(refusal.value.fields) == [field]
    assert sandbox.ledger.calls("run-task") == []
    assert not SynthesisJob.objects.exists()


def test_it_does_not_speak_with_a_voice_in_training(order_voice: Any) -> None:
    with pytest.raises(VoiceNotReady):
        order(order_voice())


def test_it_sends_the_parameters_in_the_providers_own_units(ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    heard(speak(ready_voice, parameters={"rate": "1.5", "volume": 80}, audio_format="wav", sample_rate=16000))
    (call,) = sandbox.ledger.calls("run-task")
    sent = call.body["payload"]["parameters"]
    assert (sent["rate"], sent["volume"], sent["format"], sent["sample_rate"]) == (1.5, 80, "wav", 16000)


def test_it_speaks_in_the_background(ready_voice: VoiceClone) -> None:
    job = services.submit(order(ready_voice))
    assert job.state == State.QUEUED
    finish(job)
    assert job.state == State.SUCCESS
    with job.audio.open("rb") as stored:
        assert listen(stored.read()).loudness > -35


def test_it_tries_again_in_the_background_while_that_can_help(ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    sandbox.fail(operation="synthesis", how="error", at="start", code="Throttling.RateQuota", message="limit exceeded")
    job = services.submit(order(ready_voice))
    drain()
    job.refresh_from_db()
    assert job.state == State.QUEUED
    assert job.error_code == "rate_limited"
    assert job.due_at is not None
    assert job.due_at > timezone.now()
    finish(job)
    assert job.state == State.SUCCESS


def test_it_does_not_repeat_unasked_what_was_interrupted(ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    job = services.submit(order(ready_voice))
    taken = claim(SynthesisJob, job.pk, lease=timedelta(seconds=45))
    assert taken is not None
    assert declare_intent(taken, "synthesize", lease=timedelta(seconds=45))  # and then the process is killed
    drain()
    make_due(job)
    advancing.sweep()
    drain()
    job.refresh_from_db()
    assert job.state == State.FAILED
    assert job.error_code == "interrupted"
    assert sandbox.ledger.calls("run-task") == []

    again = job_services.retry(job)
    finish(again)
    assert again.state == State.SUCCESS
    assert again.pk != job.pk


def test_it_goes_on_with_a_job_whose_process_died_before_anything_was_sent(
    ready_voice: VoiceClone, sandbox: Sandbox
) -> None:
    job = services.submit(order(ready_voice))
    claim(SynthesisJob, job.pk, lease=timedelta(seconds=45))
    drain()
    make_due(job)
    finish(job)
    assert job.state == State.SUCCESS
    assert len(sandbox.ledger.calls("run-task")) == 1


def test_it_closes_the_books_of_a_stream_whose_process_died(ready_voice: VoiceClone) -> None:
    job = services.record(order(ready_voice), mode=SynthesisJob.Mode.STREAM)
    make_due(job)
    services.look_at(job)
    drain()
    job.refresh_from_db()
    assert job.state == State.FAILED
    assert job.error_code == "interrupted"


def test_it_cancels_a_job_that_waits(ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    job = services.submit(order(ready_voice))
    services.cancel(job)
    drain()
    job.refresh_from_db()
    assert job.state == State.CANCELLED
    assert sandbox.ledger.calls("run-task") == []
    with pytest.raises(WrongState):
        services.cancel(job)


def test_it_stops_speaking_when_a_running_job_is_cancelled(
    ready_voice: VoiceClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synthesis.streaming.RENEW_EVERY", 0.0)
    stream = speak(ready_voice, STORY)
    services.cancel(stream.job)
    with pytest.raises(PortalError):
        heard(stream)
    assert job_of(stream).state == State.CANCELLED


def test_it_erases_text_and_audio_but_not_what_was_counted(ready_voice: VoiceClone, alice: User) -> None:
    stream = speak(ready_voice)
    heard(stream)
    job = job_of(stream)
    path = Path(job.audio.path)
    assert path.exists()
    services.delete(job)
    job.refresh_from_db()
    assert not path.exists()
    assert job.text == ""
    assert not SynthesisJob.objects.visible_to(alice).exists()
    used = usage.total(usage.used_by(alice, "day", since=timezone.localdate()).values())
    assert (used.jobs, used.characters, used.cost) == (1, 15, Decimal("0.0015"))
    assert books.discrepancies() == []


def test_it_does_not_delete_what_is_being_spoken(ready_voice: VoiceClone) -> None:
    with pytest.raises(WrongState):
        services.delete(services.submit(order(ready_voice)))


def test_it_says_that_it_is_busy_rather_than_exceed_the_accounts_rate(
    ready_voice: VoiceClone, aliyun_account: ProviderAccount, sandbox: Sandbox
) -> None:
    heard(speak(ready_voice))
    ProviderAccount.objects.update(synthesis_rate=0.1)
    slow = VoiceClone.objects.get(pk=ready_voice.pk)
    services.hold(order(slow))
    with pytest.raises(Busy) as busy:
        services.hold(order(slow))
    assert busy.value.retry_after > 2


def test_it_gives_two_samples_two_voices(order_voice: Any) -> None:
    high, low = (finish(order_voice(voice=voice)) for voice in (WOMAN, "en-us+m3"))
    pitches = [listen(heard(speak(voice, STORY))).f0 for voice in (high, low)]
    assert pitches[0] - pitches[1] > 60
