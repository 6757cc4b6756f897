"""What is to be written to calendars. Called in the transaction of the change itself, so that neither is there without the other."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from integrations.models import Connection
from studio.calendar.events import event_id
from studio.models import CalendarEvent, PhotoSession, Project, SessionCalendar


def want(session: PhotoSession) -> None:
    """The session has changed: it is to be written anew wherever it stands, and into its photographer's calendar."""
    rows = session.calendar_events
    if rows.update(wanted=F("wanted") + 1, due_at=timezone.now()):
        is_over = session.status == PhotoSession.Status.CANCELLED
        leaving = rows if is_over else rows.exclude(calendar__connection__owner=session.photographer_id)
        leaving.exclude(conflict="").update(conflict="", theirs={})  # what goes from there leaves nothing to choose
    if session.photographer_id is not None:
        calendars = SessionCalendar.objects.of(session.photographer_id).exclude(connection__status=Connection.Status.REVOKED)
        _add([(calendar_id, session) for calendar_id in calendars.values_list("pk", flat=True)])


def want_all_of(project: Project) -> None:
    """The project is called something else, and its sessions with it."""
    CalendarEvent.objects.filter(session__project=project).update(wanted=F("wanted") + 1, due_at=timezone.now())


def _add(pairs: Iterable[tuple[UUID, PhotoSession]]) -> None:
    rows = [CalendarEvent(calendar_id=calendar_id, session=session, event_id=event_id(session)) for calendar_id, session in pairs]
    if rows:
        CalendarEvent.objects.bulk_create(rows, ignore_conflicts=True)


def begin(connection: Connection) -> SessionCalendar:
    """A grant was given, for the first time or again: everything that is still to come belongs in the calendar."""
    calendar, _made = SessionCalendar.objects.get_or_create(connection=connection)
    _add([(calendar.pk, session) for session in _missing(calendar).only("pk")])
    SessionCalendar.objects.filter(pk=calendar.pk).update(read_due_at=timezone.now(), resume_at=None, rung_until=None, failures=0, fault="")
    return calendar


def _missing(calendar: SessionCalendar) -> QuerySet[PhotoSession]:
    coming = PhotoSession.objects.filter(photographer=calendar.connection.owner_id, ends_at__gte=timezone.now())
    return coming.exclude(status=PhotoSession.Status.CANCELLED).exclude(calendar_events__calendar=calendar)


@transaction.atomic
def add_what_joined(calendar: SessionCalendar, organizations: set[UUID]) -> None:
    """Sessions of studios that the owner has come back to, or may change again, are in the calendar again."""
    sessions = _missing(calendar).filter(organization__in=organizations).order_by("pk")
    _add([(calendar.pk, session) for session in sessions.only("pk").select_for_update(of=("self",))])


def write_anew(calendar: SessionCalendar) -> None:
    """The calendar is to be made again: nothing of what we know of its events is true any more."""
    now = timezone.now()
    blank: dict[str, Any] = {"google_id": "", "making_since": None, "sync_token": "", "read_at": None, "fault": "", "failures": 0}
    SessionCalendar.objects.filter(pk=calendar.pk).update(**blank, resume_at=None, rung_until=None, read_due_at=now)
    forgotten: dict[str, Any] = {"etag": "", "said": "", "conflict": "", "theirs": {}, "fault": "", "failures": 0}
    calendar.events.update(**forgotten, due_at=now, wanted=F("written") + 1)


def drop_what_left(calendar: SessionCalendar, organizations: set[UUID], now: datetime) -> None:
    """Sessions of studios that the owner has left, or may no longer change, leave the calendar."""
    left = calendar.events.exclude(session=None).exclude(session__organization__in=organizations)
    left.exclude(conflict="").update(conflict="", theirs={}, wanted=F("wanted") + 1, due_at=now)  # nobody here may choose any more
    waiting = Q(due_at__lte=now) | Q(failures__gt=0)
    left.exclude(waiting).update(wanted=F("wanted") + 1, due_at=now)
