"""A process dies before each of its statements in turn: everything ends all the same, and nothing is made or spoken twice."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count

import pytest
from django_q.models import OrmQ

from synthesis import advancing as speaking
from synthesis import services as speech
from synthesis.models import SynthesisJob
from tests.dying import dies_before
from tests.studio import make_due
from tests.synthesis.test_speaking import order
from tests.worker import Row, drain, finish, let_time_pass
from voiceclone_site.sandbox.remote import Sandbox
from voices import advancing, services
from voices.models import ProviderAccount, VoiceClone

State, JobState = VoiceClone.State, SynthesisJob.State
Order = Callable[..., VoiceClone]


def every_cut(made: Callable[[], Row], act: Callable[[Row], object]) -> Iterator[tuple[int, Row]]:
    """Let `act` on a new row die before its first statement, on another before its second, and so on until it survives."""
    for nth in count(1):
        row = made()
        OrmQ.objects.all().delete()  # what was queued is lost with the process
        died = dies_before(nth, partial(act, row))
        make_due(row)
        yield nth, finish(row, rounds=40)
        if not died:
            return


def step(voice: VoiceClone) -> None:
    advancing.advance(voice.pk)


def test_a_voice_is_made_once_wherever_its_process_dies(
    order_voice: Order, sandbox: Sandbox, aliyun_account: ProviderAccount
) -> None:
    for cut, voice in every_cut(order_voice, step):
        assert voice.state == State.SUCCESS, cut
        assert sandbox.ledger.created() == [voice.remote_id], cut
        aliyun_account.refresh_from_db()
        assert aliyun_account.voices_held == 1, cut
        services.request_delete(voice)
        finish(voice)
        sandbox.ledger.clear()
    assert cut > 8


def test_a_voice_that_trains_is_asked_about_wherever_its_process_dies(order_voice: Order, sandbox: Sandbox) -> None:
    def in_training() -> VoiceClone:
        voice = order_voice()
        drain()
        make_due(voice)
        return voice

    for cut, voice in every_cut(in_training, step):
        assert voice.state == State.SUCCESS, cut
        assert [event.kind for event in voice.events.all()].count("ready") == 1, cut
    assert cut > 5


def test_a_voice_is_deleted_wherever_its_process_dies(
    order_voice: Order, sandbox: Sandbox, aliyun_account: ProviderAccount
) -> None:
    def unwanted() -> VoiceClone:
        voice = finish(order_voice())
        services.request_delete(voice)
        return voice

    for cut, voice in every_cut(unwanted, step):
        assert voice.state == State.DELETED, cut
        assert sandbox.voices() == [], cut
        aliyun_account.refresh_from_db()
        assert aliyun_account.voices_held == 0, cut
    assert cut > 5


def test_a_place_is_made_and_trained_once_wherever_its_process_dies(
    order_voice: Order, sandbox: Sandbox, qiniu_account: ProviderAccount
) -> None:
    def paid() -> VoiceClone:
        model = qiniu_account.traits.default_model
        return order_voice(provider="qiniu", model=model, language="zh", enrollment={"tier": "pro"})

    def both_steps(voice: VoiceClone) -> None:
        step(voice)
        step(voice)

    sandbox.configure(qiniu_paid_trainings=1000)
    for cut, voice in every_cut(paid, both_steps):
        assert voice.state == State.SUCCESS, cut
        assert [each["id"] for each in sandbox.qiniu_voices()] == [voice.remote_id], cut
        assert len(sandbox.ledger.created("qiniu-1")) == 1, cut
        sandbox.forget_voices()
        sandbox.ledger.clear()
        VoiceClone.objects.filter(pk=voice.pk).update(state=State.DELETED)
    assert cut > 12


def test_a_job_is_spoken_once_at_most_wherever_its_process_dies(ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    sandbox.ledger.clear()
    ends: set[tuple[str, str]] = set()
    for cut, job in every_cut(lambda: speech.submit(order(ready_voice)), lambda job: speaking.advance(job.pk)):
        ends.add((job.state, job.error_code))
        assert len(sandbox.ledger.calls("run-task")) <= 1, cut
        assert job.state != JobState.SUCCESS or job.has_audio
        sandbox.ledger.clear()
    assert ends == {(JobState.SUCCESS, ""), (JobState.FAILED, "interrupted")}


def test_a_stream_says_that_it_was_interrupted_wherever_its_process_dies(
    ready_voice: VoiceClone, sandbox: Sandbox
) -> None:
    def listen() -> None:
        with_sound = speech.speak(order(ready_voice))
        try:
            for _chunk in with_sound:
                pass
        finally:
            with_sound.close()

    for cut in count(1):
        died = dies_before(cut, listen)
        job = SynthesisJob.objects.first()
        if job is not None:
            make_due(job)
            finish(job)
            assert (job.state, job.error_code) in {(JobState.SUCCESS, ""), (JobState.FAILED, "interrupted")}, cut
        assert len(sandbox.ledger.calls("run-task")) <= 1, cut
        sandbox.ledger.clear()
        SynthesisJob.objects.all().delete()
        if not died:
            break
    assert cut > 6


@pytest.mark.parametrize("seed", range(3))
def test_wake_ups_may_be_lost_doubled_late_and_in_any_order(
    order_voice: Order, ready_voice: VoiceClone, sandbox: Sandbox, seed: int
) -> None:
    dice = random.Random(seed)
    sandbox.ledger.clear()
    voices = [order_voice(name=f"{number}") for number in range(3)]
    jobs = [speech.submit(order(ready_voice, f"Number {number}.")) for number in range(3)]
    OrmQ.objects.all().delete()
    acts: list[Callable[[], object]] = []
    for _time in range(5):
        acts += [lambda pk=voice.pk: advancing.advance_next(pk) for voice in voices]  # type: ignore[misc]
        acts += [lambda pk=job.pk: speaking.advance_next(pk) for job in jobs]  # type: ignore[misc]
    dice.shuffle(acts)
    for number, act in enumerate(acts):
        act()
        if number % 7 == 0:
            let_time_pass()
    for voice in voices:
        assert finish(voice).state == State.SUCCESS
    for job in jobs:
        assert finish(job).state == JobState.SUCCESS
    assert len(sandbox.ledger.created("aliyun-1")) == 3
    assert len(sandbox.ledger.calls("run-task")) == 3
