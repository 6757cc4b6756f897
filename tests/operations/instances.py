"""A second, empty instance beside the one of the tests: a database of its own, used by other processes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from tests.processes import Process

PATIENCE = 120  # seconds
# what is forked has a connection to the tests' own database in its hands
ENTER = """
from django.conf import settings
from django.db import connection
connection.settings_dict["NAME"] = settings.DATABASES["default"]["NAME"]
"""
MANAGE = "import sys\nfrom django.core.management import execute_from_command_line\nexecute_from_command_line(['manage.py', *sys.argv[1:]])"


class Ended(NamedTuple):
    returncode: int | None
    stdout: str
    stderr: str


class Instance:
    """`environment` is what a process needs to be this instance; by default that of the tests themselves."""

    def __init__(self, test_database: Any, name: str = "", **environment: str) -> None:
        def url(base: str) -> str:
            return urlsplit(base)._replace(path=f"/{name or test_database.name}").geturl()

        self.owner_url = url(test_database.owner_url)
        self.environment = {"DATABASE_URL": url(test_database.application_url), "MIGRATION_DATABASE_URL": self.owner_url} | environment

    def manage(self, *arguments: str) -> Ended:
        return self.run(MANAGE, *arguments)

    def run(self, code: str, *arguments: str) -> Ended:
        process = Process(ENTER + code, *arguments, environment=self.environment)
        printed, errors = process.communicate(PATIENCE)
        return Ended(process.returncode, printed, errors)

    def rows(self, query: str, *parameters: Any) -> list[Any]:
        with psycopg.connect(self.owner_url) as connection:
            return connection.execute(query, parameters).fetchall()  # type: ignore[arg-type]


@contextmanager
def empty_instance(test_database: Any, *, migrated: bool = True, **environment: str) -> Iterator[Instance]:
    """Migrated as the tests' database is, or not at all, and without a row."""
    name = f"{test_database.name}_restored"
    with psycopg.connect(test_database.owner_url, autocommit=True) as owner:
        test_database._drop(owner, name)
        (of_tests,) = owner.execute("SELECT max(datname) FROM pg_database WHERE datname LIKE 'aaperture_template_%'").fetchone()
        template = of_tests if migrated else "template0"
        owner.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
        try:
            yield Instance(test_database, name, **environment)
        finally:
            test_database._drop(owner, name)
