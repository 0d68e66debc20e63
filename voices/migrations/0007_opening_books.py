"""The default plan, and the books of what was there before there were books: places, recordings, and trainings under way.

Trainings that have ended are not known one by one, so the months before have none. `synthesis` does the same for its jobs.
"""

from django.db import migrations
from django.db.models import Sum
from django.utils import timezone

BATCH = 1000
DEFAULT = {
    "name": "Standard",
    "voices": 200,
    "trainings_per_month": 500,
    "characters_per_month": 2_000_000,
    "jobs_in_flight": 1000,
    "storage_bytes": 10 * 1024**3,
}


def open_books(apps, schema_editor):
    Plan, Allowance, Meter, LedgerEntry = (
        apps.get_model("voices", name) for name in ("Plan", "Allowance", "Meter", "LedgerEntry")
    )
    VoiceClone, VoiceSample, ProviderAccount = (
        apps.get_model("voices", name) for name in ("VoiceClone", "VoiceSample", "ProviderAccount")
    )
    if not Plan.objects.filter(is_default=True).exists():
        Plan.objects.create(is_default=True, **DEFAULT)

    today = timezone.localdate()

    def entry(voice, purpose, **amounts):
        return LedgerEntry(
            day=timezone.localdate(voice.created_at),
            kind="hold",
            purpose=purpose,
            row=voice.pk,
            owner_id=voice.owner_id,
            account_id=voice.account_id,
            provider=voice.provider,
            voice=voice.pk,
            **amounts,
        )

    cloned = VoiceClone.objects.filter(owner__isnull=False)
    entries = [
        # A place that outlives its voice at the provider is no voice of its owner's any more.
        entry(voice, "place", slots=1, voices=int(voice.state != "Deleted"))
        for voice in cloned.filter(holds_slot=True).iterator(BATCH)
    ]
    entries += [
        entry(sample.voice, "recording", storage=sample.size)
        for sample in VoiceSample.objects.filter(erased_at__isnull=True, voice__owner__isnull=False)
        .select_related("voice")
        .iterator(BATCH)
    ]
    entries += [
        entry(voice, "training", trainings=1)
        for voice in cloned.filter(kind="cloned", state__in=["Init", "Unknown"]).iterator(BATCH)
    ]
    LedgerEntry.objects.bulk_create(entries, batch_size=BATCH)

    meters = []
    for owner, voices, storage in (
        LedgerEntry.objects.values_list("owner").annotate(Sum("voices"), Sum("storage")).order_by("owner")
    ):
        Allowance.objects.get_or_create(user_id=owner)
        meters.append(_meter(Meter, "voices", "", owner, voices, DEFAULT["voices"]))
        meters.append(_meter(Meter, "storage", "", owner, storage, DEFAULT["storage_bytes"]))
    month = f"{today:%Y-%m}"
    for owner, trainings in (
        LedgerEntry.objects.filter(day__gte=today.replace(day=1))
        .values_list("owner")
        .annotate(Sum("trainings"))
        .order_by("owner")
    ):
        meters.append(_meter(Meter, "trainings", month, owner, trainings, DEFAULT["trainings_per_month"]))
    Meter.objects.bulk_create(meters, batch_size=BATCH)
    for account, trainings in (
        LedgerEntry.objects.filter(day=today).values_list("account").annotate(Sum("trainings")).order_by("account")
    ):
        key = f"account:{account}:trainings:{today.isoformat()}"
        Meter.objects.create(
            key=key, account_id=account, measure="trainings", period=today.isoformat(), used=trainings, cap=None
        )
    for account in ProviderAccount.objects.all():
        held = LedgerEntry.objects.filter(account=account).aggregate(Sum("slots"))["slots__sum"] or 0
        ProviderAccount.objects.filter(pk=account.pk).update(voices_held=held)


def _meter(Meter, measure, period, owner, used, cap):
    return Meter(
        key=f"user:{owner}:{measure}:{period}", user_id=owner, measure=measure, period=period, used=used, cap=cap
    )


class Migration(migrations.Migration):
    dependencies = [("voices", "0006_quotas")]
    operations = [migrations.RunPython(open_books, migrations.RunPython.noop)]
