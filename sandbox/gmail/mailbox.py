"""A mailbox: messages in order of arrival, their labels, and the history of changes."""

from __future__ import annotations

import itertools
import re
import time
from bisect import insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message as Mail
from email.parser import BytesHeaderParser
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, Literal

from sandbox.gmail.headers import header
from sandbox.gmail.payload import Payload
from sandbox.gmail.query import Entry, compile_query, words

SYSTEM_LABELS = (
    "INBOX", "SPAM", "TRASH", "UNREAD", "STARRED", "IMPORTANT", "SENT", "DRAFT", "CHAT", "CATEGORY_PERSONAL",
    "CATEGORY_SOCIAL", "CATEGORY_PROMOTIONS", "CATEGORY_UPDATES", "CATEGORY_FORUMS",
)  # fmt: skip
HEADERS = BytesHeaderParser()
MESSAGE_ID = re.compile(r"<[^<>\s]+>")
REMEMBERED_SEARCHES = 16
Change = Literal["messagesAdded", "messagesDeleted", "labelsAdded", "labelsRemoved"]


class StoredMessage:
    """One message; what is costly to know (payload, search entry) is worked out once, when it is first asked for."""

    def __init__(self, message_id: str, thread_id: str, raw: bytes, labels: Iterable[str], internal_date: int, history_id: int) -> None:
        self.id, self.thread_id, self.raw = message_id, thread_id, raw
        self.labels = list(dict.fromkeys(labels))
        self.internal_date, self.history_id = internal_date, history_id

    @cached_property
    def payload(self) -> Payload:
        return Payload(message_from_bytes(self.raw), self.id)

    @cached_property
    def entry(self) -> Entry:
        payload = self.payload

        def header(name: str) -> str:
            name = name.lower()
            return next((h["value"] for h in payload.tree["headers"] if h["name"].lower() == name), "")

        sender, subject = words(header("From")), words(header("Subject"))
        to = words(" ".join(header(name) for name in ("To", "Cc", "Bcc")))
        files = words(" ".join(payload.filenames))
        return Entry(
            sender=sender,
            to=to,
            cc=words(header("Cc")),
            bcc=words(header("Bcc")),
            subject=subject,
            list_id=words(header("List-Id")),
            delivered_to=words(header("Delivered-To")),
            files=files,
            has_attachment=bool(payload.filenames),
            message_id=header("Message-ID").strip("<>"),
            text=f"{sender} {to} {subject} {words(payload.searchable)} {files}",
            seconds=self.internal_date / 1000,
            size=len(self.raw),
            labels=self.labels,
        )


@dataclass(frozen=True, slots=True)
class HistoryRecord:
    id: int
    message: StoredMessage
    change: Change
    labels: tuple[str, ...] = ()


@dataclass
class Mailbox:
    email: str
    messages: dict[str, StoredMessage] = field(default_factory=dict)
    order: list[tuple[int, str]] = field(default_factory=list)  # oldest first
    history: list[HistoryRecord] = field(default_factory=list)
    history_id: int = 1_204_518
    oldest_history_id: int = 1_204_518
    user_labels: dict[str, str] = field(default_factory=dict)  # id -> name
    threads: dict[str, str] = field(default_factory=dict)  # Message-ID -> thread
    serial: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    searches: dict[tuple[Any, ...], list[StoredMessage]] = field(default_factory=dict)

    def add(
        self,
        raw: bytes,
        *,
        labels: Iterable[str] = ("INBOX", "UNREAD"),
        internal_date: int | None = None,
        thread_id: str | None = None,
        message_id: str = "",
    ) -> StoredMessage:
        """Deliver a mail. `internal_date` is in milliseconds; it defaults to now. Answers join their thread."""
        when = int(time.time() * 1000) if internal_date is None else internal_date
        message_id = message_id or f"{(when << 20) + next(self.serial) % (1 << 20):016x}"
        self.history_id += 1
        message = StoredMessage(message_id, "", raw, [self.label_id(name) for name in labels], when, self.history_id)
        headers = HEADERS.parsebytes(raw)
        message.thread_id = thread_id or self.thread_of(headers) or message_id
        for reference in MESSAGE_ID.findall(header(headers, "Message-ID")):
            self.threads.setdefault(reference, message.thread_id)
        self.messages[message_id] = message
        insort(self.order, (when, message_id))
        self.changed(message, "messagesAdded")
        return message

    def thread_of(self, mail: Mail) -> str | None:
        references = MESSAGE_ID.findall(f"{header(mail, 'In-Reply-To')} {header(mail, 'References')}")
        return next((self.threads[reference] for reference in references if reference in self.threads), None)

    def remove(self, message_id: str) -> None:
        message = self.messages.pop(message_id)
        self.order.remove((message.internal_date, message_id))
        self.history_id += 1
        self.changed(message, "messagesDeleted")

    def relabel(self, message_id: str, *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> StoredMessage:
        message = self.messages[message_id]
        gone = [name for name in map(self.label_id, remove) if name in message.labels]
        new = [name for name in map(self.label_id, add) if name not in message.labels]
        message.labels[:] = [name for name in message.labels if name not in gone] + new
        changes: tuple[tuple[Change, list[str]], ...] = (("labelsAdded", new), ("labelsRemoved", gone))
        for change, names in changes:
            if names:
                self.history_id += 1
                message.history_id = self.history_id
                self.changed(message, change, tuple(names))
        return message

    def changed(self, message: StoredMessage, change: Change, labels: tuple[str, ...] = ()) -> None:
        self.history.append(HistoryRecord(self.history_id, message, change, labels))
        self.searches.clear()

    def forget_history(self) -> None:
        """As if a week had passed: every history id handed out so far becomes too old."""
        self.history.clear()
        self.history_id += 1000
        self.oldest_history_id = self.history_id

    def clear(self) -> None:
        self.messages.clear()
        self.order.clear()
        self.threads.clear()
        self.searches.clear()
        self.forget_history()

    def label_id(self, name: str) -> str:
        """Return the id of a system label or, by id or name, of a user's label, made when it is new."""
        if name.upper() in SYSTEM_LABELS:
            return name.upper()
        known = next((key for key, label in self.user_labels.items() if name in (key, label)), None)
        if known is None:
            known = f"Label_{len(self.user_labels) + 1}"
            self.user_labels[known] = name
        return known

    def search(self, query: str, *, label_ids: Iterable[str] = (), include_spam_trash: bool = False) -> list[StoredMessage]:
        """Return what fits, newest first. The last few results are kept until something changes."""
        key = (query, tuple(label_ids), include_spam_trash)
        if key not in self.searches:
            if len(self.searches) >= REMEMBERED_SEARCHES:
                self.searches.pop(next(iter(self.searches)))
            self.searches[key] = self.find(*key)
        return self.searches[key]

    def find(self, query: str, label_ids: tuple[str, ...], include_spam_trash: bool) -> list[StoredMessage]:
        matches, reaches_hidden = compile_query(query, self.user_labels, self.email)
        hidden = set() if include_spam_trash or reaches_hidden else {"SPAM", "TRASH"} - set(label_ids)
        found = []
        for _, message_id in reversed(self.order):
            message = self.messages[message_id]
            if hidden and not hidden.isdisjoint(message.labels):
                continue
            if all(label in message.labels for label in label_ids) and (matches is None or matches(message.entry)):
                found.append(message)
        return found


def date_of(raw: bytes) -> int | None:
    """Return the Date header as milliseconds, or None where it is missing or unreadable."""
    try:
        return int(parsedate_to_datetime(header(HEADERS.parsebytes(raw), "Date")).timestamp() * 1000)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
