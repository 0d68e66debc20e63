"""From order to end: what a voice and a job hold, and what is left of it, with the sandbox as the provider."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from synthesis import advancing, bookkeeping, counting, services
from synthesis.models import SynthesisJob
from synthesis.streaming import LEASE
from tests.studio import make_due, trained
from tests.synthesis.test_speaking import STORY, heard, job_of, order, speak
from tests.worker import drain, finish
from voiceclone_site.accounts.models import User
from voiceclone_site.accounts.services import issue_token
from voiceclone_site.sandbox.remote import Sandbox
from voices import books, plans, standing
from voices import services as voices
from voices.checks import prices
from voices.durable import claim, declare_intent
from voices.errors import LimitReached
from voices.models import LedgerEntry, Measure, Meter, ProviderAccount, VoiceClone
from voices.providers.errors import ProviderError


def used(voice: VoiceClone) -> dict[str, int]:
    """The owner's meters; and the books have to be right whenever one looks."""
    assert [*books.discrepancies(), *bookkeeping.discrepancies()] == []
    return {str(reading.measure): reading.used for reading in standing.of_person(voice.owner)}


def test_a_voice_holds_its_place_its_training_and_its_recording_until_it_is_deleted(
    order_voice: Callable[..., VoiceClone],
) -> None:
    voice = order_voice()
    sample = voice.sample
    assert sample is not None
    ordered = {"voices": 1, "trainings": 1, "storage": sample.size, "characters": 0, "jobs": 0}
    assert used(voice) == ordered
    trained(voice)
    assert used(voice) == ordered
    voices.retrain(voice)
    assert used(voice)["trainings"] == 2
    trained(voice)
    voices.request_delete(voice)
    finish(voice)
    assert used(voice) == {"voices": 0, "trainings": 2, "storage": 0, "characters": 0, "jobs": 0}


def test_a_training_that_the_provider_refuses_is_given_back(
    order_voice: Callable[..., VoiceClone], sandbox: Sandbox
) -> None:
    sandbox.fail(operation="create_voice", how="error", code="InvalidParameter", message="no", times=20)
    voice = finish(order_voice())
    assert voice.state == VoiceClone.State.FAILED
    assert (used(voice)["voices"], used(voice)["trainings"]) == (0, 0)


def test_a_training_that_was_sent_into_the_dark_and_deleted_is_counted(
    order_voice: Callable[..., VoiceClone], sandbox: Sandbox
) -> None:
    sandbox.fail(operation="create_voice", how="drop", at="after")
    voice = order_voice()
    drain()
    voice.refresh_from_db()
    assert voice.state == VoiceClone.State.UNKNOWN
    voices.request_delete(voice)
    finish(voice)
    assert (used(voice)["voices"], used(voice)["trainings"]) == (0, 1)


def test_who_has_no_training_left_keeps_the_voice_as_it_is(ready_voice: VoiceClone) -> None:
    plans.change_allowance(ready_voice.owner, by=None, trainings_per_month=1)
    with pytest.raises(LimitReached):
        voices.retrain(ready_voice)
    ready_voice.refresh_from_db()
    assert ready_voice.is_ready
    assert used(ready_voice)["trainings"] == 1


def test_speech_is_settled_with_what_the_provider_counted_and_its_audio_takes_room(ready_voice: VoiceClone) -> None:
    before = used(ready_voice)
    stream = speak(ready_voice)
    assert (used(ready_voice)["characters"], used(ready_voice)["jobs"]) == (15, 1)
    heard(stream)
    job = job_of(stream)
    after = used(ready_voice)
    assert (after["characters"], after["jobs"]) == (15, 0)
    assert after["storage"] == before["storage"] + job.audio_bytes
    services.delete(job)
    assert used(ready_voice) == {**after, "storage": before["storage"]}


def test_who_leaves_early_pays_for_what_was_heard(ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    sandbox.configure(speed=2)
    stream = speak(ready_voice, STORY * 3)
    next(iter(stream))
    stream.close()
    job = job_of(stream)
    assert 0 < job.characters < job.characters_expected
    assert used(ready_voice)["characters"] == job.characters


def test_what_was_never_heard_costs_nothing(ready_voice: VoiceClone, sandbox: Sandbox) -> None:
    sandbox.fail(operation="synthesis", how="error", at="start", code="InvalidParameter", message="no")
    with pytest.raises(ProviderError):
        speak(ready_voice)
    assert (used(ready_voice)["characters"], used(ready_voice)["jobs"]) == (0, 0)
    waiting = services.submit(order(ready_voice))
    assert used(ready_voice)["jobs"] == 1
    services.cancel(waiting)
    assert (used(ready_voice)["characters"], used(ready_voice)["jobs"]) == (0, 0)


def test_what_a_dead_process_had_sent_is_counted_whole(ready_voice: VoiceClone) -> None:
    job = services.submit(order(ready_voice))
    taken = claim(SynthesisJob, job.pk, lease=LEASE)
    assert taken is not None
    declare_intent(taken, "synthesize", lease=LEASE)
    make_due(job)
    advancing.advance(job.pk)
    job.refresh_from_db()
    assert (job.error_code, job.characters) == ("interrupted", 15)
    assert used(ready_voice)["characters"] == 15


def test_what_a_dead_process_had_not_sent_yet_costs_nothing(ready_voice: VoiceClone) -> None:
    job = services.submit(order(ready_voice))
    assert claim(SynthesisJob, job.pk, lease=LEASE) is not None
    make_due(job)
    services.cancel(job)
    assert used(ready_voice)["characters"] == 0


@pytest.mark.parametrize(("share", "counted"), [(0.25, 25), (0.001, 1), (1.0, 100)])
def test_the_share_that_a_provider_reports_decides(share: float, counted: int, tmp_path: Path) -> None:
    found = counting.heard_of(100, share=share, path=tmp_path / "none", audio_format="mp3", sample_rate=24000)
    assert found == counted


def test_sound_that_cannot_be_measured_counts_whole(tmp_path: Path) -> None:
    path = tmp_path / "noise.mp3"
    path.write_bytes(b"no sound")
    assert counting.heard_of(100, share=0, path=path, audio_format="mp3", sample_rate=24000) == 100


def test_an_estimate_holds_nothing(ready_voice: VoiceClone) -> None:
    before = used(ready_voice)
    estimate = services.estimate(order(ready_voice))
    assert (estimate.characters, estimate.cost) == (15, Decimal("0.0015"))
    assert used(ready_voice) == before


def test_prices_come_from_the_account_then_the_settings_then_the_list(
    ready_voice: VoiceClone, settings: Settings
) -> None:
    def cost() -> Decimal:
        ready_voice.account.refresh_from_db()
        return services.estimate(order(ready_voice)).cost

    settings.PROVIDERS = {"aliyun": {"prices": {"character_prices": {"*": "4"}}}}
    assert cost() == Decimal("0.006")
    settings.PROVIDERS = {"aliyun": {"prices": {"character_prices": {"*": "4", "cosyvoice-v3-flash": "0.3333"}}}}
    assert cost() == Decimal("0.0005")
    plans.change_account(ready_voice.account, by=None, character_price=Decimal("8"))
    assert cost() == Decimal("0.012")


@pytest.mark.parametrize("wrong", ["", "much", "-1", "NaN"])
def test_a_price_that_is_none_stops_the_start(settings: Settings, wrong: str) -> None:
    settings.PROVIDERS = {"aliyun": {"prices": {"training_price": wrong}}}
    assert [each.id for each in prices(None)] == ["voices.E004"]


def test_the_command_says_what_does_not_agree(ready_voice: VoiceClone, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("check_ledger")
    assert "agree" in capsys.readouterr().out
    Meter.objects.filter(measure=Measure.VOICES).update(used=7)
    with pytest.raises(CommandError, match="1 figures"):
        call_command("check_ledger")
    assert f"user:{ready_voice.owner_id}:voices:: counted 7, booked 1" in capsys.readouterr().out


def test_what_was_there_before_the_books_is_entered_into_them(
    ready_voice: VoiceClone, order_voice: Callable[..., VoiceClone]
) -> None:
    order_voice(name="Waiting")
    heard(speak(ready_voice))
    services.submit(order(ready_voice))
    before = {**used(ready_voice), "trainings": 1}  # of the past, only a training that has not ended is known
    LedgerEntry.objects.exclude(hold=None).delete()
    LedgerEntry.objects.all().delete()
    Meter.objects.all().delete()
    ProviderAccount.objects.update(voices_held=0)
    enter("voices.migrations.0007_opening_books", "open_books")
    enter("synthesis.migrations.0006_jobs_into_the_books", "enter_jobs")
    assert used(ready_voice) == before
    drain()
    assert used(ready_voice)["jobs"] == 0
    assert Meter.objects.get(measure=Measure.CHARACTERS, user=ready_voice.owner, period=f"{timezone.localdate():%Y-%m}")


def test_the_meters_of_tokens_begin_with_what_the_books_say(ready_voice: VoiceClone, alice: User) -> None:
    row, _token = issue_token(alice, name="a customer", scopes=["speech"], expires_at=None)
    wanted = services.check(alice, voice=ready_voice, text="你好", token_id=row.pk)
    services.cancel(services.submit(wanted))
    services.submit(wanted)
    of_token = Meter.objects.filter(token=row)
    before = sorted(of_token.values_list("key", "used", "cap"))
    assert [used for _key, used, _cap in before] == [4, 400]
    of_token.delete()
    enter("voices.migrations.0011_budgets", "open_meters")
    assert sorted(of_token.values_list("key", "used", "cap")) == before


def enter(module: str, function: str) -> None:
    migrate: Any = getattr(import_module(module), function)
    migrate(apps, None)
