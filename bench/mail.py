"""Queued mail beside django-post_office and django-mailer: against a sink that costs nothing, and a relay that takes its time.

    python bench/mail.py             2,000 mails each
    python bench/mail.py --full      10,000 mails each
    python bench/mail.py sink        or `relay`, `hosts`

The database is durable: every mark reaches the disk before its DATA begins. The sink is Postfix's smtp-sink, found by PATH or
SMTP_SINK. The two other packages are no dependency of ours; to have them in the run:

    pip install --no-deps --target /tmp/others django-post_office django-mailer lockfile bleach webencodings
    PYTHONPATH=/tmp/others python bench/mail.py

Each package sends what it has queued in one process of its own, in turns; what counts is the median of ours and the best of post_office's
several numbers of threads.
Rates are by the clock; the microseconds of processor time a mail say how they compare on a machine that is busy with other things.
Prints one JSON line per figure (bench, case, value, unit, goal, ok) and a table.
"""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("ENVIRONMENT", "test")
os.environ["DJANGO_SETTINGS_MODULE"] = "bench.mailed.settings"

from bench.mailed import contenders, servers  # noqa: E402
from bench.own_servers import own_servers  # noqa: E402
from bench.report import Report  # noqa: E402

QUICK, FULL = 2_000, 10_000
CONNECTIONS = 16
TIMES_POST_OFFICE, OF_THE_RELAY = 2, 0.85
THREADS = ("1", "5", "16")


def worker(kind: str, port: int, **environment: str) -> "subprocess.Popen[str]":
    command = [sys.executable, __file__, "--empty", kind]
    return subprocess.Popen(
        command, env={**os.environ, "SMTP_PORT": str(port), **environment}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def result(process: "subprocess.Popen[str]") -> dict[str, float]:
    out, _nothing = process.communicate(timeout=900)
    found: dict[str, float] = json.loads(out.strip().splitlines()[-1])
    return found


def run_one(report: Report, kind: str, port: int, count: int, label: str, **environment: str) -> dict[str, float]:
    contenders.fill(kind, count)
    found = result(worker(kind, port, **environment))
    if found["sent"] != count:
        raise SystemExit(f"{label}: {found['sent']:.0f} of {count} were sent")
    report.add(label, count / found["seconds"], "mails/s")
    report.add(f"{label}: processor time", found["cpu"] / count * 1e6, "us/mail")
    return found


def others() -> list[str]:
    return [name for name in ("post_office", "mailer") if find_spec(name)]


def against_sink(report: Report, count: int) -> None:
    if not servers.sink_command():
        raise SystemExit("smtp-sink is not here: install Postfix, or name it in SMTP_SINK")
    with servers.sink() as port:
        ours: list[dict[str, float]] = []
        theirs: list[dict[str, float]] = []
        for threads in THREADS:
            if "post_office" in others():
                theirs.append(run_one(report, "post_office", port, count, f"sink: post_office, {threads} threads", THREADS=threads))
            ours.append(run_one(report, "ours", port, count, f"sink: ours, {len(ours) + 1}"))
        if "mailer" in others():
            run_one(report, "mailer", port, count, "sink: django-mailer")
        if theirs:
            seconds, cpu = (median(one[of] for one in ours) for of in ("seconds", "cpu"))
            best, least = (min(one[of] for one in theirs) for of in ("seconds", "cpu"))
            report.add("sink: ours to post_office's best", best / seconds, "times", goal=TIMES_POST_OFFICE)
            report.add("sink: post_office's least processor time to ours", least / cpu, "times")


def against_relay(report: Report, count: int) -> None:
    with servers.relay() as port:
        most = CONNECTIONS / servers.LATENCY
        shares = [count / run_one(report, "ours", port, count, f"relay: ours, {n}")["seconds"] / most for n in (1, 2, 3)]
        report.add("relay: ours, of connections / latency", median(shares), "share", goal=OF_THE_RELAY)
        if "post_office" in others():
            found = run_one(report, "post_office", port, count, "relay: post_office, 16 threads", THREADS="16")
            report.add("relay: post_office, of connections / latency", count / found["seconds"] / most, "share")


def two_hosts(report: Report, count: int) -> None:
    """Two workers, as on two machines, on one database."""
    with servers.sink() if servers.sink_command() else servers.relay() as port:
        contenders.fill("ours", count)
        found = [result(process) for process in [worker("ours", port), worker("ours", port)]]
        sent = [one["sent"] for one in found]
        if sum(sent) != count:
            raise SystemExit(f"two hosts: {sent} of {count}")
        report.add("two hosts: ours together", count / max(one["seconds"] for one in found), "mails/s")
        report.add("two hosts: the smaller share", min(sent) / count, "share")


CASES = {"sink": against_sink, "relay": against_relay, "hosts": two_hosts}


def main(arguments: list[str]) -> int:
    with own_servers() as own:
        os.environ["MAILER_LOCK"] = str(own.state.folder / "mailer")
        set_up()
        report, count = Report("mail"), FULL if "--full" in arguments else QUICK
        for name in [name for name in arguments if not name.startswith("-")] or list(CASES):
            CASES[name](report, count)
        return report.finish()


def set_up() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--empty"]:
        import django

        django.setup()
        contenders.empty(sys.argv[2])
    else:
        raise SystemExit(main(sys.argv[1:]))
