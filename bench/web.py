"""One trivial page for somebody signed in: through all our middleware, and in a bare Django project with sessions, in one run.

Both by gunicorn with the same workers, on the same PostgreSQL, asked in turn. Goal: at least 60% of the bare project's requests
a second. Beside it our real pages, what the limits cost against stock django-ratelimit, and what a sign-in costs against bcrypt.

    python bench/web.py [--full]          more rounds
    python bench/web.py --workers=2       with two workers each, on a machine with that much to spare

Requests a second with several workers say little: a kept connection stays with the worker that took it, so that of eight all may be
one worker's, and a machine that does other work gives each side what is left at that moment. The report shows the share of the
busiest worker. Processor time by request does not depend on either.
"""

import contextlib
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("ENVIRONMENT", "test")
os.environ["DJANGO_SETTINGS_MODULE"] = "bench.ours.settings"

import psycopg  # noqa: E402

from bench.bare.load import load  # noqa: E402
from bench.own_servers import own_servers  # noqa: E402
from bench.report import Report  # noqa: E402

GOAL = 0.6
CONNECTIONS, SECONDS = 8, 2
SERVER = ("--threads", "4", "--no-control-socket", "--log-level", "error")
PAGES = {"board": "/opportunities/", "connections": "/connections/", "console list": "/admin/audit/activity/"}
BARE_USER = """
import django
django.setup()
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from django.contrib.auth.models import User
call_command("migrate", verbosity=0)
client = Client()
client.force_login(User.objects.create_user("bench"))
print(client.cookies[settings.SESSION_COOKIE_NAME].value)
"""


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def processor_time(pid: int) -> float:
    """Seconds of processor time that a process and its children have had so far."""
    return sum(map(own_time, [str(pid), *children(pid)]))


def own_time(pid: str) -> float:
    with contextlib.suppress(OSError):  # ended in the meantime
        return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")
    return 0.0


class Server:
    """Gunicorn on a free port, with the project named by `settings`."""

    def __init__(self, application: str, settings: str, workers: int) -> None:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port = one.getsockname()[1]
        environment = os.environ | {"DJANGO_SETTINGS_MODULE": settings, "AAPERTURE_PROCESS": "web"}
        command = [sys.executable, "-m", "gunicorn", application, "--bind", f"127.0.0.1:{self.port}", "--workers", str(workers), *SERVER]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment)
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise SystemExit(f"{settings} did not start")

    def cpu(self) -> float:
        return processor_time(self.process.pid)

    def by_worker(self) -> list[float]:
        return [own_time(pid) for pid in children(self.process.pid)]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


def compare(report: Report, bare: tuple[Server, str], ours: tuple[Server, str], cpu: Callable[[], float], *, rounds: int) -> None:
    """In turn, in short rounds. Of the rates the best of each counts: others' work on the machine only ever lowers one.

    Processor time, of the workers and both servers of data together, is steadier, and decides where nothing else runs.
    """
    rates: dict[str, list[float]] = {"bare Django": [], "ours": []}
    costs: dict[str, list[float]] = {"bare Django": [], "ours": []}
    shares: dict[str, list[float]] = {"bare Django": [], "ours": []}
    for number in range(rounds + 1):
        for name, (server, cookie) in (("bare Django", bare), ("ours", ours)):
            before, workers = server.cpu() + cpu(), server.by_worker()
            result = load(server.port, "/hello/", cookie, seconds=SECONDS, connections=CONNECTIONS)
            if number:  # the first round only warms up
                rates[name].append(result.per_second)
                costs[name].append((server.cpu() + cpu() - before) / (result.per_second * SECONDS) * 1000)
                worked = [after - earlier for after, earlier in zip(server.by_worker(), workers, strict=True)]
                shares[name].append(max(worked) / (sum(worked) or 1) * 100)
    best = {name: max(values) for name, values in rates.items()}
    cost = {name: statistics.median(values) for name, values in costs.items()}
    for name in rates:
        report.add(f"trivial page, {name}", best[name], "requests/s")
        report.add(f"trivial page, {name}, CPU with database and cache", cost[name], "ms/request")
        if (most := statistics.median(shares[name])) < 99.9:
            report.add(f"trivial page, {name}, the busiest worker's share", most, "%")
    report.add("trivial page, ours / bare Django, requests/s", best["ours"] / best["bare Django"], "x", goal=GOAL)
    report.add("trivial page, bare Django / ours, CPU", cost["bare Django"] / cost["ours"], "x", goal=GOAL)


def pages(report: Report, ours: Server, cookie: str) -> None:
    for name, path in PAGES.items():
        load(ours.port, path, cookie, seconds=1, connections=CONNECTIONS)
        before = ours.cpu()
        result = load(ours.port, path, cookie, seconds=SECONDS, connections=CONNECTIONS)
        report.add(name, result.per_second, "requests/s")
        report.add(f"{name}, CPU of the workers", (ours.cpu() - before) / (result.per_second * SECONDS) * 1000, "ms/request")
        report.add(f"{name}, median of {CONNECTIONS} at once", result.median_ms, "ms")


def limits(report: Report) -> None:
    """One request counted under two keys, ours and stock django-ratelimit's."""
    from django.conf import settings
    from django.test import RequestFactory
    from django_ratelimit.core import get_usage

    from aaperture.lib.limits import Key, take

    settings.RATELIMIT_USE_CACHE = "limits"
    request = RequestFactory().get("/")

    def ours() -> None:
        take([Key("bench|user", 10**9, 60), Key("bench|address", 10**9, 60)])

    def stock() -> None:
        for key in ("user", "address"):
            get_usage(request, group="bench", key=lambda _group, _request, key=key: key, rate="1000000000/m", increment=True)

    for name, ask in (("ours, sliding window", ours), ("stock django-ratelimit, fixed windows", stock)):
        report.add(f"limits of two keys, {name}", microseconds(ask), "us")


def microseconds(ask: Callable[[], None], times: int = 1_000) -> float:
    taken = []
    for _ in range(5):
        before = time.perf_counter()
        for _ in range(times):
            ask()
        taken.append((time.perf_counter() - before) / times * 1e6)
    return statistics.median(taken)


def signing_in(report: Report, *, times: int = 9) -> None:
    """Processor time of a whole sign-in, a refused one and one under an unknown name, against one bcrypt."""
    import bcrypt
    from django.contrib.auth.hashers import check_password
    from django.core.cache import caches
    from django.test import Client

    from accounts.models import User
    from tests.accounts.people import PASSWORD, make_user

    user, browser = make_user(email="sign-in@example.test", password=PASSWORD), Client()
    hashes, hashpw = [], bcrypt.hashpw
    bcrypt.hashpw = lambda *given: hashes.append(1) or hashpw(*given)
    figures: dict[str, list[float]] = {}

    def timed(name: str, ask: Callable[[], object]) -> None:
        before = time.process_time()
        ask()
        figures.setdefault(name, []).append((time.process_time() - before) * 1000)

    def post(email: str, password: str) -> Callable[[], object]:
        return lambda: browser.cookies.clear() or browser.post("/accounts/login/", {"login": email, "password": password})

    for warm_up in (post("nobody@example.test", "x"), post(user.email, PASSWORD)):
        warm_up()
    hashes.clear()
    for _ in range(times):
        for alias in caches:
            caches[alias].clear()
        timed("one bcrypt", lambda: check_password(PASSWORD, user.password))
        timed("sign-in", post(user.email, PASSWORD))
        timed("sign-in, wrong password", post(user.email, "Wrong-Pass-77"))
        timed("sign-in, unknown name", post("nobody@example.test", PASSWORD))
    bcrypt.hashpw = hashpw
    User.objects.filter(pk=user.pk).delete()
    median = {name: statistics.median(values) for name, values in figures.items()}
    for name, value in median.items():
        report.add(name, value, "ms CPU")
    report.add("bcrypts of a sign-in", len(hashes) / times - 3, "", goal=1, at_most=True)
    report.add("sign-in / one bcrypt", median["sign-in"] / median["one bcrypt"], "x", goal=1.2, at_most=True)


def set_up(owner: str) -> list[str]:
    """Both databases migrated; the cookies of somebody signed in to the bare project, of a member and of an administrator of ours."""
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.test import Client

    from tests.accounts.people import make_user

    call_command("migrate", verbosity=0)
    cookies = []
    for role in ("member", "admin"):  # whom the console lets in has a second factor, which is one query more
        client = Client()
        client.force_login(make_user(role=role, email=f"{role}@example.test"))
        cookies.append(f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}")
    with psycopg.connect(urlsplit(owner)._replace(path="/postgres").geturl(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE bare")
    os.environ["BARE_DATABASE_URL"] = urlsplit(owner)._replace(path="/bare").geturl()
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "bench.bare.settings"}
    made = subprocess.run([sys.executable, "-c", BARE_USER], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return [f"sessionid={made.stdout.strip()}", *cookies]


def run(owner: str, cpu: Callable[[], float], *, rounds: int, workers: int) -> int:
    bare, member, admin = set_up(owner)
    report = Report("web")
    sides = (("django.core.wsgi:get_wsgi_application()", "bench.bare.settings"), ("aaperture.wsgi", "bench.ours.settings"))
    servers = [Server(application, settings, workers) for application, settings in sides]
    try:
        compare(report, (servers[0], bare), (servers[1], member), cpu, rounds=rounds)
        pages(report, servers[1], admin)
    finally:
        for server in servers:
            server.stop()
    limits(report)
    signing_in(report)
    return report.finish()


def main(arguments: list[str]) -> int:
    workers = int(next((one.partition("=")[2] for one in arguments if one.startswith("--workers=")), "1"))
    with own_servers(fast=True) as servers:
        held = [process.pid for process in servers.processes.values()]
        owner = os.environ["MIGRATION_DATABASE_URL"]
        return run(owner, lambda: sum(map(processor_time, held)), rounds=20 if "--full" in arguments else 7, workers=workers)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
