"""One calendar at a time: find or make it, read what changed there, write what changed here.

A lock of the database's connection keeps two workers from doing the same; it ends with the process, however that ends.
"""

import logging
import time
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from aaperture.lib.alone import alone
from audit.services import record
from integrations.errors import AccessWithdrawn, AskedToWait, Gone, NotConnected, OAuthUnavailable, ProviderError, Unauthorized
from integrations.google_calendar import CalendarApi
from integrations.models import Connection
from integrations.services import calendars, tokens
from studio.calendar.making import UnknownEnd, find_or_make
from studio.calendar.outbox import add_what_joined, drop_what_left
from studio.calendar.reading import read_changes
from studio.calendar.writing import CalendarLost, write_due
from studio.models import SessionCalendar
from studio.models.calendars import back_off
from vault.errors import SealedDataError

logger = logging.getLogger(__name__)
LOCK = 0xCA1E
SECONDS = 45.0
RUNG_FOR = timedelta(minutes=2)
MOST_AT_ONCE = 200


def ring(now: datetime | None = None) -> list[UUID]:
    """The calendars for which a worker is to be called; whoever rings next leaves them out for a while."""
    now = now or timezone.now()
    with transaction.atomic():
        due = SessionCalendar.objects.due(now).select_for_update(of=("self",), skip_locked=True).order_by("read_due_at")
        found = list(due.values_list("pk", flat=True)[:MOST_AT_ONCE])
        SessionCalendar.objects.filter(pk__in=found).update(rung_until=now + RUNG_FOR)
    return found


def sync(calendar_id: UUID, *, seconds: float = SECONDS) -> bool:
    """Bring one calendar up to date; False where another worker is at it, or nothing can be done for now."""
    until = time.monotonic() + seconds
    with alone(LOCK, str(calendar_id)) as is_ours:
        if not is_ours:
            return False
        calendar = SessionCalendar.objects.connected().for_pages().select_related("connection__owner").filter(pk=calendar_id).first()
        if calendar is None or calendar.fault == SessionCalendar.LOST or (calendar.resume_at and calendar.resume_at > timezone.now()):
            return False
        try:
            with calendars.open_calendar(calendar.connection, acting_user=calendar.connection.owner) as api:
                _both_ways(api, calendar, until)
        except SealedDataError:
            logger.error("tokens cannot be opened", extra={"connection": str(calendar.connection_id)})
            _failed(calendar, "tokens_unreadable")
        except (ProviderError, OAuthUnavailable, NotConnected, CalendarLost, UnknownEnd) as error:
            return _judged(calendar, error)
        else:
            fine = {"fault": "", "failures": 0, "resume_at": None, "rung_until": None}
            SessionCalendar.objects.filter(pk=calendar.pk).update(**fine)
            return True
    return False


def _both_ways(api: CalendarApi, calendar: SessionCalendar, until: float) -> None:
    """Reading comes first: what somebody changed there is not written over."""
    now = timezone.now()
    find_or_make(api, calendar)
    if calendar.read_due_at <= now:
        organizations = calendar.organizations()
        drop_what_left(calendar, organizations, now)
        add_what_joined(calendar, organizations)
        try:
            read_changes(api, calendar)
        except Gone:
            raise CalendarLost from None
        Connection.objects.filter(pk=calendar.connection_id).update(last_synced_at=timezone.now())
    write_due(api, calendar, until=until)


def _judged(calendar: SessionCalendar, error: Exception) -> bool:
    """Keep what went wrong, in a word the pages know, and leave it alone for a while."""
    if isinstance(error, CalendarLost):
        _lost(calendar)
    elif isinstance(error, AccessWithdrawn | Unauthorized):
        tokens.mark_needs_reauth(calendar.connection, code=error.code)
    elif isinstance(error, NotConnected):
        pass  # the connection itself says why, and what to do
    elif isinstance(error, UnknownEnd):
        _failed(calendar, SessionCalendar.UNKNOWN)
    else:
        asked = error.seconds if isinstance(error, AskedToWait) else 0.0
        _failed(calendar, "too_many" if isinstance(error, AskedToWait) else getattr(error, "code", "unavailable"), seconds=asked)
    return False


def _failed(calendar: SessionCalendar, fault: str, *, seconds: float = 0) -> None:
    failures = min(calendar.failures + 1, 1000)
    resume_at = timezone.now() + max(timedelta(seconds=seconds), back_off(failures))
    known = {"fault": fault, "failures": failures, "resume_at": resume_at, "rung_until": None}
    SessionCalendar.objects.filter(pk=calendar.pk).update(**known)


@transaction.atomic
def _lost(calendar: SessionCalendar) -> None:
    """Its owner deleted it at Google: that ends the calendar, and no session. Nothing is made again unasked."""
    if (
        SessionCalendar.objects.filter(pk=calendar.pk)
        .exclude(fault=SessionCalendar.LOST)
        .update(fault=SessionCalendar.LOST, rung_until=None)
    ):
        record("calendar.lost", calendar)
