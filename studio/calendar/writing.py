"""Writing to Google what waits to be written, one event after the other.

The network is asked first and the row marked afterwards. Whoever dies in between has written something that the next one recognises:
the event's id is the session's, and the event carries a hash of what we wrote into it.
"""

import logging
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from integrations.errors import ChangedThere, Exists, Gone, Refused, Unreadable
from integrations.google_calendar import CalendarApi
from studio.calendar import events
from studio.calendar.conflicts import note_conflict
from studio.models import CalendarEvent, PhotoSession, SessionCalendar
from studio.models.calendars import back_off

logger = logging.getLogger(__name__)
BATCH = 10
Event = Mapping[str, Any]


class CalendarLost(Exception):
    """The whole calendar is gone at Google."""


def write_due(api: CalendarApi, calendar: SessionCalendar, *, until: float) -> int:
    """Everything that is due, until the monotonic instant `until`; how many rows were settled. Raises what the network raises."""
    organizations = calendar.organizations()
    settled = 0
    tried: set[UUID] = set()
    while time.monotonic() < until:
        rows = _due(calendar, tried)
        if not rows:
            break
        for row in rows:
            tried.add(row.pk)
            settled += _write(api, calendar, row, organizations)
            if time.monotonic() >= until:
                break
    return settled


def _due(calendar: SessionCalendar, tried: set[UUID]) -> list[CalendarEvent]:
    """Nothing any more where its owner disconnects in the middle of it."""
    connected = SessionCalendar.objects.connected().filter(pk=calendar.pk)
    rows = CalendarEvent.objects.filter(calendar__in=connected).due(timezone.now()).exclude(pk__in=tried)
    rows = rows.select_related("calendar__connection__owner", "session__project").defer(
        "calendar__connection__access_token", "calendar__connection__refresh_token", "calendar__connection__secret"
    )  # fmt: skip
    return list(rows.order_by("due_at", "pk")[:BATCH])


def _write(api: CalendarApi, calendar: SessionCalendar, row: CalendarEvent, organizations: set[UUID]) -> bool:
    try:
        if row.session is not None and row.belongs_there(organizations):
            return _put(api, calendar, row, row.session)
        return _remove(api, calendar, row)
    except (Refused, Unreadable, Gone, Exists, ChangedThere) as error:  # about this event: the others must not wait for it
        logger.warning("event not written", extra={"event": str(row.pk), "error": error.code, "detail": error.detail})
        pause = timezone.now() + back_off(row.failures + 1)
        _same(row).update(failures=row.failures + 1, fault=error.code, due_at=pause)
        if isinstance(error, Refused):
            raise
        return False


def _put(api: CalendarApi, calendar: SessionCalendar, row: CalendarEvent, session: PhotoSession) -> bool:
    owner = calendar.connection.owner
    body = events.rendered(session, language=owner.language if owner else settings.LANGUAGE_CODE)
    said = events.hash_of(body)
    if row.etag and row.said == said:  # nothing that is said there has changed
        return _mark(row, etag=row.etag, said=said)
    try:
        event = _send(api, calendar.google_id, body, row.etag)
    except (Exists, ChangedThere):
        return _over_theirs(api, row, session, body, api.event(calendar.google_id, row.event_id))
    except Gone:
        return _vanished(api, calendar, row)
    return _mark(row, etag=str(event.get("etag", "")), said=said)


def _send(api: CalendarApi, calendar_id: str, body: dict[str, Any], seen: str) -> Event:
    return api.update(calendar_id, body, seen=seen) if seen else api.insert(calendar_id, body)


def _over_theirs(api: CalendarApi, row: CalendarEvent, session: PhotoSession, body: dict[str, Any], theirs: Event) -> bool:
    """It is there in another state than we know. Our own, or a deleted one that we never saw alive, is written over."""
    if events.is_cancelled(theirs):
        is_somebodys = bool(row.etag)
    else:
        says = events.event_says(theirs, session)
        is_somebodys = says not in (None, events.session_says(session)) and not events.is_ours_unchanged(theirs)
    if is_somebodys:
        note_conflict(row, theirs)
        return True
    event = api.update(row.calendar.google_id, body, seen=str(theirs.get("etag", "*")))
    return _mark(row, etag=str(event.get("etag", "")), said=events.hash_of(body))


def _vanished(api: CalendarApi, calendar: SessionCalendar, row: CalendarEvent) -> bool:
    """Nothing is known there of an event that we knew: deleted so long ago that Google forgot, or with its whole calendar."""
    if not api.has_calendar(calendar.google_id):
        raise CalendarLost
    if row.etag:
        note_conflict(row, {"status": "cancelled"})
    return True


def _remove(api: CalendarApi, calendar: SessionCalendar, row: CalendarEvent) -> bool:
    """Here it is over, deleted, or somebody else's: whatever was done to it there, it goes."""
    try:
        api.delete(calendar.google_id, row.event_id)
    except Gone:
        if not api.has_calendar(calendar.google_id):
            raise CalendarLost from None
    return bool(_same(row).delete()[0])


def _same(row: CalendarEvent) -> Any:
    """The row, if nobody has wanted anything else of it since it was read."""
    session = Q(session=row.session_id) if row.session_id else Q(session=None)
    return CalendarEvent.objects.filter(session, pk=row.pk, wanted=row.wanted)


def _mark(row: CalendarEvent, *, etag: str, said: str) -> bool:
    """It stands there. What was wanted meanwhile stays due, and is written onto what we have just seen."""
    known: dict[str, Any] = {"etag": etag, "said": said, "failures": 0, "fault": ""}
    until: datetime | None = row.shows_until(timezone.now())
    if not _same(row).update(**known, written=row.wanted, due_at=until):
        CalendarEvent.objects.filter(pk=row.pk).update(**known)
    return True
