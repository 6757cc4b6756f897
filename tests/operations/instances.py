"""A second, empty instance beside the one of the tests: a database of its own, used by commands run as processes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from tests.database import schema_digest

ROOT = Path(__file__).resolve().parents[2]


class Instance:
    """`environment` is what a process needs to be this instance."""

    def __init__(self, name: str, application_url: str, owner_url: str, **environment: str) -> None:
        def url(base: str) -> str:
            return urlsplit(base)._replace(path=f"/{name}").geturl()

        self.owner_url = url(owner_url)
        self.environment = os.environ | {"DATABASE_URL": url(application_url), "MIGRATION_DATABASE_URL": self.owner_url} | environment

    def manage(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.python("manage.py", *arguments, **environment)

    def python(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command, env = [sys.executable, *arguments], self.environment | environment
        return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)

    def rows(self, query: str, *parameters: Any) -> list[Any]:
        with psycopg.connect(self.owner_url) as connection:
            return connection.execute(query, parameters).fetchall()  # type: ignore[arg-type]


@contextmanager
def empty_instance(test_database: Any, *, migrated: bool = True, **environment: str) -> Iterator[Instance]:
    """Migrated as the tests' database is, or not at all, and without a row."""
    name = f"{test_database.name}_restored"
    with psycopg.connect(test_database.owner_url, autocommit=True) as owner:
        test_database._drop(owner, name)
        template = f"aaperture_template_{schema_digest()}" if migrated else "template0"
        owner.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
        try:
            yield Instance(name, test_database.application_url, test_database.owner_url, **environment)
        finally:
            test_database._drop(owner, name)
