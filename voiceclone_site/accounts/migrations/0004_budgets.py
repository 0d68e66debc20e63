import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_names_for_operators")]

    operations = [
        migrations.AddField(
            model_name="apitoken",
            name="characters_per_month",
            field=models.PositiveBigIntegerField(
                blank=True, help_text="Empty: as many as its owner may use.", null=True, verbose_name="characters a month"
            ),
        ),
        migrations.AddField(
            model_name="apitoken",
            name="spend_per_month",
            field=models.DecimalField(
                blank=True,
                decimal_places=2,
                help_text="Empty: no limit.",
                max_digits=12,
                null=True,
                validators=[django.core.validators.MinValueValidator(0)],
                verbose_name="CNY a month",
            ),
        ),
    ]
