"""How a calendar does, in words for the person whose it is, with what to do."""

from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Count, Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from integrations.models import Connection
from studio.calendar.events import Said
from studio.clock import times_words
from studio.models import CalendarEvent, PhotoSession, SessionCalendar

FAULTS = {
    "unavailable": _("Google did not answer. Nothing is lost: we try again at %(at)s."),
    "oauth_unavailable": _("Google did not answer. Nothing is lost: we try again at %(at)s."),
    "too_many": _("Google asked us to slow down. Nothing is lost: we go on at %(at)s."),
    "google_refused": _("Google refuses us the calendar. If this lasts, ask whoever runs this site: Google’s Calendar API may be off."),
    "unreadable": _("Google’s answer made no sense to us. We try again at %(at)s."),
    "tokens_unreadable": _("Our key to the calendar cannot be opened. Give permission again."),
    SessionCalendar.LOST: _("The calendar “Aaperture” was deleted in Google. Your sessions here are untouched."),
    SessionCalendar.UNKNOWN: _(
        "We were interrupted while Google made the calendar, and may not look whether it is there. "
        "If your Google Calendar shows an empty “Aaperture”, delete it; then let us make it."
    ),
}
NEEDS_REAUTH = _("Google no longer accepts our permission, so nothing is written or read. Give it again to go on; nothing is lost.")


class CalendarStatus(NamedTuple):
    """`act`: "again" (give permission), "make" (the calendar), "read" (now), or none."""

    calendar: SessionCalendar
    trouble: str
    act: str
    waiting: int
    conflicts: list[CalendarEvent]

    @property
    def is_first(self) -> bool:
        return self.calendar.read_at is None


def statuses(user: User, *, of: UUID | None = None) -> list[CalendarStatus]:
    """Of every calendar of theirs that is not disconnected, or of one connection's."""
    rows = SessionCalendar.objects.of(user).for_pages().exclude(connection__status=Connection.Status.REVOKED).order_by("created_at")
    rows = rows.filter(connection=of) if of else rows
    now = timezone.now()
    waiting = Count("events", filter=Q(events__due_at__lte=now, events__conflict="") | Q(events__id__isnull=False, events__session=None))
    calendars = list(rows.annotate(_waiting=waiting))
    open_choices: dict[Any, list[CalendarEvent]] = {calendar.pk: [] for calendar in calendars}
    if calendars:
        found = CalendarEvent.objects.filter(calendar__in=calendars).exclude(conflict="").exclude(session=None)
        for row in found.select_related("session__project").order_by("session__starts_at")[:20]:
            open_choices[row.calendar_id].append(row)
    return [_status(calendar, open_choices[calendar.pk]) for calendar in calendars]


def _status(calendar: SessionCalendar, conflicts: list[CalendarEvent]) -> CalendarStatus:
    waiting: int = calendar._waiting  # type: ignore[attr-defined]  # annotated by the query
    if calendar.connection.status != Connection.Status.ACTIVE:
        return CalendarStatus(calendar, str(NEEDS_REAUTH), "again", waiting, conflicts)
    trouble = ""
    if calendar.fault:
        at = date_format(timezone.localtime(calendar.resume_at), "TIME_FORMAT") if calendar.resume_at else ""
        trouble = str(FAULTS.get(calendar.fault, FAULTS["unavailable"])) % {"at": at}
    if calendar.fault in (SessionCalendar.LOST, SessionCalendar.UNKNOWN):
        return CalendarStatus(calendar, trouble, "make", waiting, conflicts)
    return CalendarStatus(calendar, trouble, "again" if calendar.fault == "tokens_unreadable" else "read", waiting, conflicts)


class InCalendar(NamedTuple):
    """A session in one person's calendar, as its page shows it."""

    row: CalendarEvent
    owner: User
    words: str
    theirs: dict[str, Any]


WRITTEN, WAITS, NOT_TAKEN = (
    _("In the Google Calendar of %(who)s"),
    _("Waits to be written to the Google Calendar of %(who)s"),
    _("Google did not take it into the calendar of %(who)s; we try again."),
)


def of_session(session: PhotoSession) -> list[InCalendar]:
    hidden = (f"calendar__connection__{name}" for name in ("access_token", "refresh_token", "secret"))
    rows: Iterable[CalendarEvent] = session.calendar_events.select_related("calendar__connection__owner").defer(*hidden)
    found = []
    for row in rows:
        connection = row.calendar.connection
        if connection.status == Connection.Status.REVOKED or connection.owner is None:
            continue
        words = NOT_TAKEN if row.fault else WAITS if row.is_changed_here else WRITTEN
        found.append(InCalendar(row, connection.owner, str(words) % {"who": connection.owner}, _shown(row, session)))
    return found


def _shown(row: CalendarEvent, session: PhotoSession) -> dict[str, Any]:
    if not row.theirs:
        return {}
    says = Said.from_json(row.theirs)
    times = times_words(says.starts_at.astimezone(session.zone), says.ends_at.astimezone(session.zone))
    return {"title": says.title, "place": says.place, "starts_at": says.starts_at, "times": times, "zone": session.timezone}
