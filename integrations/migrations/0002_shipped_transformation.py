from typing import Any

from django.db import migrations

NAME = "Gmail → opportunities"
STEPS = [
    {"do": "classify"},
    {"do": "filter", "drop_labels": ["not_relevant"]},
    {"do": "redact"},
]


def ship(apps: Any, _editor: Any) -> None:
    apps.get_model("integrations", "Transformation").objects.get_or_create(name=NAME, version=1, defaults={"steps": STEPS})


def unship(apps: Any, _editor: Any) -> None:
    apps.get_model("integrations", "Transformation").objects.filter(name=NAME, version=1, pipelines=None).delete()


class Migration(migrations.Migration):
    dependencies = [("integrations", "0001_initial")]
    operations = [migrations.RunPython(ship, unship)]
