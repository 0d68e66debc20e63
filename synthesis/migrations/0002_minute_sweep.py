"""The one schedule of the site. One bad or overdue schedule stops all others (measured), so there are no more of them."""

from django.db import migrations


def keep_one_schedule(apps, schema_editor):
    schedule = apps.get_model("django_q", "Schedule")
    schedule.objects.update_or_create(
        name="minute sweep",
        defaults={"func": "synthesis.tasks.sweep", "schedule_type": "I", "minutes": 1, "repeats": -1},
    )


def drop_schedule(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.filter(name="minute sweep").delete()


class Migration(migrations.Migration):
    dependencies = [("synthesis", "0001_initial"), ("django_q", "0018_task_success_index")]
    operations = [migrations.RunPython(keep_one_schedule, drop_schedule)]
