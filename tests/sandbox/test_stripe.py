"""The pretend Stripe, spoken to with Stripe's own library; the parts that `emulate` has are asked of it too."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import pytest
import requests
import stripe

from sandbox.server import SandboxServer
from tests.process import eventually
from tests.sandbox.providers import EmulateMissing, free_port, install_emulate

KEY, SECRET = "sk_test_sandbox", "whsec_sandbox"
WHO = {"user_id": "0198-someone"}


def client_of(url: str, key: str = KEY) -> stripe.StripeClient:
    return stripe.StripeClient(key, base_addresses={"api": url}, max_network_retries=0)


class Endpoint(BaseHTTPRequestHandler):
    """Takes every delivery, but those that are to be refused first."""

    received: list[tuple[bytes, str]] = []
    refused = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append((body, self.headers["Stripe-Signature"]))
        self.send_response(500 if len(self.received) <= type(self).refused else 200)
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        """Nothing."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    Endpoint.received.clear()
    Endpoint.refused = 0
    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()
    server.server_close()


class Payments(NamedTuple):
    url: str
    complete: Callable[[Any], object]


@pytest.fixture(params=["sandbox", pytest.param("emulate", marks=pytest.mark.slow)])
def payments(request: pytest.FixtureRequest, endpoint: str, tmp_path: Path) -> Iterator[Payments]:
    """Our Stripe and, where Node is found, the one that others wrote; both send their events to `endpoint`."""
    if request.param == "sandbox":
        sandbox: SandboxServer = request.getfixturevalue("sandbox")
        sandbox.control("POST", "stripe/webhooks", {"url": endpoint})
        yield Payments(sandbox.stripe_url, lambda session: requests.post(session.url, {"do": "card"}, timeout=10, allow_redirects=False))
        return
    try:
        program = install_emulate()
    except EmulateMissing as missing:
        pytest.skip(f"not compared with emulate: {missing}")
    seed, port = tmp_path / "seed.json", free_port()
    seed.write_text(json.dumps({"stripe": {"webhooks": [{"url": endpoint, "events": ["*"], "secret": SECRET}]}}))
    url = f"http://127.0.0.1:{port}"
    command = ["node", str(program), "start", "--service", "stripe", "--port", str(port), "--base-url", url, "--seed", str(seed)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert eventually(lambda: answers(url), within=60)
    yield Payments(url, lambda session: requests.post(f"{session.url}/complete", timeout=10, allow_redirects=False))
    process.terminate()
    process.wait(10)


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/v1/customers", headers={"Authorization": f"Bearer {KEY}"}, timeout=5).ok
    except requests.ConnectionError:
        return False


def test_what_two_pretend_stripes_agree_on(payments: Payments) -> None:
    api = client_of(payments.url).v1
    customer = api.customers.create({"email": "payer@example.test"})
    product = api.products.create({"name": "Contribution"})
    price = api.prices.create({"product": product.id, "currency": "eur", "unit_amount": 1000})
    assert (api.customers.retrieve(customer.id).email, api.prices.retrieve(price.id).unit_amount) == ("payer@example.test", 1000)
    session = api.checkout.sessions.create(
        {
            "mode": "payment", "line_items": [{"price": price.id, "quantity": 1}], "metadata": WHO,
            "success_url": "http://localhost:8000/thanks", "cancel_url": "http://localhost:8000/",
        }
    )  # fmt: skip
    assert (session.status, session.payment_status) == ("open", "unpaid") and session.id.startswith("cs_")
    payments.complete(session)
    read = api.checkout.sessions.retrieve(session.id)
    assert (read.status, read.payment_status, read.metadata.to_dict()) == ("complete", "paid", WHO)

    def completed() -> list[Any]:
        events = [stripe.Webhook.construct_event(body, header, SECRET).to_dict() for body, header in Endpoint.received]
        return [event["data"]["object"]["id"] for event in events if event["type"] == "checkout.session.completed"]

    assert eventually(lambda: completed() == [session.id], within=60)
    with pytest.raises(stripe.InvalidRequestError):
        api.customers.retrieve("cus_unknown")


@pytest.fixture
def client(sandbox: SandboxServer) -> stripe.StripeClient:
    return client_of(sandbox.stripe_url)


def wanted(*, amount: int = 1000, monthly: bool = False) -> dict[str, Any]:
    price: dict[str, Any] = {"currency": "eur", "unit_amount": amount, "product_data": {"name": "Contribution"}}
    if monthly:
        price["recurring"] = {"interval": "month"}
    return {
        "mode": "subscription" if monthly else "payment", "line_items": [{"price_data": price, "quantity": 1}], "metadata": WHO,
        "client_reference_id": WHO["user_id"], "success_url": "http://localhost:8000/thanks", "cancel_url": "http://localhost:8000/",
        ("subscription_data" if monthly else "payment_intent_data"): {"metadata": WHO},
    }  # fmt: skip


def do(sandbox: SandboxServer, deed: str, name: str, **more: Any) -> dict[str, Any]:
    return sandbox.control("POST", "stripe/do", {"do": deed, "id": name, **more})


def types(sandbox: SandboxServer) -> list[str]:
    return [event["type"] for event in sandbox.control("GET", "stripe/events")["events"]]


def test_a_payment_from_the_session_to_refund_and_dispute(sandbox: SandboxServer, client: stripe.StripeClient) -> None:
    session = client.v1.checkout.sessions.create(wanted())
    assert (session.status, session.payment_status, session.payment_intent) == ("open", "unpaid", None)
    page = requests.get(session.url, timeout=10)
    assert page.status_code == 200 and "10.00 €" in page.text
    refused = requests.post(session.url, {"do": "decline", "email": "a@example.test"}, timeout=10)
    assert "declined" in refused.text and client.v1.checkout.sessions.retrieve(session.id).status == "open"
    paid = requests.post(session.url, {"do": "card", "email": "a@example.test"}, timeout=10, allow_redirects=False)
    assert (paid.status_code, paid.headers["location"]) == (303, "http://localhost:8000/thanks")

    read = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent.latest_charge"]}).to_dict()
    intent = read["payment_intent"]
    assert (read["payment_status"], intent["status"], intent["metadata"], intent["amount_received"]) == ("paid", "succeeded", WHO, 1000)
    refund = client.v1.refunds.create({"payment_intent": intent["id"], "amount": 400})
    assert (refund.status, refund.charge) == ("succeeded", intent["latest_charge"]["id"])
    assert client.v1.charges.retrieve(refund.charge).amount_refunded == 400
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        client.v1.refunds.create({"payment_intent": intent["id"], "amount": 700})
    do(sandbox, "dispute", intent["id"])
    (dispute,) = client.v1.disputes.list({"payment_intent": intent["id"]}).data
    do(sandbox, "win", dispute.id)
    assert types(sandbox)[-4:] == [f"charge.dispute.{one}" for one in ("created", "funds_withdrawn", "funds_reinstated", "closed")]
    assert {"checkout.session.completed", "payment_intent.payment_failed", "refund.created", "charge.refunded"} <= set(types(sandbox))


def test_the_other_ways_a_session_ends(sandbox: SandboxServer, client: stripe.StripeClient) -> None:
    free, later, never = (client.v1.checkout.sessions.create(wanted()).id for _ in range(3))
    read = client.v1.checkout.sessions.retrieve
    do(sandbox, "pay", free, way="coupon")
    assert (read(free).payment_status, read(free).payment_intent, read(free).amount_total, read(free).amount_subtotal) == (
        "no_payment_required", None, 0, 1000,
    )  # fmt: skip
    do(sandbox, "pay", later, way="debit")
    assert (read(later).status, read(later).payment_status) == ("complete", "unpaid")
    do(sandbox, "bounce", later)
    client.v1.checkout.sessions.expire(never)
    assert read(never).status == "expired" and read(never).url is None
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.checkout.sessions.expire(never)
    assert types(sandbox)[-2:] == ["checkout.session.async_payment_failed", "checkout.session.expired"]


def test_a_subscription_month_by_month_in_both_shapes(sandbox: SandboxServer, client: stripe.StripeClient) -> None:
    session = client.v1.checkout.sessions.create(wanted(monthly=True))
    do(sandbox, "pay", session.id)
    session = client.v1.checkout.sessions.retrieve(session.id)
    name = session.subscription
    sub = client.v1.subscriptions.retrieve(name).to_dict()
    item = sub["items"]["data"][0]
    assert (sub["status"], item["price"]["unit_amount"], sub["metadata"]) == ("active", 1000, WHO)
    bill = client.v1.invoices.retrieve(session.invoice, {"expand": ["payments.data.payment.payment_intent"]}).to_dict()
    assert bill["parent"]["subscription_details"] == {"subscription": name, "metadata": WHO} and "payment_intent" not in bill
    assert bill["payments"]["data"][0]["payment"]["payment_intent"]["status"] == "succeeded"
    assert "payments" not in client.v1.invoices.retrieve(session.invoice).to_dict()  # only when asked for

    old = stripe.StripeClient(KEY, base_addresses={"api": sandbox.stripe_url}, stripe_version="2024-06-20")
    before = old.v1.invoices.retrieve(session.invoice).to_dict()
    assert before["subscription"] == name and before["payment_intent"].startswith("pi_") and "parent" not in before
    assert old.v1.subscriptions.retrieve(name).to_dict()["current_period_end"] == item["current_period_end"]

    price = {"currency": "eur", "unit_amount": 2500, "product": item["price"]["product"], "recurring": {"interval": "month"}}
    client.v1.subscriptions.update(name, {"items": [{"id": item["id"], "price_data": price}], "proration_behavior": "none"})
    do(sandbox, "renew-as", name, outcome="out_of_band")
    newest = client.v1.invoices.list({"subscription": name, "limit": 1}).to_dict()
    assert newest["has_more"] and newest["data"][0]["amount_paid"] == 2500
    do(sandbox, "renew-failing", name)
    assert client.v1.subscriptions.retrieve(name).status == "past_due"
    client.v1.subscriptions.update(name, {"cancel_at_period_end": True})
    do(sandbox, "renew", name)
    assert client.v1.subscriptions.list({"status": "all"}).data[0].status == "canceled" and not client.v1.subscriptions.list().data
    assert types(sandbox)[-1] == "customer.subscription.deleted"


def test_keys_idempotency_and_refusals(sandbox: SandboxServer, client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.AuthenticationError) as refused:
        client_of(sandbox.stripe_url, "sk_test_another").v1.checkout.sessions.create(wanted())
    assert refused.value.http_status == 401 and requests.get(f"{sandbox.stripe_url}/v1/charges", timeout=5).status_code == 401
    first, again = (client.v1.checkout.sessions.create(wanted(), {"idempotency_key": "one"}) for _ in range(2))
    assert first.id == again.id and again.last_response.headers["idempotent-replayed"] == "true"
    with pytest.raises(stripe.IdempotencyError):
        client.v1.checkout.sessions.create(wanted(amount=2000), {"idempotency_key": "one"})
    for wrong in ({"mode": "payment"}, wanted(amount=49), wanted() | {"surprise": "1"}, wanted() | {"mode": "subscription"}):
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.checkout.sessions.create(wrong)
    with pytest.raises(stripe.InvalidRequestError, match="No such payment intent"):
        client.v1.payment_intents.retrieve("pi_unknown")
    sandbox.control("POST", "faults", {"status": 429, "path": "/stripe/v1/", "count": 1})
    with pytest.raises(stripe.RateLimitError):
        client.v1.charges.list()
    sandbox.control("POST", "stripe/lose-answer", {"path": "/v1/checkout/sessions"})
    with pytest.raises(stripe.APIError):
        client.v1.checkout.sessions.create(wanted(), {"idempotency_key": "two"})
    before = len(client.v1.checkout.sessions.list({"limit": 100}).data)
    client.v1.checkout.sessions.create(wanted(), {"idempotency_key": "two"})
    assert len(client.v1.checkout.sessions.list({"limit": 100}).data) == before


def test_events_are_signed_come_again_and_come_twice(sandbox: SandboxServer, client: stripe.StripeClient, endpoint: str) -> None:
    url, Endpoint.refused = endpoint, 1
    sandbox.control("POST", "stripe/webhooks", {"url": url, "retry_after": 0.05, "secrets": [SECRET, "whsec_newer"]})
    session = client.v1.checkout.sessions.create(wanted())
    client.v1.checkout.sessions.expire(session.id)
    assert eventually(lambda: sandbox.control("GET", "stripe/webhooks")["waiting"] == 0, within=60)
    assert sandbox.control("POST", "stripe/send", {"times": [2, 2]})["sent"] == 2
    assert eventually(lambda: len(Endpoint.received) == 4, within=60)
    for body, header in Endpoint.received:
        for secret in (SECRET, "whsec_newer"):
            assert stripe.Webhook.construct_event(body, header, secret).type == "checkout.session.expired"
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(body + b" ", header, SECRET)
    event = json.loads(Endpoint.received[0][0])
    assert event["object"] == "event" and event["id"].startswith("evt_") and event["livemode"] is False
    assert event["api_version"] == "2026-10-28.endive" and abs(event["created"] - time.time()) < 60
    assert event["data"]["object"]["id"] == session.id and len({json.loads(body)["id"] for body, _header in Endpoint.received}) == 1
    with pytest.raises(RuntimeError, match="this machine only"):
        sandbox.control("POST", "stripe/webhooks", {"url": "https://example.org/hook"})
