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
CLOSED = "aaperture: closed, a restore has not ended"  # the comment of a table that every instance has


def closed_for(*, using: str = "default") -> str | None:
    """The name of the backup whose restore has begun here and not ended, or None."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT obj_description(to_regclass('public.django_migrations'), 'pg_class')")
        said: str = cursor.fetchone()[0] or ""
    return said.removeprefix(CLOSED).strip(": ") if said.startswith(CLOSED) else None


def is_closed(*, using: str = "default") -> bool:
    """Whether a restore has begun here and not ended."""
    return closed_for(using=using) is not None


def close_to_application(name: str, *, using: str = "default") -> None:
    """Take everything from the application's role until `open_to_application`, whatever migrates in between."""
    role = settings.APPLICATION_ROLE
    with connections[using].cursor() as cursor:
        cursor.execute(sql.SQL("COMMENT ON TABLE django_migrations IS {}").format(sql.Literal(f"{CLOSED}: {name}")))
        if connections[using].settings_dict["USER"] != role:
            cursor.execute(sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}").format(sql.Identifier(role)))


def open_to_application(*, using: str = "default") -> None:
    with transaction.atomic(using=using):
        with connections[using].cursor() as cursor:
            cursor.execute("COMMENT ON TABLE django_migrations IS NULL")
        grant_application_role(using=using)


def grant_application_role(*, using: str, **_kwargs: Any) -> None:
    """Run after every `migrate` by the owner; nothing to do where owner and application are one role."""
    role = settings.APPLICATION_ROLE
    connection = connections[using]
    if connection.settings_dict["USER"] == role or is_closed(using=using):
        return
    app = sql.Identifier(role)
    database = sql.Identifier(connection.settings_dict["NAME"])
    with transaction.atomic(using=using), connection.cursor() as cursor:  # at once: no moment in which it may more
        for statement in (
            "REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC",
            "GRANT USAGE ON SCHEMA public TO {app}",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {app}",
            "GRANT MAINTAIN ON ALL TABLES IN SCHEMA public TO {app}",  # VACUUM and ANALYZE; taken back below where only adding is allowed
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
