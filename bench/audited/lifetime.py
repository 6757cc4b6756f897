"""Sealing, verifying and letting a month go."""

import itertools
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from bench.audited.recording import SCRIPT
from bench.audited.scene import make_request, set_up
from bench.report import Report

SAME = """recorded_at, action, actor_kind, actor_id, credential, credential_id, organization_id, target_type, target_id, request_id,
    details, address, agent, address_hash, account_hash"""
COPIES = f"""
INSERT INTO audit_activity (id, {SAME}, canonical)
SELECT fresh, {SAME}, replace(t.canonical, t.id::text, fresh::text)
FROM (SELECT uuidv7() AS fresh, n FROM generate_series(1, %(rows)s) AS n) AS numbers
JOIN (SELECT *, row_number() OVER (ORDER BY id) AS n FROM audit_activity WHERE id = ANY(%(templates)s)) AS t
    ON t.n = 1 + numbers.n %% %(count)s
ORDER BY fresh -- so they stand in the table as they came, like rows that were written one by one
"""
MOVED = f"""
INSERT INTO audit_activity (id, {SAME}, canonical)
SELECT fresh, %(then)s, {SAME.partition(", ")[2]},
    regexp_replace(replace(canonical, id::text, fresh::text), '"recorded_at":"[^"]*"', '"recorded_at":"' || %(then)s || '"')
FROM (SELECT uuidv7() AS fresh, * FROM audit_activity WHERE id = ANY(%(ids)s)) AS old RETURNING id
"""


class Filler:
    """Fills the log with copies of genuine rows, as the application's role."""

    def __init__(self, month: date) -> None:
        import psycopg

        from audit.services import record

        self.psycopg, request = psycopg, make_request()
        ids = [record("settings.changed", request.user, request=request, turn=n, fields=["status"]).pk for n in range(200)]
        if month != datetime.now(UTC).date().replace(day=1):
            ids = self._moved(ids, month)
        self.templates = ids

    def _moved(self, ids: list[Any], month: date) -> list[Any]:
        """The same rows, of an earlier month."""
        from django.db import connection

        with self.psycopg.connect(os.environ["MIGRATION_DATABASE_URL"], autocommit=True) as owner:
            owner.execute("SELECT audit_make_partition(%s)", [month])
        then = f"{month:%Y-%m}-10T12:00:00.000001Z"
        with connection.cursor() as cursor:
            cursor.execute(MOVED, {"then": then, "ids": ids})
            return [row[0] for row in cursor.fetchall()]

    def add(self, rows: int, cursor: Any) -> None:
        cursor.execute(COPIES, {"rows": rows, "templates": self.templates, "count": len(self.templates)})

    def fill(self, rows: int) -> None:
        from django.db import connection

        for start in range(0, rows, 50_000):
            with connection.cursor() as cursor:
                self.add(min(50_000, rows - start), cursor)
            print(f"\r{min(rows, start + 50_000):,} rows ", end="", file=sys.stderr, flush=True)
        with self.psycopg.connect(os.environ["MIGRATION_DATABASE_URL"], autocommit=True) as owner:
            owner.execute("VACUUM ANALYZE audit_activity")
        print(file=sys.stderr)


def seal(report: Report, filler: Filler, rows: int, case: str) -> None:
    from audit.seal import sealing

    filler.fill(rows)
    before, cpu, sealed = time.perf_counter(), time.process_time(), 0
    while sealed < rows:
        sealed += sealing.seal_pending()
    taken = time.perf_counter() - before
    report.add(f"sealing {case}", sealed / taken, "rows/s", goal=5_000)
    report.add(f"CPU of our process, sealing {case}", (time.process_time() - cpu) / sealed * 1e6, "us/row")


def keeping_up(report: Report, filler: Filler) -> None:
    """5,000 rows a second for ten seconds, and the sealer's tick every four beside it: how old the oldest unsealed row becomes."""
    from django.db import connection, connections

    from audit.seal import sealing

    written = [0]

    def flood() -> None:
        with connection.cursor() as cursor:
            for turn in range(100):
                self_time = started + turn / 10
                time.sleep(max(0.0, self_time - time.perf_counter()))
                filler.add(500, cursor)
                written[0] += 500
        connections.close_all()

    sealing.seal_pending()
    started = time.perf_counter()
    thread = threading.Thread(target=flood)
    thread.start()
    sealed, longest = 0, 0.0
    while sealed < 50_000:
        time.sleep(4)
        before = time.perf_counter()
        sealed += sealing.seal_pending()
        longest = max(longest, 4 + time.perf_counter() - before)
    thread.join()
    report.add("rows/s written while sealing", written[0] / 10, "rows/s")
    report.add("oldest row not yet sealed, at 5,000 rows/s", longest, "s", goal=10, at_most=True)


def verify_alone() -> None:
    """In a process of its own: prints rows, seconds, findings and the peak of its memory."""
    set_up()
    from audit.seal.verification import verify

    last = int(sys.argv[2]) or None
    before = time.perf_counter()
    found = verify(last=last)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rows": found.rows, "seconds": time.perf_counter() - before, "findings": len(found.findings), "peak": peak}))


def verifying(report: Report) -> None:
    from audit.models import AuditSeal

    total, tenth = 0, 0
    online = AuditSeal.objects.filter(month=datetime.now(UTC).date().replace(day=1)).order_by("number")
    rows = sum(online.values_list("count", flat=True))
    for seal in online:
        total += seal.count
        if total <= rows / 10:
            tenth = seal.number
    results = {}
    for name, last in (("a tenth", tenth), ("all", 0), ("again", 0), ("once more", 0)):
        done = subprocess.run([sys.executable, str(SCRIPT), "--verify", str(last)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
        results[name] = json.loads(done.stdout.splitlines()[-1])
        assert results[name]["findings"] == 0
    best = max(("all", "again", "once more"), key=lambda name: results[name]["rows"] / results[name]["seconds"])
    whole = results[best]
    report.add(f"verifying {whole['rows']:,} rows", whole["rows"] / whole["seconds"], "rows/s", goal=300_000)
    report.add(f"peak memory, verifying {results['a tenth']['rows']:,} rows", results["a tenth"]["peak"], "MiB")
    report.add(
        f"peak memory, verifying {whole['rows']:,} rows / a tenth of them",
        whole["peak"] / results["a tenth"]["peak"],
        "x",
        goal=1.15,
        at_most=True,
    )


def letting_go(report: Report, folder: Path) -> None:
    """Every month of 2025 that stands in the log is archived and goes; somebody writes on, somebody else looks whether it is gone."""
    from django.conf import settings

    from audit.models import Activity
    from audit.seal import retention

    settings.AUDIT_ARCHIVE = str(folder)
    past = Activity.objects.filter(recorded_at__lt=datetime(2025, 12, 1, tzinfo=UTC)).values_list("recorded_at__month")
    rows = {month: past.filter(recorded_at__month=month).count() for (month,) in past.order_by().distinct()}
    waited, gone, freed = [0.0], {}, {}
    real = retention.drop

    def timed(month: date) -> bool:
        with writing(waited), gone_for_others(month, gone):
            before = time.perf_counter()
            done = real(month)
            freed[month] = time.perf_counter() - before
        return done

    retention.drop = timed  # type: ignore[assignment]
    before = time.perf_counter()
    assert len(retention.keep(now=datetime(2026, 2, 1, tzinfo=UTC))) == len(rows)
    report.add(f"archiving and reading back {sum(rows.values()):,} rows", sum(rows.values()) / (time.perf_counter() - before), "rows/s")
    for month, seconds in gone.items():
        report.add(f"detaching and dropping a month of {rows[month.month]:,} rows", seconds * 1000, "ms", goal=100, at_most=True)
    report.add("longest wait of a record() meanwhile", waited[0] * 1000, "ms", goal=100, at_most=True)
    for month, seconds in freed.items():  # the database truncates the files after the commit and after its locks are given back
        report.add(f"until the filesystem has its blocks back, {rows[month.month]:,} rows", seconds * 1000, "ms")


@contextmanager
def gone_for_others(month: date, gone: dict[date, float]) -> Iterator[None]:
    """Notes when another session finds no table of this month any more."""
    import psycopg

    table, looking = f"public.audit_activity_{month:%Y_%m}", threading.Event()

    def look() -> None:
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as other:
            while True:
                found = other.execute("SELECT to_regclass(%s) IS NULL", [table]).fetchone()
                if found and found[0]:
                    break
                looking.set()
                time.sleep(0.001)
        gone[month] = time.perf_counter()

    thread = threading.Thread(target=look)
    thread.start()
    looking.wait()
    before = time.perf_counter()
    yield
    thread.join()
    gone[month] -= before


@contextmanager
def writing(waited: list[float]) -> Iterator[None]:
    """Somebody else records all the time; `waited` becomes the longest that took."""
    from django.db import connections

    from audit.services import record

    request, started, done = make_request(), threading.Event(), threading.Event()

    def write_on() -> None:
        for turn in itertools.count():
            before = time.perf_counter()
            record("user.login", request.user, request=request, method="password")
            if turn > 20:
                started.set()
                waited[0] = max(waited[0], time.perf_counter() - before)
            if done.is_set():
                break
        connections.close_all()

    thread = threading.Thread(target=write_on)
    thread.start()
    started.wait()
    yield
    done.set()
    thread.join()
