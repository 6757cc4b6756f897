"""The demo people and their mail: raw files beside a manifest of ages, so that the mailbox always looks recent."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from email.utils import formatdate
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import yaml

if TYPE_CHECKING:
    from sandbox.world import Account

FOLDER = Path(__file__).parent / "mailbox"
DATE_LINE = re.compile(rb"^Date:[^\r\n]*", re.MULTILINE | re.IGNORECASE)


class Person(NamedTuple):
    email: str
    name: str


PEOPLE = [
    Person("camille@example.test", "Camille Morel"),
    Person("sam@example.test", "Sam Whitfield"),
    Person("alex@example.test", "Alex Moreau"),
]


class DemoMail(NamedTuple):
    account: str
    file: str
    hours: float
    thread: str
    labels: tuple[str, ...]


def subject_of(email: str) -> str:
    """Return the account's OpenID subject: 21 digits like Google's, the same at every start."""
    return "1" + str(int(hashlib.sha256(email.lower().encode()).hexdigest(), 16))[:20]


@cache
def manifest() -> tuple[DemoMail, ...]:
    path = FOLDER / "manifest.yaml"
    if not path.exists():
        return ()
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    return tuple(DemoMail(e["account"], e["file"], float(e["hours_ago"]), e.get("thread", ""), tuple(e["labels"])) for e in entries)


def fill(accounts: Mapping[str, Account]) -> None:
    """Deliver the demo mail, oldest first, each `hours_ago` before now, its Date header to match.

    Its id is made from its file's name: who connected before a restart does not find the same mail a second time.
    """
    threads: dict[tuple[str, str], str] = {}
    for mail in sorted(manifest(), key=lambda mail: -mail.hours):
        sent_at = time.time() - mail.hours * 3600
        key = (mail.account, mail.thread)
        message = accounts[mail.account].mailbox.add(
            dated((FOLDER / mail.file).read_bytes(), sent_at),
            labels=mail.labels,
            internal_date=int(sent_at * 1000),
            thread_id=threads.get(key) if mail.thread else None,
            message_id=hashlib.sha256(f"{mail.account}/{mail.file}".encode()).hexdigest()[:16],
        )
        if mail.thread:
            threads.setdefault(key, message.thread_id)


def dated(raw: bytes, sent_at: float) -> bytes:
    """Return the mail with its Date header, where it has one, moved to `sent_at`."""
    head, blank, body = raw.partition(b"\r\n\r\n")
    return DATE_LINE.sub(b"Date: " + formatdate(sent_at, localtime=False).encode(), head, count=1) + blank + body
