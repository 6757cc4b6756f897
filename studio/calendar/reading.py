"""Taking what was changed in Google's calendar. An event that says what we wrote, or what stands here, is nobody's change.

Each event is one transaction; the position is kept when all of them are done. Whoever dies in between reads some of them twice.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from integrations.errors import Gone, PositionForgotten
from integrations.google_calendar import CalendarApi
from studio.calendar import events
from studio.calendar.conflicts import note_conflict
from studio.models import CalendarEvent, PhotoSession, SessionCalendar
from studio.services import sessions

READ_EVERY = timedelta(minutes=5)
BACK = timedelta(days=30)  # a calendar is read anew from so long ago on
Event = Mapping[str, Any]
Status = PhotoSession.Status
STILL_TO_COME = (Status.REQUESTED, Status.TENTATIVE, Status.CONFIRMED)
VIA = "google_calendar"


def read_changes(api: CalendarApi, calendar: SessionCalendar) -> None:
    """Everything that changed since the last time; where Google has forgotten when that was, everything of late."""
    organizations = calendar.organizations()
    try:
        token = _read_since(api, calendar, organizations)
    except PositionForgotten:
        token = _read_anew(api, calendar, organizations)
    now = timezone.now()
    SessionCalendar.objects.filter(pk=calendar.pk).update(sync_token=token, read_at=now, read_due_at=now + READ_EVERY)


def _read_since(api: CalendarApi, calendar: SessionCalendar, organizations: set[UUID]) -> str:
    if not calendar.sync_token:
        raise PositionForgotten
    token = calendar.sync_token
    for page in api.changes(calendar.google_id, since=calendar.sync_token):
        for event in page.events:
            take(calendar, event, organizations)
        token = page.next_token or token
    return token


def _read_anew(api: CalendarApi, calendar: SessionCalendar, organizations: set[UUID]) -> str:
    """What is not among them although we wrote it was deleted, or moved to long ago: Google is asked for each."""
    since = timezone.now() - BACK
    seen: set[str] = set()
    token = ""
    for page in api.changes(calendar.google_id, after=since):
        for event in page.events:
            seen.add(str(event.get("id")))
            take(calendar, event, organizations)
        token = page.next_token
    known = calendar.events.exclude(etag="").filter(session__ends_at__gt=since)
    for event_id in known.values_list("event_id", flat=True):
        if event_id in seen:
            continue
        try:
            event = api.event(calendar.google_id, event_id)
        except Gone:
            event = {"id": event_id, "status": "cancelled", "etag": ""}
        take(calendar, event, organizations)
    return token


@transaction.atomic
def take(calendar: SessionCalendar, event: Event, organizations: set[UUID]) -> None:
    """One event as it stands there. What is not ours, or is to leave the calendar anyway, is left alone."""
    row = CalendarEvent.objects.filter(calendar=calendar, event_id=str(event.get("id"))).select_related("session").first()
    if row is None or row.session is None:
        return
    try:
        session = sessions.locked_in_turn(row.session)  # before the row, as whoever changes a session does
    except (PhotoSession.DoesNotExist, sessions.ChangedMeanwhile):
        return
    row = CalendarEvent.objects.select_for_update().filter(pk=row.pk).first()
    if row is None:
        return
    row.session, row.calendar = session, calendar
    if str(event.get("etag", "")) == row.etag or not row.etag or not row.belongs_there(organizations):
        return
    if events.is_cancelled(event):
        _deleted(row, session, event)
    else:
        _changed(row, session, event)


def _know(row: CalendarEvent, event: Event) -> None:
    """Nothing to choose from: what stands there is known, and no conflict is left."""
    row.etag, row.conflict, row.theirs = str(event.get("etag", "")), "", {}
    row.save(update_fields=["etag", "conflict", "theirs"])


def _deleted(row: CalendarEvent, session: PhotoSession, event: Event) -> None:
    if row.is_changed_here:
        note_conflict(row, event)
        return
    _know(row, event)
    if session.status in STILL_TO_COME:
        sessions.change_session(session, fields={"status": Status.CANCELLED}, actor=None, via=VIA)


def _changed(row: CalendarEvent, session: PhotoSession, event: Event) -> None:
    theirs = events.event_says(event, session)
    if theirs is None or events.is_ours_unchanged(event) or theirs == events.session_says(session):
        _know(row, event)
        return
    if row.is_changed_here:
        note_conflict(row, event)
        return
    _know(row, event)
    try:
        sessions.change_session(session, fields=events.fields_of(theirs, session), actor=None, via=VIA)
    except sessions.TimeTaken:
        note_conflict(row, event, CalendarEvent.Conflict.TIME_TAKEN)
