"""Events on their way: real envelopes, signed over `timestamp.body`, sent in the background, tried again until a 2xx."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import http.client
import json
import random
import time
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from sandbox.stripe.objects import CURRENT, Object, make

LOOPBACK = {"localhost", "127.0.0.1", "::1"}
PATIENCE = 20  # seconds for one answer
TRIES = 12


@dataclass
class Delivery:
    event: str
    type: str
    tries: int = 0
    status: int = 0  # the last answer; 0 when there was none
    done: bool = False


class Webhooks:
    """Where events go. `held` keeps them back until `send()`; `copies` sends each so many times."""

    def __init__(self, url: str = "", secrets: tuple[str, ...] = ("whsec_sandbox",)) -> None:
        self.url, self.secrets = url, secrets
        self.version, self.retry_after = CURRENT, 1.0
        self.held, self.copies = False, 1
        self.events: list[Object] = []
        self.deliveries: list[Delivery] = []
        self.running: set[asyncio.Task[None]] = set()

    def configure(self, **options: Any) -> None:
        url = options.get("url", self.url)
        if url and urlsplit(url).hostname not in LOOPBACK:
            raise ValueError("The sandbox sends to this machine only.")
        self.url = url
        for name in ("version", "retry_after", "held", "copies"):
            setattr(self, name, options.get(name, getattr(self, name)))
        self.secrets = tuple(options.get("secrets", self.secrets))

    def happened(self, kind: str, shown: Object, previous: Object | None = None, *, request: Object | None = None) -> Object:
        data: Object = {"object": shown} | ({"previous_attributes": previous} if previous else {})
        event = make(
            "event", api_version=self.version, data=data, pending_webhooks=1, type=kind,
            request=request or {"id": None, "idempotency_key": None},
        )  # fmt: skip
        self.events.append(event)
        if self.url and not self.held:
            for _copy in range(self.copies):
                self.start(event)
        return event

    def send(self, ids: list[str] | None, *, times: tuple[int, int], seed: int | None) -> int:
        """Everything again that is asked for, each between `times` often, shuffled by `seed`; how many are on their way."""
        wanted = [event for event in self.events if ids is None or event["id"] in ids]
        chance = random.Random(seed)
        batch = [event for event in wanted for _ in range(chance.randint(*times))]
        if seed is not None:
            chance.shuffle(batch)
        for event in batch:
            self.start(event)
        return len(batch)

    def start(self, event: Object) -> None:
        delivery = Delivery(event["id"], event["type"])
        self.deliveries.append(delivery)
        task = asyncio.get_running_loop().create_task(self.deliver(event, delivery))
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    async def deliver(self, event: Object, delivery: Delivery) -> None:
        body = json.dumps(event, indent=2).encode()
        wait = self.retry_after
        while delivery.tries < TRIES and not delivery.done:
            delivery.tries += 1
            delivery.status = await asyncio.to_thread(post, self.url, body, self.header(body))
            delivery.done = 200 <= delivery.status < 300
            if not delivery.done:
                await asyncio.sleep(wait)
                wait *= 2

    def header(self, body: bytes, *, at: int | None = None) -> str:
        """`Stripe-Signature`: one v1 for each secret, as during a rotation, and the v0 of test mode."""
        moment = int(time.time()) if at is None else at
        signed = [hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest() for secret in self.secrets]
        return ",".join([f"t={moment}", *(f"v1={one}" for one in signed), f"v0={hashlib.sha256(body).hexdigest()}"])

    def stop(self) -> None:
        for task in self.running:
            task.cancel()

    def as_dict(self) -> Object:
        waiting = sum(not one.done and one.tries < TRIES for one in self.deliveries)
        return {
            "url": self.url, "held": self.held, "copies": self.copies, "version": self.version, "events": len(self.events),
            "waiting": waiting, "deliveries": [asdict(one) for one in self.deliveries[-500:]],
        }  # fmt: skip


def post(url: str, body: bytes, signature: str) -> int:
    """The status of the answer, 0 for none. Redirects are not followed: to Stripe they are failures."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
    headers = {
        "Content-Type": "application/json; charset=utf-8", "Stripe-Signature": signature, "Accept": "*/*; q=0.5, application/xml",
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    }  # fmt: skip
    try:
        connection.request("POST", parts.path + (f"?{parts.query}" if parts.query else ""), body, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
