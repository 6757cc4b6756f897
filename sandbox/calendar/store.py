"""What one account's calendars hold. Every change takes the next number; a sync token is the number of the last one seen."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

NUMBERS: Iterator[int] = itertools.count(int(time.time() * 1000))


def now_text() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Event:
    id: str
    data: dict[str, Any]  # what the client said: summary, start, end, …
    creator: str
    number: int = 0
    created: str = field(default_factory=now_text)
    updated: str = ""
    sequence: int = 0

    @property
    def etag(self) -> str:
        return f'"{self.number}"'

    @property
    def is_cancelled(self) -> bool:
        return self.data.get("status") == "cancelled"

    def document(self, calendar_id: str) -> dict[str, Any]:
        if self.is_cancelled:
            return {"kind": "calendar#event", "etag": self.etag, "id": self.id, "status": "cancelled"}
        return {
            "kind": "calendar#event",
            "etag": self.etag,
            "id": self.id,
            "status": "confirmed",
            "htmlLink": f"https://www.google.com/calendar/event?eid={self.id}",
            "created": self.created,
            "updated": self.updated,
            "creator": {"email": self.creator},
            "organizer": {"email": calendar_id, "self": True},
            "iCalUID": f"{self.id}@google.com",
            "sequence": self.sequence,
            "reminders": {"useDefault": True},
            "eventType": "default",
            **self.data,
        }

    def span(self, zone: str) -> tuple[datetime, datetime]:
        return instant(self.data["start"], zone), instant(self.data["end"], zone)


def instant(when: dict[str, Any], zone: str) -> datetime:
    """An event's start or end; a day begins at midnight in the calendar's zone. Raises ValueError, KeyError."""
    own = ZoneInfo(when.get("timeZone") or zone)
    if "date" in when:
        return datetime.combine(date.fromisoformat(when["date"]), datetime.min.time(), own)
    at = datetime.fromisoformat(when["dateTime"])
    return at if at.tzinfo else at.replace(tzinfo=own)


@dataclass
class Calendar:
    id: str
    summary: str
    zone: str = "Europe/Paris"
    made_by: str = ""  # the client that created it through the API
    description: str = ""
    number: int = 0
    events: dict[str, Event] = field(default_factory=dict)
    forgotten: int = 0  # sync tokens up to this number are no longer answered

    @property
    def etag(self) -> str:
        return f'"{self.number}"'

    def change(self, event: Event) -> Event:
        self.number = event.number = next(NUMBERS)
        event.updated = now_text()
        self.events[event.id] = event
        return event

    def live(self) -> list[Event]:
        return [event for event in self.events.values() if not event.is_cancelled]

    def document(self) -> dict[str, Any]:
        shown = {"kind": "calendar#calendar", "etag": self.etag, "id": self.id, "summary": self.summary, "timeZone": self.zone}
        return shown | ({"description": self.description} if self.description else {})


class Calendars:
    """One account's: the primary one, which has its address, and what was made."""

    def __init__(self, email: str) -> None:
        self.email = email
        self.all: dict[str, Calendar] = {}
        self.add(email, email)

    def add(self, calendar_id: str, summary: str, **values: Any) -> Calendar:
        calendar = Calendar(calendar_id, summary, **values)
        calendar.number = next(NUMBERS)
        self.all[calendar_id] = calendar
        return calendar

    def make(self, summary: str, **values: Any) -> Calendar:
        return self.add(f"{secrets.token_hex(26)}@group.calendar.google.com", summary, **values)

    def get(self, calendar_id: str) -> Calendar | None:
        return self.all.get(self.email if calendar_id == "primary" else calendar_id)
