"""A photographer with a calendar at the sandbox, for tests."""

from typing import Any
from urllib.parse import urlsplit

from django.test import Client
from django.urls import reverse

from sandbox.server import SandboxServer
from studio.calendar import syncing
from studio.models import SessionCalendar

ACCOUNT = "camille@example.test"
SCOPE = "https://www.googleapis.com/auth/calendar"


def grant(sandbox: SandboxServer, web: Client, **decision: Any) -> Any:
    """Ask for the calendar's grant and answer at Google; the callback's response."""
    asked = web.post(reverse("integrations:calendar_connect"), decision.pop("form", {}))
    assert asked.status_code == 302, asked.content
    back = sandbox.control("POST", "/authorize", {"url": asked["Location"], **decision})["redirect"]
    parts = urlsplit(back)
    return web.get(f"{parts.path}?{parts.query}")


def sync(calendar: SessionCalendar, **fields: Any) -> bool:
    """As the worker would now, whatever it was told to wait for."""
    SessionCalendar.objects.filter(pk=calendar.pk).update(**{"read_due_at": calendar.created_at, "resume_at": None} | fields)
    return syncing.sync(calendar.pk)


def calendars(sandbox: SandboxServer) -> list[dict[str, Any]]:
    """What the account has beside its main calendar."""
    found = sandbox.control("GET", f"calendar/{ACCOUNT}")["calendars"]
    return [calendar for calendar in found if calendar["id"] != ACCOUNT]


def events(sandbox: SandboxServer) -> list[dict[str, Any]]:
    [calendar] = calendars(sandbox)
    return calendar["events"]


def there(sandbox: SandboxServer, verb: str, event_id: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the person does to an event in Google Calendar."""
    return sandbox.control(verb, f"calendar/{ACCOUNT}/events/{event_id}", body or {})
