from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("integrations", "0002_shipped_transformation"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["-queued_at", "-id"], name="integrations_run_newest"),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["status", "-queued_at"], name="integrations_run_status"),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["trigger", "-queued_at"], name="integrations_run_trigger"),
        ),
    ]
