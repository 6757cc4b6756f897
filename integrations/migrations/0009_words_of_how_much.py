import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("integrations", "0008_datasets_without_double_indexes"),
    ]

    operations = [
        migrations.AlterField(
            model_name="pipeline",
            name="max_messages",
            field=models.PositiveIntegerField(default=10000, help_text="Mails or records read per run at most."),
        ),
        migrations.AlterField(
            model_name="pipeline",
            name="max_per_day",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Mails or records read per day (UTC) at most, by all runs together. Empty: no such limit.",
                null=True,
                validators=[django.core.validators.MinValueValidator(1)],
            ),
        ),
    ]
