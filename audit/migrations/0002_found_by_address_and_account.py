from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_activity_partitioned_by_month")]

    operations = [
        migrations.AddIndex(
            "activity",
            models.Index(fields=["address_hash", "-recorded_at"], condition=Q(address_hash__isnull=False), name="audit_by_address"),
        ),
        migrations.AddIndex(
            "activity",
            models.Index(fields=["account_hash", "-recorded_at"], condition=Q(account_hash__isnull=False), name="audit_by_account"),
        ),
    ]
