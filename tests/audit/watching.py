"""Watches requests: whoever wrote to the database must have put something on record (R-116)."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from django.db import connection
from django.http import HttpRequest, HttpResponse

from audit.middleware import ActivityMiddleware

LOG = "audit_activity"
STATEMENT = re.compile(r'\s*(INSERT INTO|UPDATE|DELETE FROM|SAVEPOINT|ROLLBACK TO SAVEPOINT)\s+"?(\w+)', re.IGNORECASE)
# What a request keeps for itself: sessions and their last use, keys and rows that are made on first use, what Stripe sent.
MACHINERY = frozenset(
    {"accounts_session", "accounts_apisession", "accounts_apikey", "accounts_refreshtoken", "accounts_instancesettings"}
    | {"vault_datakey", "vault_keysalt", "vault_knownsecret", "operations_maintenancejob", "billing_stripeevent"}
)


class Unrecorded(NamedTuple):
    method: str
    view: str
    tables: frozenset[str]


def watch(monkeypatch: Any) -> list[Unrecorded]:
    """From now on, requests that were answered and wrote without a record are in the list."""
    found: list[Unrecorded] = []
    real: Callable[[ActivityMiddleware, HttpRequest], HttpResponse] = ActivityMiddleware.__call__

    def watched(self: ActivityMiddleware, request: HttpRequest) -> HttpResponse:
        tables: set[str] = set()
        before: dict[str, set[str]] = {}

        def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            if statement := STATEMENT.match(sql):
                verb, name = statement[1].upper(), statement[2]
                if verb == "SAVEPOINT":
                    before[name] = set(tables)
                elif verb == "ROLLBACK TO SAVEPOINT":
                    tables.intersection_update(before[name])
                else:
                    tables.add(name)
            return execute(sql, params, many, context)

        with connection.execute_wrapper(note):
            response = real(self, request)
        if tables - MACHINERY and LOG not in tables and response.status_code < 400:
            match = request.resolver_match
            found.append(Unrecorded(str(request.method), match.view_name if match else "", frozenset(tables - MACHINERY)))
        return response

    monkeypatch.setattr(ActivityMiddleware, "__call__", watched)
    return found
