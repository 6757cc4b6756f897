"""One test database per process: copied from a migrated template, used as the application's own role.

The owner makes and migrates the template and empties tables after a transactional test; the tests connect as
the application does, so that what they may do is what production grants.
"""

import fcntl
import hashlib
import importlib.metadata
import io
import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

PROJECT = Path(__file__).resolve().parent.parent
SCHEMA_SOURCES = ("*/migrations/*.py", "*/models.py", "*/models/*.py", "*/apps.py", "*/grants.py", "*/management/commands/migrate.py")


class TestDatabase:
    """The database of one test process, named after `label`."""

    __test__ = False

    def __init__(self, application_url: str, owner_url: str, *, label: str, locks: Path) -> None:
        self.application_url = application_url
        self.owner_url = owner_url
        self.name = f"test_aaperture_{label}"
        self.locks = locks
        self.initial_rows: dict[str, bytes] = {}

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
        with self._maintenance() as connection:
            self._drop(connection, self.name)

    def restore(self) -> None:
        """Bring every table back to what migrations left in it."""
        with psycopg.connect(self.url(self.owner_url), options="-c lock_timeout=15s") as connection:
            tables = self._tables(connection)
            filled = [table for table in tables if connection.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(table)).fetchone()]
            if filled:
                connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.SQL(", ").join(filled)))
            for table, rows in self.initial_rows.items():
                with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
                    copy.write(rows)

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

    def _tables(self, connection: psycopg.Connection) -> list[sql.Identifier]:
        rows = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'django_migrations'"
        )
        return [sql.Identifier(row[0]) for row in rows]

    def _remember_rows(self) -> None:
        with psycopg.connect(self.url(self.owner_url)) as connection:
            for table in self._tables(connection):
                text = table.as_string(connection)
                rows = io.BytesIO()
                with connection.cursor().copy(f"COPY {text} TO STDOUT") as copy:
                    for chunk in copy:
                        rows.write(chunk)
                if rows.tell():
                    self.initial_rows[text] = rows.getvalue()


def schema_digest() -> str:
    """Changes whenever the migrated schema could: with our models and migrations, and with the packages'."""
    digest = hashlib.sha256()
    for pattern in SCHEMA_SOURCES:
        for path in sorted(PROJECT.glob(pattern)):
            digest.update(path.relative_to(PROJECT).as_posix().encode() + path.read_bytes())
    for package in ("django", "django-allauth", "django-axes"):
        digest.update(importlib.metadata.version(package).encode())
    digest.update((PROJECT / "aaperture/settings.py").read_bytes())
    return digest.hexdigest()[:12]
