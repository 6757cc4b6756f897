"""Paying at the pretend Stripe, and carrying its events to the webhook by hand."""

import json
import time
from typing import Any

import stripe
from django.core.cache import caches
from django.test import Client

from accounts.models import User
from billing.models import Checkout, StripeEvent
from billing.services import checkouts, events
from sandbox.server import SandboxServer

SECRET = "whsec_sandbox"
Event = dict[str, Any]


def signed(event: Event, *, secret: str = SECRET, at: float | None = None) -> tuple[bytes, str]:
    """The body and the header with which Stripe would send it."""
    body = json.dumps(event)
    return body.encode(), stripe.WebhookSignature.generate_signature_header(body, secret, int(time.time() if at is None else at))


def post(event: Event, client: Client | None = None, **options: Any) -> Any:
    body, header = signed(event, **options)
    caches["limits"].clear()
    poster = client or Client()
    return poster.post("/stripe/webhook", body, content_type="application/json", headers={"stripe-signature": header})


class Till:
    """`control` and the events that have not been delivered yet."""

    def __init__(self, sandbox: SandboxServer) -> None:
        self.sandbox, self.delivered = sandbox, 0
        self.client = Client()

    def do(self, deed: str, name: str, **more: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.sandbox.control("POST", "stripe/do", {"do": deed, "id": name, **more})
        return answer

    def events(self) -> list[Event]:
        """What has happened since the last delivery, oldest first."""
        found: list[Event] = self.sandbox.control("GET", "stripe/events")["events"]
        return found[self.delivered :]

    def deliver(self, *chosen: Event) -> None:
        """Post events, by default all that are new, and let the worker apply them."""
        fresh = list(chosen) or self.events()
        for event in fresh:
            assert post(event, self.client).status_code == 200
        if not chosen:
            self.delivered += len(fresh)
        self.work()

    def work(self) -> None:
        for pk in events.due():
            events.apply_event(pk)

    def open(self, user: User, amount: int = 2000, rhythm: str = "once") -> str:
        """The id of a payment page."""
        checkouts.begin(user, rhythm=rhythm, amount=amount)
        return str(Checkout.objects.filter(user=user, rhythm=rhythm).latest("created_at").session_id)

    def pay(self, user: User, amount: int = 2000, rhythm: str = "once", **how: Any) -> dict[str, Any]:
        """Pay and deliver what comes of it; the session as it is then."""
        session = self.do("pay", self.open(user, amount, rhythm), **how)
        self.deliver()
        return session

    def asked(self, path: str = "") -> list[dict[str, Any]]:
        return [one for one in self.sandbox.control("GET", "stripe/requests")["requests"] if one["path"].startswith(path)]

    def statuses(self) -> set[str]:
        return set(StripeEvent.objects.values_list("status", flat=True))
