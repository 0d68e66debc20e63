"""Meters of API tokens, with what the books say of each of them and each month: a budget that is set later begins with that."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Sum
from django.db.models.functions import TruncMonth

BATCH = 1000


def open_meters(apps, schema_editor):
    LedgerEntry, Meter = (apps.get_model("voices", name) for name in ("LedgerEntry", "Meter"))
    entries = LedgerEntry.objects.filter(token__isnull=False).order_by()
    sums = entries.values_list("token", TruncMonth("day")).annotate(Sum("characters"), Sum("cost"))
    meters = []
    for token, month, *used in sums.iterator(BATCH):
        period = f"{month:%Y-%m}"
        for measure, amount in zip(("characters", "cost"), used, strict=True):
            key = f"token:{token}:{measure}:{period}"
            meters.append(Meter(key=key, token_id=token, measure=measure, period=period, used=amount))
    Meter.objects.bulk_create(meters, batch_size=BATCH)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_budgets"),
        ("voices", "0010_operators_indexes"),
    ]

    operations = [
        migrations.AddField(
            model_name="limitchange",
            name="token",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                help_text="Whose budget it is; its owner sets it.",
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="accounts.apitoken",
                verbose_name="API token",
            ),
        ),
        migrations.AddField(
            model_name="meter",
            name="token",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="accounts.apitoken",
                verbose_name="API token",
            ),
        ),
        # To go back, the meters go: nobody else would count them.
        migrations.RunPython(
            open_meters,
            lambda apps, schema_editor: apps.get_model("voices", "Meter").objects.filter(token__isnull=False).delete(),
        ),
    ]
