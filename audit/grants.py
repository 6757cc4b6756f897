"""What the application's database role may do: everything but schema changes, and in the activity log only read and add."""

from typing import Any

from django.conf import settings
from django.db import connections, transaction
from psycopg import sql

from audit.models import AuditArchive, AuditSeal, SealLeaves
from audit.services import COLUMNS

APPEND_ONLY: dict[str, tuple[str, ...]] = {
    "audit_activity": COLUMNS,  # not `tx`: the sealer's order is the database's to say
    **{
        model._meta.db_table: tuple(str(field.column) for field in model._meta.concrete_fields)
        for model in (AuditSeal, SealLeaves, AuditArchive)
    },
}
FUNCTIONS = ("audit_make_partition(date)", "audit_begin_epoch()", "audit_drop_month(date)", "audit_forget_leaves(date)")


def grant_application_role(*, using: str, **_kwargs: Any) -> None:
    """Run after every `migrate` by the owner; nothing to do where owner and application are one role."""
    role = settings.APPLICATION_ROLE
    connection = connections[using]
    if connection.settings_dict["USER"] == role:
        return
    app = sql.Identifier(role)
    database = sql.Identifier(connection.settings_dict["NAME"])
    with transaction.atomic(using=using), connection.cursor() as cursor:  # at once: no moment in which it may more
        for statement in (
            "REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC",
            "GRANT USAGE ON SCHEMA public TO {app}",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {app}",
            "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {app}",
            *(f"GRANT EXECUTE ON FUNCTION {function} TO {{app}}" for function in FUNCTIONS),
            "REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {app}",
        ):
            cursor.execute(sql.SQL(statement).format(app=app, database=database))
        for table, columns in APPEND_ONLY.items():
            names = sql.SQL(", ").join([sql.Identifier(column) for column in columns])
            for statement in ("REVOKE ALL ON {table} FROM {app}", "GRANT SELECT, INSERT ({names}) ON {table} TO {app}"):
                cursor.execute(sql.SQL(statement).format(table=sql.Identifier(table), names=names, app=app))
        # reached through their parent only; one that somebody detached by hand is no child any more, and is closed all the same
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
            " AND relname LIKE 'audit\\_activity\\_%'"
        )
        for (partition,) in cursor.fetchall():
            cursor.execute(sql.SQL("REVOKE ALL ON {table} FROM {app}").format(table=sql.Identifier(partition), app=app))
