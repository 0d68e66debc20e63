"""What was spoken before there were books: a hold and its settlement for every job that has ended, a hold for the others.

Costs of then are not known; they stay 0.
"""

from django.db import migrations
from django.db.models import Sum
from django.utils import timezone

BATCH = 1000


def enter_jobs(apps, schema_editor):
    LedgerEntry, Meter, Allowance, Plan = (
        apps.get_model("voices", name) for name in ("LedgerEntry", "Meter", "Allowance", "Plan")
    )
    SynthesisJob = apps.get_model("synthesis", "SynthesisJob")
    jobs = SynthesisJob.objects.defer("text", "marks", "options").select_related("voice").order_by("pk")
    batch = []
    for job in jobs.iterator(BATCH):
        batch.append(job)
        if len(batch) == BATCH:
            _enter(LedgerEntry, batch)
            batch = []
    _enter(LedgerEntry, batch)

    plan = Plan.objects.get(is_default=True)
    today = timezone.localdate()
    month = f"{today:%Y-%m}"
    entries = LedgerEntry.objects.filter(purpose__in=["speech", "audio"])
    for owner, storage, jobs in entries.values_list("owner").annotate(Sum("storage"), Sum("jobs")).order_by("owner"):
        Allowance.objects.get_or_create(user_id=owner)
        _count(Meter, "storage", "", storage, user_id=owner, cap=plan.storage_bytes)
        _count(Meter, "jobs", "", jobs, user_id=owner, cap=plan.jobs_in_flight)
    this_month = entries.filter(day__gte=today.replace(day=1))
    for owner, characters in this_month.values_list("owner").annotate(Sum("characters")).order_by("owner"):
        _count(Meter, "characters", month, characters, user_id=owner, cap=plan.characters_per_month)
    for account, characters in (
        entries.filter(day=today).values_list("account").annotate(Sum("characters")).order_by("account")
    ):
        _count(Meter, "characters", today.isoformat(), characters, account_id=account, cap=None)


def _enter(LedgerEntry, jobs):
    def entry(job, kind, purpose, **amounts):
        return LedgerEntry(
            at=job.finished_at if kind == "settle" and job.finished_at else job.created_at,
            day=timezone.localdate(job.created_at),
            kind=kind,
            purpose=purpose,
            row=job.pk,
            owner_id=job.owner_id,
            account_id=job.voice.account_id,
            provider=job.provider,
            voice=job.voice_id,
            **amounts,
        )

    holds = LedgerEntry.objects.bulk_create(
        entry(job, "hold", "speech", characters=job.characters_expected, jobs=1) for job in jobs
    )
    closings = [
        entry(
            job,
            "settle" if job.characters else "release",
            "speech",
            hold_id=hold.pk,
            characters=job.characters - job.characters_expected,
            jobs=-1,
            milliseconds=round((job.seconds or 0) * 1000),
        )
        for job, hold in zip(jobs, holds, strict=True)
        if job.state not in ("Queued", "Running")
    ]
    audio = [entry(job, "hold", "audio", storage=job.audio_bytes) for job in jobs if job.audio and job.audio_bytes]
    LedgerEntry.objects.bulk_create([*closings, *audio])


def _count(Meter, measure, period, used, *, user_id=None, account_id=None, cap):
    whose = f"user:{user_id}" if user_id is not None else f"account:{account_id}"
    meter, made = Meter.objects.get_or_create(
        key=f"{whose}:{measure}:{period}",
        defaults={
            "user_id": user_id,
            "account_id": account_id,
            "measure": measure,
            "period": period,
            "used": used,
            "cap": cap,
        },
    )
    if not made:
        Meter.objects.filter(pk=meter.pk).update(used=meter.used + used)


class Migration(migrations.Migration):
    dependencies = [("synthesis", "0005_token"), ("voices", "0007_opening_books")]
    operations = [migrations.RunPython(enter_jobs, migrations.RunPython.noop)]
