"""Activity that is committed and sealed, and the owner who tampers with it."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import psycopg
from django.db import connection
from django.test import RequestFactory

from audit.models import Activity, AuditSeal
from audit.seal import rows, sealing
from audit.services import record
from tests.accounts.people import make_user

PATIENCE = 60  # seconds: a transaction of another test process, begun before ours, holds the seal back
TABLES = ("audit_activity", "audit_auditseal", "audit_auditarchive")


def seal_all() -> None:
    """Seal until nothing is left."""
    end = time.monotonic() + PATIENCE
    while True:
        sealing.seal_pending()
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT EXISTS (SELECT 1 FROM audit_activity WHERE (tx, id) >"
                " (SELECT coalesce(max(to_tx), 0), '00000000-0000-0000-0000-000000000000'::uuid FROM audit_auditseal)"
                " AND tx > (SELECT coalesce(max(to_tx), 0) FROM audit_auditseal))"
            )
            if not cursor.fetchone()[0]:
                return
        assert time.monotonic() < end, "not sealed in time"
        time.sleep(0.05)


def wait_until_settled() -> None:
    """Until the sealer may take every row: a transaction of another test process, begun before ours, holds that back too."""
    end = time.monotonic() + PATIENCE
    with connection.cursor() as cursor:
        while time.monotonic() < end:
            cursor.execute(f"SELECT bool_and({rows.SETTLED}) FROM audit_activity")
            if cursor.fetchone() == (True,):
                return
            time.sleep(0.01)
    raise TimeoutError("a transaction of somebody else's goes on and on")


def make_activity(seals: int = 3, rows: int = 4) -> list[Activity]:
    """`seals` seals of `rows` activities each, by one person from one address."""
    user = make_user()
    seal_all()
    request = RequestFactory().get("/", REMOTE_ADDR="203.0.113.9", headers={"User-Agent": "Firefox"})
    request.user = user
    made = []
    for _ in range(seals):
        made += [record("user.updated", user, request=request, fields=["name"], note="line\nbreak \\ tab\t é") for _ in range(rows)]
        seal_all()
    return made


def sealed_rows(number: int) -> list[uuid.UUID]:
    """Ids of a seal's rows, in their order."""
    seal = AuditSeal.objects.get(number=number)
    rows = Activity.objects.order_by("tx", "id").filter(tx__gte=seal.from_tx, tx__lte=seal.to_tx)
    return list(rows.values_list("pk", flat=True))


@contextmanager
def as_owner(test_database: Any) -> Iterator[psycopg.Connection]:
    """The tables' owner, with the triggers out of the way."""
    with psycopg.connect(test_database.url(test_database.owner_url), autocommit=True, options="-c lock_timeout=10s") as owner:
        for table in TABLES:
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        try:
            yield owner
        finally:
            for table in TABLES:
                if owner.execute("SELECT to_regclass(%s)", [table]).fetchone()[0]:
                    owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def make_old_activity(test_database: Any, month: date, *, rows: int = 6) -> None:
    """Committed activity of an earlier month, in a partition of that month."""
    import time_machine

    with as_owner(test_database) as owner:
        owner.execute("SELECT audit_make_partition(%s)", [month])
    user = make_user()
    with time_machine.travel(datetime(month.year, month.month, 10, 12, tzinfo=UTC), tick=True):
        for _ in range(rows):
            record("user.login", user, actor=user)
    seal_all()
