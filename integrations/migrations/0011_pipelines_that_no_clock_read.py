"""Pipelines made with the schedule that their form offers had no next run, and so never one."""

from django.db import migrations

RUN = """
UPDATE integrations_pipeline SET next_run_at = now()
FROM integrations_connection AS connection
WHERE connection.id = integrations_pipeline.connection_id AND connection.status <> 'revoked'
AND integrations_pipeline.enabled AND integrations_pipeline.schedule <> '' AND integrations_pipeline.next_run_at IS NULL
"""


class Migration(migrations.Migration):
    dependencies = [("integrations", "0010_forget_links_in_clear")]

    operations = [migrations.RunSQL(RUN, migrations.RunSQL.noop)]
