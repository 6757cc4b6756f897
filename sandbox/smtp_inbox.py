"""The SMTP inbox: takes any mail for anybody and keeps it for the /mail pages."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cached_property
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import SMTP, Envelope, Session

if TYPE_CHECKING:
    from sandbox.world import World

LARGEST_MAIL = 40 * 1024 * 1024
LINK = re.compile(r"https?://[^\s<>\"')\]]+")
NUMBERS: Iterator[int] = itertools.count(1)


@dataclass
class ReceivedMail:
    sender: str
    recipients: list[str]
    raw: bytes
    received_at: float = field(default_factory=time.time)
    id: int = field(default_factory=lambda: next(NUMBERS))

    @cached_property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=policy.default)

    @property
    def subject(self) -> str:
        return str(self.message.get("Subject", ""))

    @property
    def headers(self) -> list[tuple[str, str]]:
        return [(name, str(value)) for name, value in self.message.items()]

    @cached_property
    def text(self) -> str:
        return self.content("plain")

    @cached_property
    def html(self) -> str:
        return self.content("html")

    def content(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        if part is None:
            return ""
        try:
            return str(part.get_content())
        except (LookupError, ValueError):
            return ""

    @property
    def links(self) -> list[str]:
        return list(dict.fromkeys(link.rstrip(".,;") for link in LINK.findall(self.text or self.html)))

    @property
    def attachments(self) -> list[dict[str, Any]]:
        return [
            {
                "filename": part.get_filename() or "",
                "type": part.get_content_type(),
                "size": len(part.get_payload(decode=True) or b""),
            }
            for part in self.message.iter_attachments()
        ]

    def as_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "from": self.sender,
            "to": self.recipients,
            "subject": self.subject,
            "received_at": self.received_at,
            "headers": self.headers,
            "text": self.text,
            "html": self.html,
            "links": self.links,
            "attachments": self.attachments,
        }


class Inbox:
    """aiosmtpd's handler. Addresses at `refused.example` and `later.example` are refused, for tests of failures."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's name)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        domain = address.rpartition("@")[2].lower()
        if domain == "refused.example":
            return "550 5.1.1 No such mailbox"
        if domain == "later.example":
            return "451 4.3.0 Try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        content = envelope.content or b""
        raw = content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape")
        self.world.received.append(ReceivedMail(envelope.mail_from or "", list(envelope.rcpt_tos), raw))
        return "250 2.0.0 OK"


def smtp_session(world: World) -> SMTP:
    return SMTP(Inbox(world), hostname="sandbox.example", enable_SMTPUTF8=True, data_size_limit=LARGEST_MAIL)
