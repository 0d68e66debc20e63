"""Many people, one provider account: a crowd of one person's jobs does not make another wait for all of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone
from django_q.models import OrmQ

from synthesis import advancing, services
from synthesis.models import SynthesisJob
from synthesis.tasks import advance_job
from tests.synthesis.test_speaking import order
from tests.worker import drain
from voiceclone_site.accounts.models import User
from voices import fairness
from voices.models import ProviderAccount, VoiceClone

Order = Callable[..., VoiceClone]
CROWD = 1000


def crowd(voice: VoiceClone, owner: User, *, jobs: int) -> list[SynthesisJob]:
    """Jobs of one person that have been waiting for a while."""
    since = timezone.now() - timedelta(minutes=5)
    rows = [
        SynthesisJob(
            owner=owner,
            voice=voice,
            provider=voice.provider,
            model=voice.model,
            mode=SynthesisJob.Mode.BACKGROUND,
            text=f"{number}.",
            audio_format="mp3",
            sample_rate=24000,
            characters_expected=2,
            due_at=since,
            created_at=since + timedelta(milliseconds=number),
        )
        for number in range(jobs)
    ]
    return SynthesisJob.objects.bulk_create(rows)


def spoken() -> list[str]:
    """The owners of what was spoken, in that order."""
    done = SynthesisJob.objects.exclude(started_at=None).order_by("started_at")
    return [job.owner.email for job in done.select_related("owner")]


def test_a_thousand_jobs_of_one_delay_anothers_single_job_by_one_slot(
    ready_voice: VoiceClone, alice: User, charlie: User
) -> None:
    crowd(ready_voice, alice, jobs=CROWD)
    advancing.sweep()
    VoiceClone.objects.filter(pk=ready_voice.pk).update(kind=VoiceClone.Kind.STOCK)
    advance_job(str(SynthesisJob.objects.order_by("created_at").values_list("pk", flat=True)[0]))
    wish = services.check(charlie, voice=ready_voice, text="Hello.")
    services.submit(wish)
    # Whatever wakes a worker next, and all of what is queued is of the crowd:
    for pk in SynthesisJob.objects.filter(owner=alice, started_at=None).values_list("pk", flat=True)[:2]:
        advance_job(str(pk))
    assert spoken() == [alice.email, charlie.email, alice.email]


def test_two_crowds_take_turns(ready_voice: VoiceClone, alice: User, charlie: User) -> None:
    crowd(ready_voice, alice, jobs=4)
    crowd(ready_voice, charlie, jobs=4)
    advancing.sweep()
    drain()
    owners = spoken()
    assert len(owners) == 8
    assert all(owners[number : number + 2].count(alice.email) == 1 for number in range(0, 8, 2))


def test_it_fills_the_queue_with_no_more_than_some_wake_ups_of_one(ready_voice: VoiceClone) -> None:
    before = OrmQ.objects.count()
    for _number in range(20):
        services.submit(order(ready_voice, "Hello."))
    assert OrmQ.objects.count() - before <= services.WAKE_UPS
    drain(most=200)
    assert SynthesisJob.objects.filter(state=SynthesisJob.State.SUCCESS).count() == 20


def test_whoever_has_something_in_work_already_waits_for_the_others(
    ready_voice: VoiceClone, alice: User, charlie: User
) -> None:
    crowd(ready_voice, alice, jobs=3)
    (single,) = crowd(ready_voice, charlie, jobs=1)
    SynthesisJob.objects.filter(pk=single.pk).update(created_at=timezone.now(), due_at=timezone.now())
    SynthesisJob.objects.filter(pk=SynthesisJob.objects.filter(owner=alice)[0].pk).update(
        state=SynthesisJob.State.RUNNING, lease_until=timezone.now() + timedelta(seconds=45)
    )
    due = SynthesisJob.objects.due()
    assert fairness.next_turn(due, everybody=SynthesisJob.objects.all()) == single.pk


def test_recordings_are_handed_over_in_turn_as_well(
    order_voice: Order, alice: User, charlie: User, aliyun_account: ProviderAccount
) -> None:
    for number in range(3):
        order_voice(name=f"a{number}")
    order_voice(owner=charlie, name="c")
    drain()
    handed_over = list(VoiceClone.objects.order_by("intent_at").values_list("name", flat=True))
    assert handed_over.index("c") == 1
