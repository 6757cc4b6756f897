"""Records through filter, dedupe and map into a dataset: CSV files and JSON feeds, what they cost, and what a killed run leaves.

    python bench/pipelines.py [--full] [csv json kill deliveries]

Quick: 20,000 records of each kind, 100,000 with `--full`. Every measured run is a process of its own, as a worker's would be; commits
reach the disk. Goals: 10,000 records a second, the same memory whatever the source's length, and exact counts after kill -9.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("ENVIRONMENT", "test")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aaperture.settings")

from bench.own_servers import own_servers  # noqa: E402
from bench.report import Report  # noqa: E402

WORKER = "--worker"
GOAL = 10_000
FLAT = 1.15
PAGE = 2_000  # records of a feed's page
DROPPED = 10  # one in so many is not open
STEPS = [
    {"do": "filter", "when": "open == 'yes' && town != 'Nowhere'"},
    {"do": "dedupe", "by": "reference"},
    {"do": "map", "fields": {"title": "title", "town": "town", "fee": "fee", "contact": "email", "until": "until", "what": "text"}},
]
FIELDS = ("id", "title", "open", "reference", "town", "fee", "email", "until", "text", "internal")


def one(number: int) -> dict[str, str]:
    """A record of about 250 bytes; every tenth is dropped, every fiftieth repeats the one before."""
    name = number - 1 if number % 50 == 49 and (number - 1) % DROPPED else number
    values = (
        f"{number}", f"Photographer for a wedding in May, no. {number}", "yes" if number % DROPPED else "no", f"REF-{name:08d}", "Liège",
        "1250.00", f"studio-{number}@example.test", "2026-12-24", "Two days, one assistant, prints; travel is paid. " * 2, "x" * 20,
    )  # fmt: skip
    return dict(zip(FIELDS, values, strict=True))


def kept_of(count: int) -> int:
    return len({one(number)["reference"] for number in range(count) if number % DROPPED})


def set_up() -> None:
    import django

    django.setup()


# --- one measured process ----------------------------------------------------------------------------------------------


def work(pipeline_id: str) -> None:
    """Run a pipeline and print what it took; the feed is told by the environment."""
    set_up()
    from django.db import connection as database

    from aaperture.lib import safe_http
    from integrations import engine
    from integrations.models import Pipeline, Run
    from integrations.services import pipelines

    if port := os.environ.get("FEED_PORT"):
        reach = safe_http.Reach(loopback=True, ports=frozenset({int(port)}), authorities=os.environ["FEED_CERTIFICATE"])
        safe_http.REACH = reach
    pipeline = Pipeline.objects.select_related("connection").get(pk=pipeline_id)
    run = pipeline.runs.live().first() or pipelines.queue_run(pipeline, trigger=Run.Trigger.MANUAL)[0]
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend = str(cursor.fetchone()[0])
    Path("/proc/self/clear_refs").write_text("5")  # the peak is that of the run, not of starting up
    before, cpu, theirs = time.perf_counter(), time.process_time(), own_time(backend)
    engine.execute(run.pk)
    seconds, cpu, theirs = time.perf_counter() - before, time.process_time() - cpu, own_time(backend) - theirs
    run.refresh_from_db()
    found = {"seconds": seconds, "cpu": cpu, "theirs": theirs, "peak": peak(), "status": run.status, "why": run.stop_reason}
    print(json.dumps(found | run.counts))


def own_time(pid: str) -> float:
    """Seconds of processor time that a process has had."""
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")


def peak() -> float:
    """MiB of memory at most, since it was last set to zero."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def start(pipeline_id: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, __file__, WORKER, pipeline_id], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def measure(pipeline_id: str) -> dict[str, Any]:
    process = start(pipeline_id)
    out, _ = process.communicate(timeout=600)
    if process.returncode:
        raise SystemExit(f"a measured process ended with {process.returncode}")
    return dict(json.loads(out.splitlines()[-1]))


# --- sources -----------------------------------------------------------------------------------------------------------


class Sources:
    def __init__(self) -> None:
        from accounts.models import User

        self.staff = User.objects.create(email=f"bench-{os.getpid()}@example.test", role="designer")
        self.made = 0

    def pipeline(self, provider: str, config: dict[str, str]) -> Any:
        from integrations.models import Pipeline, Transformation
        from integrations.services import configured

        self.made += 1
        connection = configured.add(provider, f"Bench {self.made}", config, actor=self.staff)
        steps = Transformation.objects.create(name=f"Bench {os.getpid()} {self.made}", steps=STEPS)
        made = Pipeline(name="Bench", connection=connection, transformation=steps, destination="dataset", max_messages=10_000_000)
        made.full_clean()
        made.save()
        return made

    def csv(self, count: int) -> tuple[str, float, float]:
        """A pipeline whose file has been brought; the file's megabytes and the seconds that took."""
        from integrations.services import uploads

        made, size = self.pipeline("csv_upload", {"id": "id"}), 0
        before = time.perf_counter()
        intake = uploads.Intake(made.connection, actor=self.staff)
        for piece in csv_pieces(count):
            intake.write(piece)
            size += len(piece)
        intake.end()
        return str(made.pk), size / 1e6, time.perf_counter() - before

    def json(self, feed: Any, count: int) -> str:
        config = {"url": f"{feed.url}/feed?count={count}", "items": "items", "paging": "number", "page_parameter": "page"}
        return str(self.pipeline("http_json", config).pk)

    def deliveries(self, count: int) -> str:
        from integrations.models import Delivery

        made = self.pipeline("inbound_webhook", {"id": "id"})
        for begin in range(0, count, PAGE):
            rows = [Delivery(connection=made.connection, pipeline=made, digest=number.to_bytes(32, "big"), body=json.dumps(one(number)))
                    for number in range(begin, min(begin + PAGE, count))]  # fmt: skip
            Delivery.objects.bulk_create(rows)
        return str(made.pk)


def csv_pieces(count: int) -> Iterator[bytes]:
    yield (";".join(FIELDS) + "\r\n").encode("utf-8-sig")
    for begin in range(0, count, 1000):
        lines = (";".join(f'"{value}"' for value in one(number).values()) for number in range(begin, min(begin + 1000, count)))
        yield ("\r\n".join(lines) + "\r\n").encode()


class Pages(dict[str, Any]):
    """A feed's pages by path, made when they are asked for."""

    def __contains__(self, path: object) -> bool:
        return True

    def get(self, path: str, _otherwise: Any = None) -> bytes:
        asked = parse_qs(urlsplit(path).query)
        count, page = int(asked["count"][0]), int(asked["page"][0])
        numbers = range((page - 1) * PAGE, min(page * PAGE, count))
        return self.setdefault(path, json.dumps({"items": [one(number) for number in numbers]}).encode())


# --- the bench ---------------------------------------------------------------------------------------------------------


def check(result: dict[str, Any], count: int, pipeline_id: str) -> None:
    from integrations.models import Pipeline

    rows, expected = Pipeline.objects.get(pk=pipeline_id).rows.count(), kept_of(count)
    if result["status"] != "succeeded" or rows != expected:
        raise SystemExit(f"{result['status']} {result['why']}: {rows} rows instead of {expected}")


def told(report: Report, name: str, results: dict[int, dict[str, Any]]) -> None:
    small, large = sorted(results)
    result = results[large]
    report.add(f"{large:,} {name}", result["read"] / result["seconds"], "records/s", goal=GOAL)
    busy = result["cpu"] + result["theirs"]
    report.add(f"{large:,} {name}, by processor time of worker and database", result["read"] / busy, "records/s", goal=GOAL)
    report.add(f"{name}, share of the worker", result["cpu"] / busy, "")
    for count in (small, large):
        report.add(f"{name}, peak memory at {count:,}", results[count]["peak"], "MiB")
    report.add(f"{name}, ten times as many, more memory", result["peak"] / results[small]["peak"], "x", goal=FLAT, at_most=True)


def csv(report: Report, sources: Sources, feed: Any, count: int) -> None:
    results = {}
    for number in (count // 10, count):
        pipeline_id, megabytes, seconds = sources.csv(number)
        results[number] = measure(pipeline_id)
        check(results[number], number, pipeline_id)
    report.add("a file brought, sealed and looked through", megabytes / seconds, "MB/s")
    told(report, "CSV rows", results)


def json_(report: Report, sources: Sources, feed: Any, count: int) -> None:
    results = {}
    for number in (count // 10, count):
        for page in range(1, number // PAGE + 3):  # made before it is measured: a real feed's time is its own
            feed.pages.get(f"/feed?count={number}&page={page}")
        pipeline_id = sources.json(feed, number)
        results[number] = measure(pipeline_id)
        check(results[number], number, pipeline_id)
    told(report, "JSON items", results)


def deliveries(report: Report, sources: Sources, feed: Any, count: int) -> None:
    pipeline_id = sources.deliveries(count)
    result = measure(pipeline_id)
    check(result, count, pipeline_id)
    report.add(f"{count:,} deliveries taken in", result["read"] / result["seconds"], "records/s")


def kill(report: Report, sources: Sources, feed: Any, count: int) -> None:
    """Killed three times on the way; each new run goes on where the one before stood."""
    from integrations.models import Pipeline, Run
    from integrations.services import pipelines

    pipeline_id = sources.csv(count)[0]
    pipeline, read, kills = Pipeline.objects.get(pk=pipeline_id), 0, 0
    for part in (1, 2, 3):
        process = start(pipeline_id)
        while pipeline.rows.count() < part * count // 5:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += pipeline.runs.filter(status=Run.Status.RUNNING).count()
        read += pipeline.runs.latest("queued_at").counts["read"]
        Run.objects.filter(pipeline=pipeline, status=Run.Status.RUNNING).update(heartbeat_at=pipeline.created_at.replace(year=2020))
        pipelines.reap_lost()
    result = measure(pipeline_id)
    check(result, count, pipeline_id)
    report.add("times killed while it ran", kills, "", goal=3)
    report.add("rows, of those there should be", pipeline.rows.count() / kept_of(count), "", goal=1)
    report.add("rows read, of those in the file", (read + result["read"]) / count, "", goal=1)
    report.add("rows read twice", read + result["read"] - count, "", goal=0, at_most=True)


CASES: dict[str, Callable[[Report, Sources, Any, int], None]] = {"csv": csv, "json": json_, "deliveries": deliveries, "kill": kill}


def run(count: int, wanted: list[str], folder: Path) -> int:
    from tests.integrations.feed import serving

    set_up()
    from django.core.management import call_command

    from aaperture.lib import safe_http

    call_command("migrate", verbosity=0)
    report, sources = Report("pipelines"), Sources()
    with serving(folder) as (feed, reach):
        feed.pages = Pages()
        safe_http.REACH = reach  # so that its address may be told
        os.environ.update(FEED_PORT=str(urlsplit(feed.url).port), FEED_CERTIFICATE=str(folder / "feed.pem"))
        for name in wanted:
            CASES[name](report, sources, feed, count)
    return report.finish()


def main(arguments: list[str]) -> int:
    count = 100_000 if "--full" in arguments else 20_000
    wanted = [argument for argument in arguments if not argument.startswith("--")] or list(CASES)
    with own_servers() as servers:
        return run(count, wanted, servers.state.folder)


if __name__ == "__main__":
    if sys.argv[1:2] == [WORKER]:
        work(sys.argv[2])
    else:
        raise SystemExit(main(sys.argv[1:]))
