"""The database as it is at one instant, as COPY writes it.

COPY of every table in one REPEATABLE READ transaction, and not pg_dump: the tables' structure, partitions, triggers, functions and
grants are what migrations make, and `restore` lets the migrations of the backup's own time make them again; what is left is rows,
the values of sequences and the months that have a partition. So no client program of the server's version is needed, neither
here nor in the container, nothing passes through a disk or another process, and the application's own role, which may read
everything and change no structure, is enough. The text format is the same across versions of PostgreSQL.

Nobody waits for it but who changes a table's structure: it takes no lock but the one of reading. Objects are read after the
snapshot, so whatever its rows name is there unless somebody deleted it in between.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from audit.seal.online import connect

MIGRATIONS = "django_migrations"
# what ends with the instance, or is made anew: signing in again is the least that a restore asks of everybody
LEFT_OUT = {
    "accounts_session": "who was signed in signs in again",
    "accounts_apisession": "who was signed in signs in again",
    "accounts_refreshtoken": "who was signed in signs in again",
    "operations_dataexport": "a copy of somebody's data lasts 24 hours",
    "operations_exportchunk": "a copy of somebody's data lasts 24 hours",
    "operations_backup": "found again on the shelf",
}
TABLES = """
SELECT c.relname, array_agg(a.attname ORDER BY a.attnum)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
GROUP BY c.relname ORDER BY c.relname
"""
MONTHS = """
SELECT to_date(right(c.relname, 7), 'YYYY_MM') FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'public.audit_activity'::regclass AND c.relname ~ '^audit_activity_[0-9]{4}_[0-9]{2}$' ORDER BY 1
"""
ESTIMATE = """
SELECT coalesce(sum(c.reltuples) FILTER (WHERE c.reltuples > 0), 0)::bigint FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname <> ALL(%s)
"""
SESSION = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD';"
    "SET LOCAL bytea_output = 'hex'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL extra_float_digits = 1;"
    "SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0"
)
BLOCK = 64 * 1024


class Table(NamedTuple):
    name: str
    columns: list[str]


class Snapshot:
    def __init__(self, own: psycopg.Connection[Any]) -> None:
        self.own = own

    def tables(self) -> list[Table]:
        """Every table with its stored columns, partitions as part of their parent; without what is left out."""
        rows = self.own.execute(TABLES).fetchall()
        return [Table(name, list(columns)) for name, columns in rows if name not in LEFT_OUT and name != MIGRATIONS]

    def facts(self) -> dict[str, Any]:
        """What stands beside the rows: how far the migrations were, values of sequences, months with a partition, keys in use."""
        seal = self.own.execute("SELECT number, encode(head, 'hex') FROM audit_auditseal ORDER BY number DESC LIMIT 1").fetchone()
        kids = self.own.execute("SELECT DISTINCT kid FROM vault_datakey WHERE destroyed_at IS NULL ORDER BY 1").fetchall()
        return {
            "migrations": [list(row) for row in self.own.execute("SELECT app, name FROM django_migrations ORDER BY id").fetchall()],
            "sequences": self._sequences(),
            "months": [f"{row[0]:%Y-%m-%d}" for row in self.own.execute(MONTHS).fetchall()],
            "last_seal": list(seal) if seal else None,
            "kids": [row[0] for row in kids],
            "server": self.own.info.server_version,
        }

    def _sequences(self) -> dict[str, list[Any]]:
        """Read after the snapshot, so never behind its rows."""
        names = self.own.execute("SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1").fetchall()
        found = {}
        for (name,) in names:
            row = self.own.execute(sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(name))).fetchone()
            found[name] = list(row or (1, False))
        return found

    def estimated_rows(self) -> int:
        row = self.own.execute(ESTIMATE, [list(LEFT_OUT)]).fetchone()
        return int(row[0]) if row else 0

    def copy(self, table: Table) -> Iterator[tuple[bytes, int]]:
        """The table's rows in blocks, each with how many rows it has."""
        columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
        statement = sql.SQL("COPY (SELECT {columns} FROM {table}) TO STDOUT").format(columns=columns, table=sql.Identifier(table.name))
        block, rows = bytearray(), 0
        with self.own.cursor() as cursor, cursor.copy(statement) as lines:
            for line in lines:
                block += line
                rows += 1
                if len(block) >= BLOCK:
                    yield bytes(block), rows
                    block.clear()
                    rows = 0
        if block:
            yield bytes(block), rows


@contextmanager
def snapshot() -> Iterator[Snapshot]:
    with connect() as own, own.transaction():
        own.execute(SESSION)
        own.execute("SELECT 1")  # the snapshot is taken by the first query
        yield Snapshot(own)
