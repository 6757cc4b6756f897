"""Ten thousand real failed sign-ins at gunicorn, while the detector looks and mails: one alert, one mail.

    python bench/flood.py [--times=10000]

Once from one address, as limits and locks let it through; once from as many addresses to as many accounts, which no limit stops. Each
request travels over HTTP and is on record afterwards; bcrypt has its lowest cost, since two cores would hash for forty minutes.
The detector and the mail tick every second, and once more twenty minutes later.
"""

import json
import os
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("ENVIRONMENT", "test")
os.environ.update(DJANGO_SETTINGS_MODULE="aaperture.settings", TRUSTED_PROXIES="127.0.0.1", SECURITY_ALERT_EMAILS="security@example.test")

from bench.bare.load import answer  # noqa: E402
from bench.own_servers import own_servers  # noqa: E402
from bench.report import Report  # noqa: E402
from bench.web import Server  # noqa: E402

CONNECTIONS, WORKERS = 8, 2
REFUSED = {b"401", b"429"}


def one_address(number: int) -> tuple[str, str]:
    return "203.0.113.9", f"nobody{number}@example.test" if number % 2 else "anna@example.test"


def everywhere(number: int) -> tuple[str, str]:
    return f"198.{18 + number // 65536}.{number // 256 % 256}.{number % 256}", f"nobody{number}@example.test"


CASES = {"one address": one_address, "everywhere": everywhere}


def request(address: str, account: str) -> bytes:
    body = json.dumps({"email": account, "password": "Wrong-Horse-7"}).encode()
    head = f"POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\nX-Real-IP: {address}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def send(port: int, requests: list[bytes]) -> Counter[bytes]:
    """How often each status was answered."""
    answered: Counter[bytes] = Counter()

    def post(share: list[bytes]) -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for one in share:
                connection.sendall(one)
                answered[answer(connection)] += 1

    threads = [threading.Thread(target=post, args=(requests[n::CONNECTIONS],)) for n in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answered


def tick() -> None:
    from audit.alerts import mail
    from audit.alerts.detection import detect

    detect()
    mail.send_due()


@contextmanager
def ticking() -> Iterator[None]:
    """What beat does every thirty seconds, every second."""
    from django.db import connections

    done = threading.Event()

    def look() -> None:
        while not done.wait(1):
            tick()
        connections.close_all()

    thread = threading.Thread(target=look)
    thread.start()
    yield
    done.set()
    thread.join()


def flood(report: Report, case: str, times: int) -> None:
    import time_machine
    from django.core.management import call_command
    from django.utils import timezone

    from audit.models import Activity, SecurityAlert
    from tests.accounts.people import make_user
    from tests.mailing.post import mail_server

    call_command("migrate", verbosity=0)
    make_user(email="anna@example.test")
    requests = [request(*CASES[case](number)) for number in range(times)]
    server = Server("bench.ours.flooded", "aaperture.settings", WORKERS)
    with mail_server() as (told, port):
        settings_of_mail(port)
        try:
            with ticking():
                began = time.perf_counter()
                answered = send(server.port, requests)
                taken = time.perf_counter() - began
        finally:
            server.stop()
        for later in (0, 20):
            with time_machine.travel(timezone.now() + timedelta(minutes=later), tick=True):
                tick()
    on_record = Activity.objects.filter(action__in=["user.login.failed", "rate_limit.exceeded"])
    report.add(f"{case}: refused", sum(answered[status] for status in REFUSED), "sign-ins", goal=times)
    report.add(f"{case}: of them by a limit", answered[b"429"], "sign-ins")
    report.add(f"{case}: on record", on_record.count(), "rows", goal=times)
    report.add(f"{case}: a second", times / taken, "sign-ins/s")
    report.add(f"{case}: alerts", SecurityAlert.objects.count(), "", goal=1, at_most=True)
    report.add(f"{case}: mails", len(told.taken), "", goal=1)
    report.add(f"{case}: mails at most", len(told.taken), "", goal=1, at_most=True)
    report.add(
        f"{case}: counted by the alert", sum(SecurityAlert.objects.values_list("count", flat=True)), "sign-ins", goal=times, at_most=True
    )


def settings_of_mail(port: int) -> None:
    from django.conf import settings

    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port


def main(arguments: list[str]) -> int:
    """Each case in a process and on a database of its own."""
    times = int(next((one.partition("=")[2] for one in arguments if one.startswith("--times=")), "10000"))
    report = Report("flood")
    for case in CASES:
        with own_servers(fast=True):
            if (child := os.fork()) == 0:
                import django

                django.setup()
                flood(report, case, times)
                os._exit(report.finish())
            missed = bool(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        if missed:
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
