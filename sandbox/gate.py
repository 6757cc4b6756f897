"""What every request passes: only this machine may ask, faults and delays act, and the request is written down."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sandbox.faults import Fault
from sandbox.gmail.api import method_name
from sandbox.google_errors import ApiError, Reply, json_reply
from sandbox.stripe.errors import StripeError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from sandbox.world import World

OWN_PAGES = re.compile(r"/(?:$|_control\b|console\b|mail\b|calendar/(?!v3/)|static\b|favicon|c/pay/|receipts/)")
LOOPBACK = {"localhost", "127.0.0.1", "::1", "testserver"}
SAFE = {"GET", "HEAD", "OPTIONS"}
OAUTH_ERRORS = {400: "invalid_request", 401: "invalid_client", 403: "access_denied", 429: "rate_limit_exceeded"}


class Gate:
    """`below` goes before the path of whatever is asked here, in faults, delays and the log."""

    def __init__(self, app: ASGIApp, world: World, *, below: str = "") -> None:
        self.app, self.world, self.below = app, world, below

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if not from_this_machine(scope["method"], headers):
            await send_reply(send, ApiError(403, "The sandbox answers this machine only.").reply())
            return
        if OWN_PAGES.match(scope["path"]):
            await self.app(scope, receive, send)
            return
        await self.serve(scope, receive, send)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as one of the services that the sandbox plays."""
        started, path, status = time.perf_counter(), self.below + scope["path"], 500
        faults = self.world.faults
        delay = faults.delay(path)
        if delay:
            await asyncio.sleep(delay)

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            fault = faults.take(path)
            if fault is not None:
                scope["sandbox.api"] = method_name(scope["method"], path)
                await send_reply(watched, fault_reply(fault, path))
            else:
                await self.app(scope, receive, watched)
        finally:
            self.world.requests.add(
                scope["method"],
                path,
                "" if "oauth2" in path else scope["query_string"].decode("latin-1"),
                status,
                api=scope.get("sandbox.api", ""),
                account=scope.get("sandbox.account", ""),
                started=started,
            )


def from_this_machine(verb: str, headers: dict[bytes, bytes]) -> bool:
    """Refuse names that a web page could rebind to 127.0.0.1, and writes that another site's page sends."""
    if host_of("//" + headers.get(b"host", b"localhost").decode("latin-1")) not in LOOPBACK:
        return False
    origin = headers.get(b"origin", b"").decode("latin-1")
    return verb in SAFE or not origin or host_of(origin) in LOOPBACK


def host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def fault_reply(fault: Fault, path: str) -> Reply:
    """The fault in the wording of the service it hits."""
    headers = [(b"retry-after", str(fault.retry_after).encode())] if fault.retry_after is not None else []
    if path.startswith("/stripe/"):
        return json_reply(StripeError("Injected fault", status=fault.status).document(), status=fault.status, headers=headers)
    if path.startswith(("/token", "/revoke", "/o/oauth2")):
        error = fault.reason or OAUTH_ERRORS.get(fault.status, "internal_failure")
        return json_reply({"error": error, "error_description": "Injected fault"}, status=fault.status, headers=headers)
    document: dict[str, Any] = ApiError(fault.status, reason=fault.reason).document()
    if fault.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="https://accounts.google.com/", error="invalid_token"'))
    return json_reply(document, status=fault.status, headers=headers)


async def send_reply(send: Send, reply: Reply) -> None:
    await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
    await send({"type": "http.response.body", "body": reply.body})
