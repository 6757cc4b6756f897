from django.db import migrations, models

import aaperture.lib.uuid7


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0002_found_by_address_and_account"),
    ]

    operations = [
        migrations.CreateModel(
            name="HeadTarget",
            fields=[
                ("name", models.CharField(max_length=300, primary_key=True, serialize=False)),
                ("delivered_number", models.BigIntegerField(default=0)),
                ("delivered_at", models.DateTimeField(null=True)),
                ("failing_since", models.DateTimeField(null=True)),
                ("error", models.CharField(blank=True, max_length=200)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="AuditArchive",
            fields=[
                ("id", models.UUIDField(default=aaperture.lib.uuid7.uuid7, editable=False, primary_key=True, serialize=False)),
                ("kind", models.CharField(choices=[("archived", "Archived"), ("removed", "Removed")], max_length=12)),
                ("month", models.DateField()),
                ("rows", models.BigIntegerField()),
                ("seals", models.BigIntegerField()),
                ("last_seal", models.BigIntegerField()),
                ("manifest_hash", models.BinaryField(max_length=32)),
                ("made_at", models.DateTimeField()),
                ("public_key", models.BinaryField(max_length=32)),
                ("proof", models.BinaryField(max_length=64)),
            ],
            options={
                "verbose_name": "archive of activity",
                "verbose_name_plural": "archives of activity",
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("month", "kind", "last_seal"), name="audit_archive_once")],
            },
        ),
        migrations.CreateModel(
            name="AuditSeal",
            fields=[
                ("number", models.BigIntegerField(primary_key=True, serialize=False)),
                ("epoch", models.IntegerField()),
                ("month", models.DateField()),
                ("from_tx", models.BigIntegerField()),
                ("from_id", models.UUIDField()),
                ("to_tx", models.BigIntegerField()),
                ("to_id", models.UUIDField()),
                ("count", models.IntegerField()),
                ("discordant", models.IntegerField()),
                ("doubt", models.BooleanField()),
                ("rows_hash", models.BinaryField(max_length=32)),
                ("leaves_hash", models.BinaryField(max_length=32)),
                ("previous_head", models.BinaryField(max_length=32)),
                ("head", models.BinaryField(max_length=32)),
                ("public_key", models.BinaryField(max_length=32)),
                ("proof", models.BinaryField(max_length=64)),
                ("sealed_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "seal",
                "verbose_name_plural": "seals",
                "default_permissions": (),
                "indexes": [models.Index(fields=["month"], name="audit_seal_month")],
            },
        ),
        migrations.CreateModel(
            name="SealLeaves",
            fields=[
                ("number", models.BigIntegerField(primary_key=True, serialize=False)),
                ("month", models.DateField()),
                ("leaves", models.BinaryField()),
            ],
            options={
                "default_permissions": (),
                "indexes": [models.Index(fields=["month"], name="audit_leaves_month")],
            },
        ),
    ]
