"""The activity log: recording beside django-auditlog, django-easy-audit and a bare INSERT; sealing, verifying, letting a month go.

    python bench/audit.py            recording, sealing, and 200,000 rows
    python bench/audit.py --full     1,000,000 rows (some minutes, some gigabytes of scratch database)
    python bench/audit.py recording  only what recording costs; or `writers`, or `log`

The database is durable: commits reach the disk. The two other packages are no dependency of ours; to have them in the run:

    pip install --no-deps --target /tmp/others django-auditlog django-easy-audit && PYTHONPATH=/tmp/others python bench/audit.py

Prints one JSON line per figure (bench, case, value, unit, goal, ok) and a table.
"""

import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("ENVIRONMENT", "test")
os.environ["DJANGO_SETTINGS_MODULE"] = "bench.audited.settings"

from bench.report import Report  # noqa: E402

ROUNDS, TIMES = 15, 150
WRITERS = (1, 4, 8)
QUICK, FULL = 200_000, 1_000_000
OLD_MONTH = date(2025, 3, 1)
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAME = """recorded_at, action, actor_kind, actor_id, credential, credential_id, organization_id, target_type, target_id, request_id,
    details, address, agent, address_hash, account_hash"""
COPIES = f"""
INSERT INTO audit_activity (id, {SAME}, canonical)
SELECT fresh, {SAME}, replace(t.canonical, t.id::text, fresh::text)
FROM (SELECT uuidv7() AS fresh, n FROM generate_series(1, %(rows)s) AS n) AS numbers
JOIN (SELECT *, row_number() OVER (ORDER BY id) AS n FROM audit_activity WHERE id = ANY(%(templates)s)) AS t
    ON t.n = 1 + numbers.n %% %(count)s
"""
MOVED = f"""
INSERT INTO audit_activity (id, {SAME}, canonical)
SELECT fresh, %(then)s, {SAME.partition(", ")[2]},
    regexp_replace(replace(canonical, id::text, fresh::text), '"recorded_at":"[^"]*"', '"recorded_at":"' || %(then)s || '"')
FROM (SELECT uuidv7() AS fresh, * FROM audit_activity WHERE id = ANY(%(ids)s)) AS old RETURNING id
"""


def set_up() -> None:
    import django

    django.setup()


def make_request() -> Any:
    from django.test import RequestFactory

    from accounts.models import User

    request = RequestFactory().get("/", REMOTE_ADDR="203.0.113.9", headers={"User-Agent": AGENT})
    request.user, request.request_id = User.objects.get(email="bench@example.test"), "0199aaaa-0000-7000-8000-000000000001"
    return request


# --- recording: what it costs our process --------------------------------------------------------------------------------


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
        command = [sys.executable, __file__, "--write", str(times)]
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


# --- sealing, verifying, letting go ----------------------------------------------------------------------------------------


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
    rows = sum(AuditSeal.objects.values_list("count", flat=True))
    for seal in AuditSeal.objects.order_by("number"):
        total += seal.count
        if total <= rows / 10:
            tenth = seal.number
    results = {}
    for name, last in (("a tenth", tenth), ("all", 0), ("again", 0), ("once more", 0)):
        done = subprocess.run([sys.executable, __file__, "--verify", str(last)], capture_output=True, text=True, check=False)
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
    from django.conf import settings

    from audit.models import Activity
    from audit.seal import retention

    settings.AUDIT_ARCHIVE = str(folder)
    in_month = Activity.objects.filter(recorded_at__lt=datetime(2025, 4, 1, tzinfo=UTC)).count()
    taken: list[float] = []
    waited = [0.0]
    real = retention.drop

    def timed(month: date) -> bool:
        with writing(waited):
            before = time.perf_counter()
            done = real(month)
            taken.append(time.perf_counter() - before)
        return done

    retention.drop = timed  # type: ignore[assignment]
    before = time.perf_counter()
    assert retention.keep(now=datetime(2025, 4, 1, tzinfo=UTC) + timedelta(days=40)) == [OLD_MONTH]
    report.add(f"archiving and reading back {in_month:,} rows", in_month / (time.perf_counter() - before), "rows/s")
    # the files are unlinked after the locks are given back: only the filesystem's time grows with the month
    report.add(f"longest wait of a record() while a month of {in_month:,} rows goes", waited[0] * 1000, "ms", goal=100, at_most=True)
    report.add(f"detaching and dropping a month of {in_month:,} rows, until its files are gone", taken[0] * 1000, "ms")


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


def make_tables() -> None:
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection

    from accounts.models import User
    from bench.audited import models

    call_command("migrate", verbosity=0)
    application = dict(connection.settings_dict)
    connection.close()
    connection.settings_dict.update({key: settings.MIGRATION_DATABASE[key] for key in ("USER", "PASSWORD", "HOST", "PORT")})
    with connection.schema_editor() as editor:
        for model in (models.Bare, models.Recorded, models.WatchedByAuditlog, models.WatchedByEasyAudit):
            editor.create_model(model)
    connection.close()
    connection.settings_dict.update(application)
    call_command("migrate", verbosity=0)  # once more, for what the application may do to these tables
    User.objects.create(email="bench@example.test")


def run(arguments: list[str], folder: Path) -> int:
    set_up()
    make_tables()
    report, rows = Report("audit"), FULL if "--full" in arguments else QUICK
    wanted = [name for name in arguments if not name.startswith("-")] or list(CASES)
    for name in wanted:
        CASES[name](report, rows, folder)
    return report.finish()


def whole_life(report: Report, rows: int, folder: Path) -> None:
    """An old month is sealed, archived and dropped; this month is sealed and verified, and written to while it is sealed."""
    seal(report, Filler(OLD_MONTH), rows, f"{rows:,} rows of an old month")
    letting_go(report, folder / "archive")
    filler = Filler(datetime.now(UTC).date().replace(day=1))
    seal(report, filler, rows, f"{rows:,} rows of this month")
    verifying(report)
    keeping_up(report, filler)


CASES: dict[str, Callable[[Report, int, Path], None]] = {
    "recording": lambda report, _rows, _folder: recording(report),
    "bulk": lambda report, _rows, _folder: bulk(report),
    "writers": lambda report, _rows, _folder: side_by_side(report),
    "log": whole_life,
}


def main(arguments: list[str]) -> int:
    from aaperture.lib import embedded

    with tempfile.TemporaryDirectory(prefix="aaperture-bench-") as folder:
        state = embedded.State(Path(folder))
        servers = embedded.Servers(state)
        database, owner, cache = embedded.urls(state)
        os.environ.update(DATABASE_URL=database, MIGRATION_DATABASE_URL=owner, REDIS_URL=cache)
        try:
            servers.start()
            return run(arguments, Path(folder))
        finally:
            servers.stop()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"]:
        write(*sys.argv[2:])
    elif sys.argv[1:2] == ["--verify"]:
        verify_alone()
    else:
        raise SystemExit(main(sys.argv[1:]))
