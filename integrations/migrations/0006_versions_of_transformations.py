"""Every version of a transformation is kept as it was saved; a pipeline may stay with one of them."""

from typing import Any

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import aaperture.lib.uuid7
import integrations.models.pipelines

FROZEN = """
CREATE FUNCTION integrations_keep_version() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    allowed integrations_transformationversion := NEW;
BEGIN
    allowed.created_by_id := COALESCE(NEW.created_by_id, OLD.created_by_id);
    IF allowed IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'a version of a transformation does not change' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER integrations_keep_version BEFORE UPDATE ON integrations_transformationversion
    FOR EACH ROW EXECUTE FUNCTION integrations_keep_version();
"""
THAWED = "DROP FUNCTION integrations_keep_version() CASCADE"


def tell_apart(apps: Any, _editor: Any) -> None:
    """Of several with one name the first keeps it; a name has 80 characters at most."""
    taken: set[str] = set()
    for row in apps.get_model("integrations", "Transformation").objects.order_by("created_at", "pk"):
        name, number = row.name, 2
        while name in taken:
            ending = f" ({number})"
            name, number = row.name[: 80 - len(ending)] + ending, number + 1
        taken.add(name)
        if name != row.name:
            row.name = name
            row.save(update_fields=["name"])


def keep_present(apps: Any, _editor: Any) -> None:
    rows = apps.get_model("integrations", "Transformation").objects.all()
    version = apps.get_model("integrations", "TransformationVersion")
    version.objects.bulk_create(version(transformation=row, number=row.version, steps=row.steps, created_at=row.created_at) for row in rows)


class Migration(migrations.Migration):
    dependencies = [
        ("integrations", "0005_files_and_deliveries"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="TransformationVersion",
            fields=[
                ("id", models.UUIDField(default=aaperture.lib.uuid7.uuid7, editable=False, primary_key=True, serialize=False)),
                ("number", models.PositiveIntegerField()),
                ("steps", models.JSONField(default=list)),
                ("note", models.CharField(blank=True, max_length=200)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
            ],
            options={
                "verbose_name": "version of a transformation",
                "verbose_name_plural": "versions of transformations",
                "ordering": ["transformation__name", "-number"],
                "default_permissions": (),
            },
        ),
        migrations.RemoveConstraint(
            model_name="transformation",
            name="integrations_transformation_version",
        ),
        migrations.AddField(
            model_name="pipeline",
            name="max_per_day",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Messages read per day (UTC) at most, by all runs together. Empty: no such limit.",
                null=True,
                validators=[django.core.validators.MinValueValidator(1)],
            ),
        ),
        migrations.AddField(
            model_name="run",
            name="transformation_version",
            field=models.PositiveIntegerField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name="pipeline",
            name="schedule",
            field=models.CharField(
                blank=True,
                default="03:00,15:00",
                help_text="Times of day in UTC, like 03:00,15:00. Empty: by hand only.",
                max_length=200,
                validators=[integrations.models.pipelines.validate_schedule],
            ),
        ),
        migrations.RunPython(tell_apart, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="transformation",
            constraint=models.UniqueConstraint(fields=("name",), name="integrations_transformation_name"),
        ),
        migrations.AddField(
            model_name="transformationversion",
            name="created_by",
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name="transformationversion",
            name="transformation",
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="versions", to="integrations.transformation"),
        ),
        migrations.AddField(
            model_name="pipeline",
            name="pinned",
            field=models.ForeignKey(
                blank=True,
                help_text="Empty: always the newest version.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="pipelines",
                to="integrations.transformationversion",
                verbose_name="version",
            ),
        ),
        migrations.AddConstraint(
            model_name="transformationversion",
            constraint=models.UniqueConstraint(fields=("transformation", "number"), name="integrations_one_version_per_number"),
        ),
        migrations.AddField(
            model_name="pipeline",
            name="recipient",
            field=models.ForeignKey(
                blank=True,
                help_text="Whose board or contacts a pipeline of the instance fills.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="for whom",
            ),
        ),
        migrations.RunSQL(FROZEN, THAWED),
        migrations.RunPython(keep_present, migrations.RunPython.noop),
    ]
