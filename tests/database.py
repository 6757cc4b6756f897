"""One test database per process: copied from a migrated template, used as the application's own role.

The owner makes and migrates the template and empties tables after a transactional test; the tests connect as
the application does, so that what they may do is what production grants.
"""

import contextlib
import fcntl
import hashlib
import importlib.metadata
import io
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

PROJECT = Path(__file__).resolve().parent.parent
LARGE = 1_000_000  # bytes
SCHEMA_SOURCES = ("*/migrations/*.py", "*/models.py", "*/models/*.py", "*/apps.py", "*/grants.py", "*/management/commands/migrate.py")


class TestDatabase:
    """The database of one test process, named after `label`."""

    __test__ = False

    def __init__(self, application_url: str, owner_url: str, *, label: str, locks: Path) -> None:
        self.application_url = application_url
        self.owner_url = owner_url
        self.name = f"test_aaperture_{label}"
        self.locks = locks
        self.initial_tables: set[str] = set()
        self.initial_rows: dict[str, bytes] = {}
        self._owner: psycopg.Connection | None = None

    def url(self, base: str) -> str:
        return urlsplit(base)._replace(path=f"/{self.name}").geturl()

    def create(self, *, rebuild: bool = False) -> None:
        """Make the database afresh, and first the template where the migrations have changed."""
        with (self.locks / "template.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with self._maintenance() as connection:
                template = self._template(connection, rebuild=rebuild)
                self._drop(connection, self.name)
                connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(self.name), sql.Identifier(template)))
        self._remember_rows()

    def drop(self) -> None:
        if self._owner:
            self._owner.close()
        with self._maintenance() as connection:
            self._drop(connection, self.name)

    def restore(self) -> None:
        """Bring every table back to what migrations left in it."""
        with self._as_owner() as connection:
            tables = self._tables(connection)
            if added := tables.keys() - self.initial_tables:  # partitions
                connection.execute(sql.SQL("DROP TABLE {}").format(listed(added)))
                tables = {name: size for name, size in tables.items() if name not in added}
            if filled := self._filled(connection, tables):
                # Waits for requests that are still being answered: what they write must go as well.
                connection.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(listed(filled)))
                self._empty(connection, {name: tables[name] for name in filled})
            for name, rows in self.initial_rows.items():
                if self._rows(connection, name) != rows:
                    with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(name))) as copy:
                        copy.write(rows)

    @contextlib.contextmanager
    def _as_owner(self) -> Iterator[psycopg.Connection]:
        """A transaction of the owner, on a connection that lasts: what it knows of a hundred tables takes time to learn."""
        if self._owner is None or self._owner.closed:
            self._owner = psycopg.connect(self.url(self.owner_url), options="-c lock_timeout=15s")
        with self._owner.transaction():
            yield self._owner

    def _filled(self, connection: psycopg.Connection, tables: dict[str, int]) -> list[str]:
        each = [sql.SQL("EXISTS (SELECT 1 FROM {})").format(sql.Identifier(name)) for name in tables]
        found = connection.execute(sql.SQL("SELECT {}").format(sql.SQL(", ").join(each))).fetchone() or ()
        return [name for name, has_rows in zip(tables, found, strict=True) if has_rows]

    def _empty(self, connection: psycopg.Connection, tables: dict[str, int]) -> None:
        """A few small tables row by row, past foreign keys and triggers: new files for all that refer to them take longer.

        That right is granted in the embedded servers of tests only.
        """
        may = connection.execute("SELECT has_parameter_privilege('session_replication_role', 'SET')").fetchone()
        small = {name for name, size in tables.items() if size < LARGE} if may == (True,) else set()
        if large := set(tables) - small:
            connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(listed(large)))
        if small:
            connection.execute("SET LOCAL session_replication_role = replica")
        for name in small:
            if name not in self.initial_rows or self._rows(connection, name) != self.initial_rows[name]:
                connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(name)))

    def _maintenance(self) -> psycopg.Connection:
        """A connection from which databases are made: to the configured one, as the owner."""
        return psycopg.connect(self.owner_url, autocommit=True)

    def _template(self, connection: psycopg.Connection, *, rebuild: bool) -> str:
        name = f"aaperture_template_{schema_digest()}"
        databases = [row[0] for row in connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'aaperture_template_%'")]
        if name in databases and not rebuild:
            return name
        for outdated in databases:
            self._drop(connection, outdated)
        draft = f"building_{name}"
        self._drop(connection, draft)
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(draft)))
        self._migrate(draft)
        connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(draft), sql.Identifier(name)))
        return name

    def _migrate(self, database: str) -> None:
        names = {"DATABASE_URL": self.application_url, "MIGRATION_DATABASE_URL": self.owner_url}
        env = os.environ | {name: urlsplit(url)._replace(path=f"/{database}").geturl() for name, url in names.items()}
        command = [sys.executable, "manage.py", "migrate", "--verbosity=0", "--no-input"]
        done = subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"migrate failed:\n{done.stdout}{done.stderr}")

    def _drop(self, connection: psycopg.Connection, database: str) -> None:
        """Drop it, ending who is still connected: the owner may end its own sessions, not those of the application's role."""
        for patience in range(50, -1, -1):
            with psycopg.connect(self.application_url, autocommit=True) as application:
                application.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = current_user", [database]
                )
            try:
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))
            except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectInUse):
                if not patience:
                    raise
                time.sleep(0.1)
            else:
                return

    def _tables(self, connection: psycopg.Connection) -> dict[str, int]:
        """Every table with its size in bytes."""
        rows = connection.execute(
            "SELECT relname, pg_relation_size(oid) FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'django_migrations'"
        )
        return dict(rows.fetchall())

    def _rows(self, connection: psycopg.Connection, name: str) -> bytes:
        rows = io.BytesIO()
        with connection.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(name))) as copy:
            for chunk in copy:
                rows.write(chunk)
        return rows.getvalue()

    def _remember_rows(self) -> None:
        with self._as_owner() as connection:
            self.initial_tables = set(self._tables(connection))
            self.initial_rows = {name: rows for name in self.initial_tables if (rows := self._rows(connection, name))}


def listed(names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, sorted(names)))


def schema_digest() -> str:
    """Changes whenever the migrated schema could: with our models and migrations, the packages', and the log's months."""
    digest = hashlib.sha256(f"{datetime.now(UTC):%Y-%m}".encode())
    for pattern in SCHEMA_SOURCES:
        for path in sorted(PROJECT.glob(pattern)):
            digest.update(path.relative_to(PROJECT).as_posix().encode() + path.read_bytes())
    for package in ("django", "django-allauth", "django-axes"):
        digest.update(importlib.metadata.version(package).encode())
    digest.update((PROJECT / "aaperture/settings.py").read_bytes())
    return digest.hexdigest()[:12]
