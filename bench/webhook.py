"""Signed events at our webhooks: Stripe's, and those of other systems. Checked, stored once, acknowledged. Goal: 300 a second on two cores.

    python bench/webhook.py [--events=6000]

Every event is different and valid; afterwards all are there, once. Then the same again: Stripe's is told that all is well, any other that
it is refused. The limit of the address is out of the way; the loader's own time is part of the figure, since it has the same two cores.
"""

import json
import os
import socket
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
SECRET = "whsec_of_the_bench"
os.environ.setdefault("ENVIRONMENT", "test")
os.environ.update(DJANGO_SETTINGS_MODULE="bench.ours.settings", STRIPE_SECRET_KEY="sk_test_bench", STRIPE_WEBHOOK_SECRET=SECRET)

from bench.bare.load import answer  # noqa: E402
from bench.own_servers import own_servers  # noqa: E402
from bench.report import Report  # noqa: E402
from bench.web import Server  # noqa: E402

GOAL = 300
CONNECTIONS, WORKERS = 8, 2


def request(number: int) -> bytes:
    """What travels: an invoice that was paid, in an envelope, signed now."""
    import stripe

    lines = [{"id": f"il_{number}_{n}", "amount": 500, "period": {"start": 1, "end": 2}} for n in range(3)]
    invoice = {
        "id": f"in_{number}",
        "object": "invoice",
        "amount_paid": 500,
        "customer_email": "p@example.test",
        "lines": {"data": lines},
    }
    event = {
        "id": f"evt_{number}", "object": "event", "type": "invoice.paid", "livemode": False, "created": int(time.time()),
        "api_version": "2026-10-28.endive", "data": {"object": invoice}, "request": {"id": None, "idempotency_key": None},
    }  # fmt: skip
    body = json.dumps(event, indent=2)
    signature = stripe.WebhookSignature.generate_signature_header(body, SECRET)
    head = f"POST /stripe/webhook HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nStripe-Signature: {signature}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def delivery(number: int, address: str, secret: str) -> bytes:
    """What a form on some website sends, signed now."""
    from integrations.services.deliveries import signature_of

    body = json.dumps({"id": number, "name": f"Client {number}", "email": f"c{number}@example.test", "text": "A wedding in May. " * 20})
    stamp = str(int(time.time()))
    head = f"POST {address} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-Timestamp: {stamp}\r\n"
    head += f"X-Signature: {signature_of(secret, stamp, body.encode())}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def deliver(port: int, requests: list[bytes], expected: bytes = b"200") -> float:
    """Events a second over kept connections. Raises SystemExit at another answer than expected."""
    wrong: list[bytes] = []

    def post(share: list[bytes]) -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for one in share:
                connection.sendall(one)
                if (status := answer(connection)) != expected:
                    wrong.append(status)
                    return

    threads = [threading.Thread(target=post, args=(requests[n::CONNECTIONS],)) for n in range(CONNECTIONS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise SystemExit(f"the webhook answered {wrong[0].decode()}")
    return len(requests) / (time.perf_counter() - began)


def others(report: Report, server: Server, events: int) -> None:
    """Deliveries to a webhook that staff made, with a pipeline that will take them in."""
    from django.urls import reverse

    from accounts.models import User
    from integrations.models import Delivery, Pipeline, Transformation
    from integrations.services import configured, deliveries

    hook = configured.add("inbound_webhook", "Bench", {"id": "id"}, actor=User.objects.create(email="d@example.test", role="designer"))
    steps = Transformation.objects.create(name="Bench", steps=[{"do": "map", "fields": {"name": "name"}}])
    Pipeline.objects.create(name="Bench", connection=hook, transformation=steps, destination="dataset")
    address, (secret,) = reverse("integrations:hook", args=[hook.pk]), deliveries.secrets_of(hook)
    deliver(server.port, [delivery(-n, address, secret) for n in range(1, 200)], b"202")
    requests = [delivery(n, address, secret) for n in range(events)]
    before = server.cpu()
    report.add("inbound webhook, signed deliveries", deliver(server.port, requests, b"202"), "events/s", goal=GOAL)
    report.add("inbound webhook, CPU of the workers", (server.cpu() - before) / events * 1000, "ms/event")
    report.add("inbound webhook, replays refused", deliver(server.port, requests, b"401"), "events/s", goal=GOAL)
    stored = (Delivery.objects.count() - 199) / events
    report.add("inbound webhook, stored of each", stored, "", goal=1)
    report.add("inbound webhook, stored at most", stored, "", goal=1, at_most=True)


def run(events: int) -> int:
    import django

    django.setup()
    from django.core.management import call_command

    from billing.models import StripeEvent

    call_command("migrate", verbosity=0)
    report, server = Report("webhook"), Server("aaperture.wsgi", "bench.ours.settings", WORKERS)
    try:
        deliver(server.port, [request(-n) for n in range(1, 200)])  # warms up
        requests = [request(n) for n in range(events)]
        before = server.cpu()
        report.add("signed events", deliver(server.port, requests), "events/s", goal=GOAL)
        report.add("signed events, CPU of the workers", (server.cpu() - before) / events * 1000, "ms/event")
        report.add("the same again", deliver(server.port, requests), "events/s", goal=GOAL)
        others(report, server, events)
    finally:
        server.stop()
    report.add("stored of each", StripeEvent.objects.exclude(event_id__contains="-").count() / events, "", goal=1)
    report.add("stored at most", StripeEvent.objects.exclude(event_id__contains="-").count() / events, "", goal=1, at_most=True)
    return report.finish()


def main(arguments: list[str]) -> int:
    with own_servers(fast=True):
        return run(int(next((one.partition("=")[2] for one in arguments if one.startswith("--events=")), "6000")))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
