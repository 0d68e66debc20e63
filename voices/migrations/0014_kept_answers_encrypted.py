import json

from django.db import migrations, models

import voices.encryption


def encrypt(apps, schema_editor):
    """What was kept for the running day stays good: a request that is repeated after the upgrade is not carried out anew."""
    keys = apps.get_model("voices", "IdempotencyKey").objects
    keys.filter(body="").update(body=None)
    for row in keys.exclude(body=None):
        keys.filter(pk=row.pk).update(body=voices.encryption.encrypt(json.dumps(row.body)))


def decrypt(apps, schema_editor):
    keys = apps.get_model("voices", "IdempotencyKey").objects
    for row in keys.exclude(body=None):
        keys.filter(pk=row.pk).update(body=json.loads(voices.encryption.decrypt(row.body)))
    keys.filter(body=None).update(body="")


class Migration(migrations.Migration):

    dependencies = [("voices", "0013_quota_warnings")]

    operations = [
        migrations.AlterField("idempotencykey", "body", models.TextField(null=True)),
        migrations.RunPython(encrypt, decrypt),
        migrations.AlterField(
            "idempotencykey",
            "body",
            voices.encryption.EncryptedJSONField(help_text="The text of the answer.", null=True),
        ),
    ]
