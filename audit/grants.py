"""What the application's database role may do: everything but schema changes, and in the activity log only read and add."""

from typing import Any

from django.conf import settings
from django.db import connections
from psycopg import sql

APPEND_ONLY = ("audit_activity",)


def grant_application_role(*, using: str, **_kwargs: Any) -> None:
    """Run after every `migrate` by the owner; nothing to do where owner and application are one role."""
    role = settings.APPLICATION_ROLE
    connection = connections[using]
    if connection.settings_dict["USER"] == role:
        return
    app = sql.Identifier(role)
    with connection.cursor() as cursor:
        for statement in (
            "GRANT USAGE ON SCHEMA public TO {app}",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {app}",
            "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {app}",
            "GRANT EXECUTE ON FUNCTION audit_make_partition(date) TO {app}",
            "REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {app}",
        ):
            cursor.execute(sql.SQL(statement).format(app=app))
        for table in APPEND_ONLY:
            cursor.execute(sql.SQL("REVOKE ALL ON {table} FROM {app}").format(table=sql.Identifier(table), app=app))
            cursor.execute(sql.SQL("GRANT SELECT, INSERT ON {table} TO {app}").format(table=sql.Identifier(table), app=app))
            cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", [table])
            for (partition,) in cursor.fetchall():  # reached through their parent only
                cursor.execute(sql.SQL("REVOKE ALL ON {table} FROM {app}").format(table=sql.Identifier(partition), app=app))
