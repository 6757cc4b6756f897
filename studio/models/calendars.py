"""One person's dedicated Google calendar, and which of their sessions stands in it. What waits to be written there is a row here."""

from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7
from accounts.models import Membership, User
from accounts.studio_roles import ROLES_BY_OPERATION
from integrations.models import Connection
from studio.models.sessions import PhotoSession, Status


class SessionCalendarQuerySet(models.QuerySet):
    def of(self, user: User | Any) -> Self:
        return self.filter(connection__owner=user)

    def for_pages(self) -> Self:
        hidden = ("access_token", "refresh_token", "secret")
        return self.select_related("connection").defer(*(f"connection__{name}" for name in hidden))

    def connected(self) -> Self:
        """Those behind which a grant stands, of people who are here."""
        here = Q(connection__owner__is_active=True, connection__owner__erasure_requested_at=None)
        return self.filter(here, connection__status=Connection.Status.ACTIVE)

    def due(self, now: datetime) -> Self:
        """To be read, or with something to write, and not told to wait."""
        waiting = CalendarEvent.objects.filter(calendar=OuterRef("pk")).due(now)
        due = self.connected().exclude(fault=SessionCalendar.LOST).filter(Q(read_due_at__lte=now) | Exists(waiting))
        return due.filter(Q(resume_at=None) | Q(resume_at__lte=now), Q(rung_until=None) | Q(rung_until__lte=now))


class SessionCalendar(models.Model):
    """The calendar "Aaperture" in somebody's Google account. It holds the sessions that they photograph."""

    LOST, UNKNOWN = "calendar_lost", "making_unknown"  # faults that only the owner can end

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    connection = models.OneToOneField("integrations.Connection", models.CASCADE, related_name="session_calendar")
    google_id = models.CharField(max_length=255, blank=True, editable=False)
    making_since = models.DateTimeField(null=True, editable=False)  # asked Google to make it, and has not heard of the end
    sync_token = models.TextField(blank=True, editable=False)
    read_at = models.DateTimeField(null=True, editable=False)
    read_due_at = models.DateTimeField(default=now, editable=False)
    rung_until = models.DateTimeField(null=True, editable=False)  # a worker was called; no other is until then
    failures = models.PositiveSmallIntegerField(default=0, editable=False)  # in a row
    fault = models.CharField(max_length=64, blank=True, editable=False)
    resume_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)

    objects = SessionCalendarQuerySet.as_manager()

    class Meta:
        verbose_name = _("calendar of sessions")
        verbose_name_plural = _("calendars of sessions")
        indexes = [models.Index(fields=["read_due_at"], name="studio_calendar_due")]

    def __str__(self) -> str:
        return f"Calendar {self.pk}"

    @property
    def marker(self) -> str:
        """What the calendar's description says, so that we find our own again."""
        return f"aaperture:{self.connection_id.hex}"

    def organizations(self) -> set[UUID]:
        """The studios whose sessions its owner may change, and may therefore have here."""
        mine = Membership.objects.current().filter(user=self.connection.owner_id, role__in=ROLES_BY_OPERATION["sessions.edit"])
        return set(mine.values_list("organization_id", flat=True))


class CalendarEventQuerySet(models.QuerySet):
    def due(self, now: datetime) -> Self:
        """To be written. A row whose session is gone, by whatever way, waits to be deleted there; one in conflict for somebody's choice."""
        orphaned = Q(session=None) & (Q(failures=0) | Q(due_at__lte=now))
        return self.filter(orphaned | Q(due_at__lte=now, conflict=""))

    def waiting(self, now: datetime) -> Self:
        """Due, in a calendar that can be written to."""
        calendars = SessionCalendar.objects.connected().exclude(fault=SessionCalendar.LOST)
        return self.due(now).filter(calendar__in=calendars)


class CalendarEvent(models.Model):
    """A session in a calendar: what is to be written there, and what was last seen there."""

    class Conflict(models.TextChoices):
        CHANGED = "changed", _("changed here and in Google Calendar")
        TIME_TAKEN = "time_taken", _("moved in Google Calendar to a time that is taken")
        DELETED = "deleted", _("changed here, deleted in Google Calendar")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    calendar = models.ForeignKey(SessionCalendar, models.CASCADE, related_name="events")
    session = models.ForeignKey(PhotoSession, models.SET_NULL, null=True, related_name="calendar_events")
    event_id = models.CharField(max_length=64)
    etag = models.CharField(max_length=64, blank=True)  # of the state there that we know; empty: never written
    said = models.CharField(max_length=64, blank=True)  # a hash of what we wrote last
    wanted = models.PositiveIntegerField(default=1)  # one more at every change here
    written = models.PositiveIntegerField(default=0)  # the change that stands there
    due_at = models.DateTimeField(null=True, default=now)
    failures = models.PositiveSmallIntegerField(default=0)
    fault = models.CharField(max_length=64, blank=True)
    conflict = models.CharField(max_length=12, choices=Conflict, blank=True)
    theirs = models.JSONField(default=dict)  # what Google's version says, while it waits for a choice
    created_at = models.DateTimeField(default=now)

    objects = CalendarEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("session in a calendar")
        verbose_name_plural = _("sessions in calendars")
        constraints = [models.UniqueConstraint(fields=["calendar", "event_id"], name="studio_one_event_per_session")]
        indexes = [
            models.Index(fields=["calendar", "due_at"], condition=Q(due_at__isnull=False), name="studio_event_due"),
            models.Index(fields=["calendar"], condition=Q(session__isnull=True), name="studio_event_orphaned"),
        ]

    def __str__(self) -> str:
        return self.event_id

    @property
    def is_changed_here(self) -> bool:
        return self.wanted > self.written

    def belongs_there(self, organizations: set[UUID]) -> bool:
        """Whether its session is to stand in the calendar, whose owner may change sessions of these `organizations`."""
        session = self.session
        if session is None or session.status == Status.CANCELLED:
            return False
        return session.photographer_id == self.calendar.connection.owner_id and session.organization_id in organizations

    def shows_until(self, now: datetime) -> datetime | None:
        """When what was written stops being true by itself: a hold that runs out."""
        ends = self.session.hold_expires_at if self.session is not None else None
        return ends if ends is not None and ends > now else None


BACK_OFF, LONGEST_BACK_OFF = timedelta(seconds=30), timedelta(hours=1)


def back_off(failures: int) -> timedelta:
    """How long to leave something that failed so many times in a row."""
    return min(LONGEST_BACK_OFF, BACK_OFF * 2 ** min(failures - 1, 10))
