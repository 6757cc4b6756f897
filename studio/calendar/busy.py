"""When somebody is taken according to their other Google calendars: asked for while they pick a time, kept nowhere."""

from datetime import datetime
from typing import Any

from accounts.models import User
from integrations import google_oauth
from integrations.errors import NotConnected, OAuthUnavailable, ProviderError
from integrations.google_calendar import CalendarApi
from integrations.models import Connection
from integrations.services import calendars
from studio.models import SessionCalendar
from vault.errors import SealedDataError

TIMEOUT = 3.0
Span = tuple[datetime, datetime]


def may_ask(user: User) -> list[Connection]:
    """The connected Google accounts that let us see when their owner is taken."""
    mine = Connection.objects.visible_to(user).calendars().usable().for_pages()
    return [row for row in mine if {google_oauth.CALENDAR_FREE_BUSY, google_oauth.CALENDAR} & set(row.granted_scopes)]


def busy_spans(user: User, start: datetime, end: datetime) -> list[Span] | None:
    """In order; None where Google does not say, which must keep nobody from planning."""
    spans: list[Span] = []
    for connection in may_ask(user):
        try:
            with calendars.open_calendar(connection, acting_user=user, timeout=TIMEOUT) as api:
                spans += api.busy(_others(api, connection), start, end)
        except (ProviderError, NotConnected, OAuthUnavailable, SealedDataError):
            return None
    return sorted(spans)


def _others(api: CalendarApi, connection: Connection) -> list[str]:
    """Their own calendars but the one with the sessions, which are shown anyway; without leave to see the list, the main one."""
    if not {google_oauth.CALENDAR_LIST, google_oauth.CALENDAR} & set(connection.granted_scopes):
        return ["primary"]
    ours = set(SessionCalendar.objects.filter(connection__owner=connection.owner_id).values_list("google_id", flat=True))
    return [str(entry["id"]) for entry in api.calendars() if _counts(entry) and entry["id"] not in ours] or ["primary"]


def _counts(entry: dict[str, Any]) -> bool:
    return bool(entry.get("primary") or (entry.get("selected") and entry.get("accessRole") == "owner"))
