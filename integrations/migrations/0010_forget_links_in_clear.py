"""Links to next pages stood in clear where reading stopped, and may hold keys. Without one, reading begins anew, and nothing is lost."""

from django.db import migrations


def _forget(table: str, column: str) -> str:
    return f"UPDATE {table} SET {column} = {column} || '{{\"mark\": \"\"}}' WHERE {column} ->> 'mark' LIKE '[\"http%'"


class Migration(migrations.Migration):
    dependencies = [("integrations", "0009_words_of_how_much")]

    operations = [
        migrations.RunSQL(_forget(table, column), migrations.RunSQL.noop)
        for table, column in (
            ("integrations_pipeline", "cursor"), ("integrations_run", "cursor_before"), ("integrations_run", "cursor_after"),
        )
    ]  # fmt: skip
