"""The database, and the disks that this instance writes to."""

import os
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection

from audit.seal.archive_records import months_online
from operations.monitoring.gauges import Reading, reading

LARGEST = 6
WORTH_A_LOOK = 1_000  # dead rows below which a table needs no vacuum
WRAPS_AT = 2**31  # transactions; the database stops shortly before

# Of other roles' sessions the application's role is told neither what they do nor since when; its own are all that Aaperture has.
SERVER = """
SELECT pg_database_size(current_database()),
       count(*) FILTER (WHERE datname IS NOT NULL),
       current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
       coalesce(extract(epoch FROM max(clock_timestamp() - xact_start) FILTER (WHERE pid <> pg_backend_pid())), 0),
       count(*) FILTER (WHERE wait_event_type = 'Lock'),
       (SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database())
FROM pg_stat_activity
"""
TABLES = """
SELECT (SELECT coalesce(sum(n_dead_tup), 0) FROM pg_stat_user_tables),
       coalesce(max(n_dead_tup::float / (n_live_tup + n_dead_tup)), 0),
       coalesce(extract(epoch FROM max(clock_timestamp() - greatest(last_vacuum, last_autovacuum))), 0)
FROM pg_stat_user_tables WHERE n_dead_tup >= %s
"""
SIZES = """
SELECT relname, pg_total_relation_size(relid) FROM pg_stat_user_tables ORDER BY 2 DESC, 1 LIMIT %s
"""


def _row(statement: str, values: Any = None) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return tuple(cursor.fetchone())


def database(_now: datetime) -> Iterator[Reading]:
    size, connections, allowed, longest, locks, age = _row(SERVER)
    yield reading("database_size_bytes", size)
    yield reading("database_connections", connections)
    yield reading("database_connections_share", connections / max(allowed, 1))
    yield reading("database_longest_transaction_seconds", float(longest))
    yield reading("database_locks_waiting", locks)
    dead, share, vacuum = _row(TABLES, [WORTH_A_LOOK])
    yield reading("database_dead_rows", int(dead))
    yield reading("database_dead_share", float(share))
    yield reading("database_vacuum_oldest_seconds", float(vacuum))
    yield reading("database_transaction_ids_share", age / WRAPS_AT)


def partitions(now: datetime) -> Iterator[Reading]:
    """How many months after this one have a partition, without a gap."""
    month, ahead, made = now.date().replace(day=1), 0, set(months_online())
    while (month := _next(month)) in made:
        ahead += 1
    yield reading("partitions_ahead", ahead)


def _next(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def largest_tables() -> list[tuple[str, int]]:
    """(table, bytes with indexes), the largest first; partitions each by itself."""
    with connection.cursor() as cursor:
        cursor.execute(SIZES, [LARGEST])
        return [(str(name), int(size)) for name, size in cursor.fetchall()]


class Place(NamedTuple):
    """A folder this instance writes to, by the word for what it holds."""

    name: str
    path: Path


def places() -> list[Place]:
    """Folders of the configuration; buckets have no disk of ours."""
    named = {
        "heads": settings.AUDIT_HEADS, "archive": settings.AUDIT_ARCHIVE, "erasures": settings.ERASURE_LEDGER, "backups": settings.BACKUPS,
    }  # fmt: skip
    found = [
        Place(name, Path(address.strip()))
        for name, addresses in named.items()
        for address in addresses.split(",")
        if address.strip() and not address.strip().startswith("s3://")
    ]
    if settings.LOCAL:
        found.append(Place("data", Path(settings.CELERY_BEAT_SCHEDULE_FILENAME).parent))
    return found


def disks(_now: datetime) -> Iterator[Reading]:
    """Each disk once, under the words for all that it holds."""
    seen: dict[int, tuple[list[str], os.statvfs_result]] = {}
    for place in places():
        path = next(folder for folder in (place.path, *place.path.parents) if folder.exists())
        names, _ = seen.setdefault(path.stat().st_dev, ([], os.statvfs(path)))
        if place.name not in names:
            names.append(place.name)
    for names, told in seen.values():
        part = ", ".join(names)
        yield reading("disk_free_bytes", told.f_bavail * told.f_frsize, part)
        yield reading("disk_free_share", told.f_bavail / max(told.f_blocks, 1), part)
