"""Reading mailboxes at the sandbox, 50 ms injected into every Gmail call, the local classifier, commits to disk.

    python bench/sync.py                  every case
    python bench/sync.py budget memory    only these

Each measured run is a process of its own, from claiming the run to its last commit.
Prints one JSON line per figure (bench, case, value, unit, goal, ok) and a table.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("ENVIRONMENT", "test")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aaperture.settings")

from bench.report import Report  # noqa: E402

LATENCY_MS = 50
BUDGET = 250.0
RELEVANT = 0.7
PADDING = 4_000  # bytes of body, about what a mail has
WORKER = "--worker"


def set_up() -> None:
    import django

    django.setup()


# --- one measured process ----------------------------------------------------------------------------------------------


def work(pipeline_id: str, way: str, units: str) -> None:
    """Run a pipeline and print what it took; `way` is `engine` or `loop`."""
    set_up()
    from django.conf import settings

    from integrations import engine
    from integrations.models import Pipeline, Run
    from integrations.services import pipelines

    settings.GMAIL_UNITS_PER_SECOND = float(units)
    pipeline = Pipeline.objects.select_related("connection__owner", "transformation").get(pk=pipeline_id)
    if way == "loop":
        print(json.dumps(sequential_loop(pipeline)))
        return
    run = pipelines.start_run(pipeline, actor=pipeline.connection.owner, trigger=Run.Trigger.MANUAL)
    before, cpu = time.perf_counter(), time.process_time()
    engine.execute(run.pk)
    seconds, cpu = time.perf_counter() - before, time.process_time() - cpu
    run.refresh_from_db()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak, "status": run.status, **run.counts}))


def sequential_loop(pipeline: Any) -> dict[str, float]:
    """What one would write first: list, then fetch, classify and store one message after the other."""
    from django.conf import settings
    from django.db import transaction
    from django.utils.module_loading import import_string

    from integrations.connectors import CONNECTORS, AccessToken
    from integrations.models import Run
    from integrations.services import tokens
    from integrations.steps import Dropped, compile_steps

    token = AccessToken(tokens.access_token_for(pipeline.connection, acting_user=pipeline.connection.owner))
    connector = CONNECTORS["gmail"](token, account="loop", stopping=lambda _seconds: False)
    destination = import_string(settings.PIPELINE_DESTINATIONS[pipeline.destination])()
    transform, run = compile_steps(pipeline.transformation.steps), Run.objects.create(pipeline=pipeline)
    before, read = time.perf_counter(), 0
    for message_id in connector.list_ids(None).ids:
        kept = transform(connector.fetch(message_id))
        read += 1
        if not isinstance(kept, Dropped):
            with transaction.atomic():
                destination.store_page(run, [kept])
    return {"seconds": time.perf_counter() - before, "read": read}


# --- the bench ---------------------------------------------------------------------------------------------------------


class Mailboxes:
    """Fresh people with filled mailboxes at one sandbox."""

    def __init__(self, sandbox: Any) -> None:
        self.sandbox = sandbox
        self.made = 0

    def fill(self, count: int, **fields: Any) -> str:
        """A new person's mailbox with `count` mails that the query finds; returns the pipeline's id."""
        from django.utils import timezone

        from accounts.models import User
        from accounts.services.studios import create_organization
        from integrations.models import Connection
        from integrations.services.pipelines import ensure_pipeline

        self.made += 1
        email = f"bench-{os.getpid()}-{self.made}@example.test"
        self.sandbox.control("POST", "/accounts", {"email": email})
        self.sandbox.control("POST", "/mailbox", {"email": email, "count": count, "relevant": RELEVANT, "body_bytes": PADDING, **fields})
        granted = self.sandbox.control("POST", "/grant", {"email": email})
        user = User.objects.create(email=email)
        create_organization(user)
        row = Connection(owner=user, provider="gmail", provider_subject=granted["sub"], account_email=email, status="active")
        row.access_token, row.refresh_token, row.renewable = granted["access_token"], granted["refresh_token"], True
        row.expires_at = timezone.now() + timedelta(hours=1)
        row.save()
        return str(ensure_pipeline(row).pk)

    def add(self, pipeline_id: str, count: int) -> None:
        """New mail, just arrived."""
        from integrations.models import Pipeline

        email = Pipeline.objects.get(pk=pipeline_id).connection.account_email
        mails = [
            {"subject": f"Your application {n}", "text": "Thank you for applying. We received your application."} for n in range(count)
        ]
        for mail in mails:
            self.sandbox.control("POST", "/messages", {"email": email, **mail})


def start(pipeline_id: str, *, way: str = "engine", units: float = 0.0) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, WORKER, pipeline_id, way, str(units)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = process.communicate(timeout=600)
    if process.returncode:
        raise SystemExit(f"a measured process ended with {process.returncode}")
    return dict(json.loads(out.splitlines()[-1]))


def measure(pipeline_id: str, **options: Any) -> dict[str, Any]:
    return finished(start(pipeline_id, **options))


def speed(result: dict[str, Any]) -> float:
    return result["read"] / result["seconds"]


def loop(report: Report, mailboxes: Mailboxes) -> None:
    result = measure(mailboxes.fill(150), way="loop")
    report.add("sequential loop, budget off", speed(result), "messages/s")


def budget(report: Report, mailboxes: Mailboxes) -> None:
    mailboxes.sandbox.control("POST", "/quota", {"units_per_second": BUDGET})
    result = measure(mailboxes.fill(1_500), units=BUDGET)
    report.add("one mailbox, 250 units/s (50 messages/s)", speed(result), "messages/s", goal=45)
    refused = mailboxes.sandbox.control("GET", "/quota")["refused"]
    report.add("one mailbox, refused with 429 by a strict 250 units/s", refused, "calls", goal=0, at_most=True)
    mailboxes.sandbox.control("DELETE", "/quota")


def unlimited(report: Report, mailboxes: Mailboxes) -> None:
    result = measure(mailboxes.fill(3_000))
    report.add("one mailbox, budget off", speed(result), "messages/s", goal=150)
    report.add("one mailbox, budget off, our CPU", result["cpu"] / result["read"] * 1000, "ms/message")


def four(report: Report, mailboxes: Mailboxes) -> None:
    ids = [mailboxes.fill(900) for _ in range(4)]
    before = time.perf_counter()
    running = [start(pipeline_id, units=BUDGET) for pipeline_id in ids]
    results = [finished(process) for process in running]
    wall = time.perf_counter() - before
    report.add("four mailboxes at once, 250 units/s each, together", sum(map(speed, results)), "messages/s", goal=4 * 45 * 0.8)
    report.add("four mailboxes at once, with process start", sum(r["read"] for r in results) / wall, "messages/s")


def incremental(report: Report, mailboxes: Mailboxes) -> None:
    mailboxes.sandbox.control("POST", "/latency", {"ms": 0, "path": "/gmail"})
    calls = {}
    for size in (500, 5_000):
        pipeline_id = mailboxes.fill(size, every_minutes=120)  # none within the hour that is always listed again
        measure(pipeline_id)
        mailboxes.add(pipeline_id, 5)
        mailboxes.sandbox.control("DELETE", "/requests")
        result = measure(pipeline_id)
        counts = mailboxes.sandbox.control("GET", "/requests")["counts"]
        calls[size] = sum(n for api, n in counts.items() if api.startswith("gmail."))
        if result["kept"] != 5:
            raise SystemExit(f"the incremental run kept {result['kept']} of 5")
        report.add(f"5 new mails in a mailbox of {size:,}", calls[size], "calls", goal=12, at_most=True)
    report.add("same number of calls whatever the size", abs(calls[500] - calls[5_000]), "calls apart", goal=2, at_most=True)
    mailboxes.sandbox.control("POST", "/latency", {"ms": LATENCY_MS, "path": "/gmail"})


def memory(report: Report, mailboxes: Mailboxes) -> None:
    mailboxes.sandbox.control("POST", "/latency", {"ms": 0, "path": "/gmail"})
    peaks = {size: measure(mailboxes.fill(size))["peak"] for size in (500, 5_000)}
    for size, peak in peaks.items():
        report.add(f"peak memory, {size:,} messages", peak, "MiB")
    report.add("ten times the messages, more memory", peaks[5_000] / peaks[500], "x", goal=1.15, at_most=True)
    mailboxes.sandbox.control("POST", "/latency", {"ms": LATENCY_MS, "path": "/gmail"})


CASES: dict[str, Callable[[Report, Mailboxes], None]] = {
    "loop": loop, "budget": budget, "unlimited": unlimited, "four": four, "incremental": incremental, "memory": memory,
}  # fmt: skip


def main(wanted: list[str]) -> int:
    from aaperture.lib import embedded
    from sandbox.server import SandboxServer

    if not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
        database, owner, cache = embedded.ensure(ROOT / ".data" / "bench")
        os.environ.update(DATABASE_URL=database, MIGRATION_DATABASE_URL=owner, REDIS_URL=cache)
    os.environ.update(GOOGLE_CLIENT_ID="sandbox-client.apps.example", GOOGLE_CLIENT_SECRET="sandbox-secret")
    with SandboxServer(demo=False) as sandbox:
        os.environ.update(GOOGLE_ISSUER=sandbox.url, GOOGLE_API_ROOT=sandbox.url)
        set_up()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        sandbox.control("POST", "/latency", {"ms": LATENCY_MS, "path": "/gmail"})
        report, mailboxes = Report("sync"), Mailboxes(sandbox)
        for name in wanted or CASES:
            CASES[name](report, mailboxes)
        return report.finish()


if __name__ == "__main__":
    if sys.argv[1:2] == [WORKER]:
        work(*sys.argv[2:])
    else:
        raise SystemExit(main(sys.argv[1:]))
