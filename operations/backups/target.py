"""The database into which a backup is restored, as the owner of its tables.

Everything is loaded in one transaction, so that a restore that dies leaves an empty database and may simply be started again. In
that same transaction the application's role loses its rights: until the restore has ended, nobody can use what stands there.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from psycopg import sql

from audit import grants
from operations.backups.snapshot import MIGRATIONS

MUST_BE_EMPTY = ("accounts_user", "audit_activity", "audit_auditseal")
OTHERS = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
AND usename = %s AND backend_type = 'client backend'
"""
FOREIGN_KEYS = """
SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint
WHERE contype = 'f' AND connamespace = 'public'::regnamespace AND conparentid = 0
"""
TRIGGERED = """
SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE NOT tgisinternal AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace
"""
TABLES = """
SELECT c.oid::regclass::text FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> %s
"""
LOCK = 0xBAC2


class AlreadyFilled(Exception):
    """Another restore was first."""


class NotLoaded(Exception):
    """The database refused rows of a table. The text says which and why, never what they hold, as PostgreSQL's own does."""


@contextmanager
def as_owner() -> Iterator[None]:
    """While this lasts, Django's connection is the tables' owner's."""
    application, owner = dict(connection.settings_dict), settings.MIGRATION_DATABASE
    connection.close()
    connection.settings_dict.update({key: owner[key] for key in ("USER", "PASSWORD", "HOST", "PORT")})
    connection.settings_dict["OPTIONS"] = {key: value for key, value in application["OPTIONS"].items() if key != "pool"}
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(application)


def users() -> int:
    """How many sessions the application's role has here, beside ours."""
    with connection.cursor() as cursor:
        cursor.execute(OTHERS, [settings.APPLICATION_ROLE])
        return int(cursor.fetchone()[0])


def filled() -> list[str]:
    """Tables that say that this database is in use."""
    found = []
    with connection.cursor() as cursor:
        for table in MUST_BE_EMPTY:
            cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [f"public.{table}"])
            if cursor.fetchone()[0]:
                cursor.execute(sql.SQL("SELECT EXISTS (SELECT 1 FROM {})").format(sql.Identifier(table)))
                if cursor.fetchone()[0]:
                    found.append(table)
    return found


def unknown_migrations(wanted: list[list[str]]) -> list[str]:
    """Those that this version of Aaperture does not have: the backup is of a later one."""
    known = MigrationLoader(None, ignore_no_migrations=True).disk_migrations
    return [f"{app}.{name}" for app, name in wanted if (app, name) not in known]


def migrate_to(wanted: list[list[str]]) -> None:
    """The structure of the backup's time. An empty database that was migrated further begins anew."""
    names = {(app, name) for app, name in wanted}
    if set(MigrationRecorder(connection).applied_migrations()) - names:
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    executor = MigrationExecutor(connection)
    graph = executor.loader.graph
    last = [node for node in sorted(names) if not any(child[0] == node[0] and child in names for child in graph.node_map[node].children)]
    executor.migrate([(app, name) for app, name in last])


def migrate_forward() -> None:
    call_command("migrate", verbosity=0, interactive=False)


@contextmanager
def loading(facts: dict[str, Any]) -> Iterator[Callable[[str, list[str], Iterator[bytes]], None]]:
    """One transaction in which `load(table, columns, pieces)` fills the emptied tables; then keys, sequences and triggers are as ever."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        if filled():
            raise AlreadyFilled
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0; SET LOCAL TimeZone = 'UTC'")
        grants.close_to_application(facts["name"])
        cursor.execute(TRIGGERED)
        triggered = [row[0] for row in cursor.fetchall()]
        cursor.execute(FOREIGN_KEYS)
        keys = cursor.fetchall()
        for table in triggered:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for table, name, _definition in keys:
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        cursor.execute(TABLES, [MIGRATIONS])
        cursor.execute(f"TRUNCATE {', '.join(row[0] for row in cursor.fetchall())}")
        for month in facts["months"]:
            cursor.execute("SELECT audit_make_partition(%s)", [month])
        yield _load
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what is deferred would be pending, and no table can be altered then
        for table, name, definition in keys:
            cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
        for table in triggered:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        for sequence, (value, is_called) in facts["sequences"].items():
            cursor.execute("SELECT setval(to_regclass(%s), %s, %s)", [f'public."{sequence}"', value, is_called])
        cursor.execute("SELECT audit_begin_epoch()")


def _load(table: str, columns: list[str], pieces: Iterator[bytes]) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY {table} ({columns}) FROM STDIN").format(table=sql.Identifier(table), columns=names)
    try:
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for piece in pieces:
                copy.write(piece)
    except psycopg.Error as error:
        raise NotLoaded(f"{table}: {type(error).__name__} ({error.sqlstate})") from None
