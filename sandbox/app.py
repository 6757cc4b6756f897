"""Puts the sandbox together: Google's sign-in, Gmail, Calendar, Stripe, the inbox page, the console and its JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from sandbox import console, control, mail_pages, oauth, refuse_production
from sandbox.calendar import api as calendar_api
from sandbox.calendar import control as calendar_control
from sandbox.calendar import pages as calendar_pages
from sandbox.gate import Gate, send_reply
from sandbox.gmail.api import answer
from sandbox.gmail.batch import answer_batch
from sandbox.stripe import api as stripe_api
from sandbox.stripe import control as stripe_control
from sandbox.stripe import pages as stripe_pages
from sandbox.world import World

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

STATIC = Path(__file__).parent / "static"


class GoogleEndpoint:
    """Plain ASGI rather than a Starlette route: benchmarks send hundreds of calls a second through here."""

    def __init__(self, world: World, rest: ASGIApp) -> None:
        self.world, self.rest = world, rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if path.startswith("/gmail/v1/"):
            headers, body = dict(scope["headers"]), await read_body(receive)
            authorization = headers.get(b"authorization", b"").decode("latin-1")
            query = scope["query_string"].decode("latin-1")
            reply = answer(self.world, scope["method"], path, query, authorization, body)
        elif path.startswith(calendar_api.PREFIX):
            query = scope["query_string"].decode("latin-1")
            reply = calendar_api.answer(self.world, scope["method"], path, query, dict(scope["headers"]), await read_body(receive))
        elif scope.get("method") == "POST" and path in ("/batch", "/batch/gmail/v1"):
            headers, body = dict(scope["headers"]), await read_body(receive)
            authorization = headers.get(b"authorization", b"").decode("latin-1")
            content_type = headers.get(b"content-type", b"").decode("latin-1")
            reply = await answer_batch(self.world, content_type, body, authorization)
        else:
            await self.rest(scope, receive, send)
            return
        scope["sandbox.api"], scope["sandbox.account"] = reply.api, reply.account
        await send_reply(send, reply)


async def read_body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


def create_app(base_url: str, *, demo_mail: bool = True) -> tuple[ASGIApp, World]:
    refuse_production()
    world = World(base_url, with_demo_mail=demo_mail)
    pages = Starlette(
        routes=[
            *oauth.routes,
            *console.routes,
            *mail_pages.routes,
            *calendar_pages.routes,
            *control.routes,
            *calendar_control.routes,
            *stripe_control.routes,
            Route("/favicon.ico", console.favicon),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]
    )
    pages.state.world = world
    return Gate(GoogleEndpoint(world, pages), world), world


def create_stripe(world: World) -> ASGIApp:
    """Stripe has an address of its own, so that a page's policy must name it."""
    static = [Route("/favicon.ico", console.favicon), Mount("/static", StaticFiles(directory=STATIC))]
    pages = Starlette(routes=[*stripe_api.routes, *stripe_pages.routes, *static])
    pages.state.world = world
    return Gate(pages, world, below="/stripe")
