"""What recording costs: processor time beside a save by itself, bulk changes, and wall time beside a bare INSERT of the same row."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.audited.scene import make_request, set_up
from bench.report import Report

SCRIPT = Path(__file__).resolve().parent.parent / "audit.py"
ROUNDS, TIMES = 15, 150
WRITERS = (1, 4, 8)


def recording(report: Report) -> None:
    """The same change of the same small row: saved by itself, and with a record of it."""
    from django.conf import settings
    from django.db import connection, transaction

    from audit.services import record
    from bench.audited import models

    request = make_request()

    def ours(thing: Any) -> None:
        record("settings.changed", thing, request=request, fields=["status"])

    cases: dict[str, tuple[Any, Callable[[Any], None]]] = {"bare": (models.Bare, lambda thing: None), "ours": (models.Recorded, ours)}
    if settings.HAS_AUDITLOG:
        cases["django-auditlog"] = (models.WatchedByAuditlog, lambda thing: None)
    if settings.HAS_EASY_AUDIT:
        cases["django-easy-audit"] = (models.WatchedByEasyAudit, lambda thing: None)
    if len(cases) < 4:
        print("for django-auditlog and django-easy-audit: see the top of bench/audit.py", file=sys.stderr)
    things = {name: [model.objects.create(name=str(n), status="new") for n in range(TIMES)] for name, (model, _) in cases.items()}
    cpu: dict[str, list[float]] = {name: [] for name in cases}
    for turn in range(ROUNDS):
        for name, (_, note) in cases.items():
            before = time.process_time()
            for thing in things[name]:
                thing.status = f"turn {turn}"
                with transaction.atomic():
                    thing.save(update_fields=["status"])
                    note(thing)
            cpu[name].append((time.process_time() - before) / TIMES * 1e6)
    base = min(cpu["bare"])  # the quietest round of each: on a busy machine cold caches cost several times the work itself
    added = {name: min(values) - base for name, values in cpu.items() if name != "bare"}
    report.add("CPU of a save", base, "us")
    report.add("CPU added by our record", added["ours"], "us", goal=100, at_most=True)
    for name in added.keys() - {"ours"}:
        report.add(f"CPU added by {name}", added[name], "us")
        goal = 0.2 if name == "django-auditlog" else None
        report.add(f"ours / {name}", added["ours"] / added[name], "x", goal=goal, at_most=True)
    connection.close()


def bulk(report: Report) -> None:
    """A change of 1,000 rows in one statement: how many of them are on record afterwards."""
    from django.conf import settings
    from django.db import connection

    from audit.models import Activity
    from audit.services import record_many
    from bench.audited import models

    def many(model: Any) -> list[Any]:
        things = model.objects.bulk_create([model(name=str(n), status="new") for n in range(1000)])
        model.objects.update(status="old")
        return things

    request, things = make_request(), many(models.Recorded)
    held, before = Activity.objects.count(), time.process_time()
    record_many("settings.changed", things, request=request, fields=["status"])
    spent = (time.process_time() - before) / len(things) * 1e6
    report.add("rows on record after a bulk change of 1,000: ours", Activity.objects.count() - held, "rows", goal=1000)
    report.add("CPU for each of them", spent, "us")
    for name, model, table, is_there in (
        ("django-auditlog", models.WatchedByAuditlog, "auditlog_logentry", settings.HAS_AUDITLOG),
        ("django-easy-audit", models.WatchedByEasyAudit, "easyaudit_crudevent", settings.HAS_EASY_AUDIT),
    ):
        if is_there:
            counts = []
            for act in (lambda: None, lambda model=model: many(model)):
                act()
                with connection.cursor() as cursor:
                    cursor.execute(f"SELECT count(*) FROM {table}")
                    counts.append(cursor.fetchone()[0])
            report.add(f"rows on record after a bulk change of 1,000: {name}", counts[1] - counts[0], "rows")


# --- recording: wall time beside a bare INSERT of the same row -----------------------------------------------------------


def write(times: str) -> None:
    """One writer: for each line it reads, `bare` or `ours`, it writes so many rows and prints the seconds that it took."""
    set_up()
    from django.db import connection

    from audit import services

    request, count = make_request(), int(times)

    def record() -> Any:
        return services.record("user.login", request.user, request=request, method="password")

    record()
    with connection.cursor() as cursor:
        print("ready", flush=True)
        for way in map(str.strip, sys.stdin):
            built = [services._build("user.login", request.user, None, request, None, "", {"method": "password"}) for _ in range(count)]
            rows = [services.row_of(activity) for activity in built]
            print("made", flush=True)
            sys.stdin.readline()
            before = time.perf_counter()
            if way == "bare":
                for row in rows:
                    cursor.execute(services.INSERT, row)
            else:
                for _ in range(count):
                    record()
            print(time.perf_counter() - before, flush=True)


def side_by_side(report: Report) -> None:
    for writers in WRITERS:
        times = max(100, 800 // writers)
        command = [sys.executable, str(SCRIPT), "--write", str(times)]
        children = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(writers)]

        def tell(text: str, children: list[Any] = children) -> None:
            for child in children:
                child.stdin.write(f"{text}\n")
                child.stdin.flush()

        def hear(children: list[Any] = children) -> list[str]:
            return [child.stdout.readline() for child in children]

        hear()
        taken: dict[str, list[float]] = {"bare": [], "ours": []}
        for turn in range(14):
            for way in ("bare", "ours") if turn % 2 else ("ours", "bare"):
                tell(way)
                hear()
                tell("go")
                taken[way].append(statistics.mean(map(float, hear())) / times * 1e6)
        for child in children:
            child.communicate()
        bare, ours = (statistics.median(taken[way][2:]) for way in ("bare", "ours"))
        report.add(f"bare INSERT, {writers} writers", bare, "us")
        report.add(f"record(), {writers} writers", ours, "us")
        report.add(f"record() / bare INSERT, {writers} writers", ours / bare, "x", goal=1.3, at_most=True)
