"""Links to next pages stood in clear where reading stopped, and may hold keys. Without one, reading begins anew, and nothing is lost."""

from django.db import migrations

FORGET = (
    """UPDATE integrations_pipeline SET cursor = cursor || '{"mark": ""}' WHERE cursor ->> 'mark' LIKE '["http%'""",
    """UPDATE integrations_run SET cursor_before = cursor_before || '{"mark": ""}' WHERE cursor_before ->> 'mark' LIKE '["http%'""",
    """UPDATE integrations_run SET cursor_after = cursor_after || '{"mark": ""}' WHERE cursor_after ->> 'mark' LIKE '["http%'""",
)


class Migration(migrations.Migration):
    dependencies = [("integrations", "0009_words_of_how_much")]

    operations = [migrations.RunSQL(statement, migrations.RunSQL.noop) for statement in FORGET]
