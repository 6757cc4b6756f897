"""A mail server that does as it is told, and mails to send to it."""

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session
from django.conf import settings

from accounts.models import Organization, User
from mailing.models import EmailTemplate, ScheduledEmail
from mailing.services import templates
from studio.models import Contact


class Told:
    """Takes every mail but those to recipients it has other answers for; keeps what it took, by recipient and Message-ID."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self.recipients: dict[str, str] = {}  # local part → answer to RCPT
        self.contents: dict[str, str] = {}  # local part → answer to the message; "drop", "take and drop" or "hang" instead of one
        self.while_sending: Callable[[], None] | None = None  # called when a message is here and not answered yet
        self.pipelining = True
        self.pipelined = False  # whether somebody was told that it can
        self.most_at_once = 0
        self.open = 0
        self._lock = threading.Lock()

    async def handle_EHLO(  # noqa: N802  aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.pipelined |= self.pipelining
        return [*responses[:-1], *(["250-PIPELINING"] if self.pipelining else []), responses[-1]]

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.recipients.get(address.partition("@")[0])
        if answer:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        to = envelope.rcpt_tos[0]
        answer = self.contents.get(to.partition("@")[0], "250 OK")
        with self._lock:
            self.open += 1
            self.most_at_once = max(self.most_at_once, self.open)
        if answer.startswith(("250", "take")):
            self.taken.append((to, bytes(envelope.content or b"")))
        await asyncio.sleep(0)
        if self.while_sending:
            self.while_sending()
        with self._lock:
            self.open -= 1
        if answer.endswith("drop"):
            server.transport.abort()
        if answer == "hang":
            await asyncio.sleep(30)
        return answer

    def to(self, recipient: str) -> list[bytes]:
        return [message for to, message in self.taken if to == recipient]


@contextmanager
def mail_server(**options: Any) -> Iterator[tuple[Told, int]]:
    """On 127.0.0.1; its handler, and its port."""
    told = Told()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    context = options.pop("ssl_context", None)
    starting = loop.create_server(lambda: SMTP(told, hostname="mail.example", loop=loop, **options), "127.0.0.1", 0, ssl=context)
    server = asyncio.run_coroutine_threadsafe(starting, loop).result(30)
    try:
        yield told, server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


class Quick(asyncio.Protocol):
    """As little of SMTP as a sender needs, for thousands of mails; takes everything, and remembers to whom."""

    def __init__(self, taken: list[bytes]) -> None:
        self.taken, self.waiting, self.in_message, self.to = taken, b"", False, b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(b"220 quick\r\n")

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        while True:
            piece, end, rest = self.waiting.partition(b"\r\n.\r\n" if self.in_message else b"\r\n")
            if not end:
                return
            self.waiting = rest
            self.transport.write(self._taken() if self.in_message else self._answer(piece))

    def _taken(self) -> bytes:
        self.in_message = False
        self.taken.append(self.to)
        return b"250 taken\r\n"

    def _answer(self, line: bytes) -> bytes:
        word = line[:4].upper()
        if word == b"EHLO":
            return b"250-quick\r\n250 PIPELINING\r\n"
        if word == b"RCPT":
            self.to = line
        if word == b"DATA":
            self.in_message = True
            return b"354 go on\r\n"
        return b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n"


@contextmanager
def quick_server(kind: type[Quick] = Quick, *, ssl_context: ssl.SSLContext | None = None) -> Iterator[tuple[list[bytes], int]]:
    """What it took, and its port."""
    taken: list[bytes] = []
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    starting = loop.create_server(lambda: kind(taken), "127.0.0.1", 0, ssl=ssl_context)
    server = asyncio.run_coroutine_threadsafe(starting, loop).result(30)
    try:
        yield taken, server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def use_server(port: int) -> None:
    """Until the test's `settings` fixture puts it back."""
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.EMAIL_USE_SSL = settings.EMAIL_USE_TLS = False
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""


TEXT = "Bonjour {{ client.first_name }},\n\nmerci.\n\n{{ studio.name }}"


def make_template(organization: Organization, actor: User, **fields: Any) -> EmailTemplate:
    values = {"kind": "message", "language": "fr", "name": "Bonjour", "subject": "Pour {{ client.name }}", "text": TEXT} | fields
    return templates.create_template(organization, fields=values, actor=actor)


def contacts_named(organization: Organization, names: list[str]) -> list[Contact]:
    rows = []
    for name in names:
        contact = Contact(organization=organization, given_name=name.title(), email=f"{name}@clients.example", language="fr")
        contact.derive()
        rows.append(contact)
    return Contact.objects.bulk_create(rows, batch_size=2000)


def status_of(name: str) -> str:
    return ScheduledEmail.objects.values_list("status", flat=True).get(recipient=f"{name}@clients.example")
