"""`python -m sandbox --port 8010`: serve on 127.0.0.1 until told to stop, and say so in one line when ready."""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

import uvicorn

from sandbox import refuse_production
from sandbox.app import create_app, create_stripe
from sandbox.smtp_inbox import smtp_session

if TYPE_CHECKING:
    from starlette.types import ASGIApp

PR_SET_PDEATHSIG = 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=int(os.environ.get("SANDBOX_PORT", "8010")), help="0: any free")
    parser.add_argument("--smtp-port", type=int, default=None, help="default: port + 1; 0: any free port")
    parser.add_argument("--stripe-port", type=int, default=None, help="default: port + 2; 0: any free port")
    parser.add_argument("--stripe-webhook", default="", help="where Stripe's events go, on this machine")
    parser.add_argument("--no-demo", action="store_true", help="start with empty mailboxes")
    parser.add_argument("--die-with-parent", action="store_true", help="stop when the starting process ends (Linux)")
    return parser.parse_args()


def listen(port: int) -> socket.socket:
    # The protocol is named because asyncio switches Nagle's algorithm off only then (40 ms a call otherwise).
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(1024)
    sock.setblocking(False)
    return sock


def die_with_parent() -> None:
    """Ask Linux for a TERM when the parent ends, however it ends."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent or parent == 1:
        raise SystemExit("The process that started the sandbox is gone.")


class Beside(uvicorn.Server):
    """A second address, without signals of its own."""

    def __init__(self, config: uvicorn.Config, sock: socket.socket) -> None:
        super().__init__(config)
        self.sock = sock

    async def begin(self) -> None:
        self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)
        await self.startup(sockets=[self.sock])
        self.ticking = asyncio.create_task(self.main_loop())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.should_exit = True
        await self.ticking
        await super().shutdown(sockets=sockets)


class Server(uvicorn.Server):
    """uvicorn, with our ready line, the SMTP inbox and Stripe's address in the same event loop."""

    def __init__(self, config: uvicorn.Config, smtp: asyncio.Server, stripe: Beside, ready: str) -> None:
        super().__init__(config)
        self.smtp, self.stripe, self.ready = smtp, stripe, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self.stripe.begin()
        await super().startup(sockets=sockets)
        sys.stdout.write(self.ready + "\n")
        sys.stdout.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.smtp.close()
        await self.stripe.shutdown(sockets=[self.stripe.sock])
        await super().shutdown(sockets=sockets)


async def serve(options: argparse.Namespace) -> None:
    http = listen(options.port)
    port = http.getsockname()[1]
    mail = listen(port + 1 if options.smtp_port is None else options.smtp_port)
    smtp_port = mail.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    stripe = listen(port + 2 if options.stripe_port is None else options.stripe_port)
    app, world = create_app(url, demo_mail=not options.no_demo)
    world.smtp_port = smtp_port
    world.stripe.base_url = f"http://127.0.0.1:{stripe.getsockname()[1]}"
    world.stripe.webhooks.configure(url=options.stripe_webhook)
    smtp = await asyncio.get_running_loop().create_server(lambda: smtp_session(world), sock=mail)

    def config(served: ASGIApp) -> uvicorn.Config:
        quiet = {"log_level": "warning", "access_log": False, "server_header": False}
        return uvicorn.Config(served, lifespan="off", timeout_graceful_shutdown=1, **quiet)  # type: ignore[arg-type]  # options of several types in one dict

    ready = f"Sandbox ready on {url} (mail on 127.0.0.1:{smtp_port}, Stripe on {world.stripe.base_url})"
    await Server(config(app), smtp, Beside(config(create_stripe(world)), stripe), ready).serve(sockets=[http])


def main() -> None:
    options = arguments()
    refuse_production()
    if options.die_with_parent:
        die_with_parent()
    try:
        asyncio.run(serve(options))
    except KeyboardInterrupt:
        pass
    except OSError as error:
        raise SystemExit(f"The sandbox cannot listen: {error.strerror}. Is it running already?") from None


if __name__ == "__main__":
    main()
