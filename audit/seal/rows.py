"""Rows of the log as they are sealed: the line that PostgreSQL's COPY writes for every column, canonical text included.

`COLUMNS` is the format of every seal ever made: a column added to the table later comes with a new format, never into this one.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg import sql

COLUMNS = (
    "tx", "id", "recorded_at", "action", "actor_kind", "actor_id", "credential", "credential_id", "organization_id", "target_type",
    "target_id", "request_id", "details", "address", "agent", "address_hash", "account_hash", "canonical",
)  # fmt: skip
BINARY = frozenset({"address", "agent", "address_hash", "account_hash"})
EPOCH_BITS = 48
LEAF = 24  # bytes: the row's id and the first 8 of its line's SHA-256
# The text of a value depends on these; the index in order of (tx, id) is used whatever the planner thinks of it.
SESSION = (
    "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL bytea_output = 'hex'; SET LOCAL enable_seqscan = off;"
    "SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off; SET LOCAL max_parallel_workers_per_gather = 0"
)
# What no running transaction can still add to: older than every transaction that has not ended.
SETTLED = "tx < (audit_epoch()::bigint << 48) + (pg_snapshot_xmin(pg_current_snapshot())::text)::bigint"
NEXT = "(audit_epoch()::bigint << 48) + (pg_snapshot_xmax(pg_current_snapshot())::text)::bigint"  # no transaction has this number yet


class Mark(NamedTuple):
    """A place in the order of the log."""

    tx: int
    id: UUID


BEGINNING = Mark(0, UUID(int=0))
ESCAPED = re.compile(rb"\\(.)")
ESCAPES = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


def query(after: Mark, until: Mark | None = None, *, settled: bool = False, limit: int | None = None) -> sql.Composed:
    """COPY of the rows behind `after`, up to and with `until`, in the order in which they are sealed."""
    parts: list[sql.Composable] = [sql.SQL("(tx, id) > ({}, {})").format(sql.Literal(after.tx), sql.Literal(after.id))]
    if until is not None:
        parts.append(sql.SQL("(tx, id) <= ({}, {})").format(sql.Literal(until.tx), sql.Literal(until.id)))
    if settled:
        parts.append(sql.SQL(SETTLED))
    return sql.SQL("COPY (SELECT {columns} FROM audit_activity WHERE {where} ORDER BY tx, id {limit}) TO STDOUT").format(
        columns=sql.SQL(", ").join(map(sql.Identifier, COLUMNS)),
        where=sql.SQL(" AND ").join(parts),
        limit=sql.SQL("LIMIT {}").format(sql.Literal(limit)) if limit is not None else sql.SQL(""),
    )


@contextmanager
def copying(connection: psycopg.Connection[Any], statement: sql.Composed) -> Iterator[psycopg.pq.abc.PGconn]:
    """Run a COPY … TO STDOUT; `get_copy_data(0)` then gives one line a call, and a length below 1 at the end.

    libpq's own call: psycopg's iterator costs twice as much for each row. The caller reads to the end.
    """
    pgconn = connection.pgconn
    result = pgconn.exec_(statement.as_bytes(connection))
    if result.status != psycopg.pq.ExecStatus.COPY_OUT:
        raise psycopg.OperationalError(result.error_message.decode(errors="replace"))
    yield pgconn
    while (ended := pgconn.get_result()) is not None:
        if ended.status != psycopg.pq.ExecStatus.COMMAND_OK:
            raise psycopg.OperationalError(ended.error_message.decode(errors="replace"))


def read(connection: psycopg.Connection[Any], statement: sql.Composed) -> Iterator[bytes]:
    """The lines of a COPY, one at a time."""
    with copying(connection, statement) as pgconn:
        while True:
            length, line = pgconn.get_copy_data(0)
            if length <= 0:
                break
            yield bytes(line)


def mark_of(line: bytes) -> Mark:
    tx, id_, _rest = line.split(b"\t", 2)
    return Mark(int(tx), UUID(id_.decode()))


def month_of(line: bytes) -> date:
    text = line.split(b"\t", 3)[2]
    return date(int(text[:4]), int(text[5:7]), 1)


def leaf(line: bytes) -> bytes:
    return mark_of(line).id.bytes + sha256(line).digest()[:8]


def values(line: bytes) -> dict[str, Any]:
    """The columns of a line: text, integers for `tx`, bytes, parsed `details`, None."""
    found: dict[str, Any] = {}
    for column, field in zip(COLUMNS, line.rstrip(b"\n").split(b"\t"), strict=True):
        if field == b"\\N":
            found[column] = None
            continue
        raw = ESCAPED.sub(lambda match: ESCAPES.get(match[1], match[1]), field) if b"\\" in field else field
        if column in BINARY:
            found[column] = bytes.fromhex(raw[2:].decode())
        elif column == "details":
            found[column] = json.loads(raw)
        else:
            found[column] = int(raw) if column == "tx" else raw.decode()
    return found


def canonical_values(columns: dict[str, Any]) -> dict[str, Any]:
    """What the canonical text has to say of these columns (`audit.services` writes it)."""
    said = {name: value.hex() if isinstance(value, bytes) else value for name, value in columns.items() if name not in {"tx", "canonical"}}
    day, _, clock = columns["recorded_at"].partition(" ")
    clock, _, fraction = clock.removesuffix("+00").partition(".")
    said["recorded_at"] = f"{day}T{clock}.{fraction:<06}Z"
    return said


def differing(columns: dict[str, Any]) -> list[str]:
    """Names of the columns of which the canonical text says something else; `canonical` if it is no such text at all."""
    try:
        said = json.loads(columns["canonical"])
    except ValueError:
        return ["canonical"]
    expected = canonical_values(columns)
    if not isinstance(said, dict) or said.keys() != expected.keys():
        return ["canonical"]
    return [name for name, value in expected.items() if said[name] != value]


def with_canonical_rebuilt(line: bytes, columns: dict[str, Any]) -> bytes:
    """The line as it would be with the canonical text that its columns call for."""
    text = json.dumps(canonical_values(columns), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    field = text.encode().replace(b"\\", b"\\\\")
    return b"\t".join([*line.rstrip(b"\n").split(b"\t")[:-1], field]) + b"\n"
