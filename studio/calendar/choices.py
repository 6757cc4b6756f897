"""What somebody decides about a session that was changed on both sides, and about a calendar that is gone."""

from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import User
from audit.services import record
from studio.calendar import events, outbox
from studio.models import CalendarEvent, PhotoSession, SessionCalendar
from studio.services import sessions


def _locked(row: CalendarEvent) -> tuple[CalendarEvent, PhotoSession]:
    """Both, in the order of whoever changes a session. Raises CalendarEvent.DoesNotExist when nothing is left to choose."""
    if row.session is None:
        raise CalendarEvent.DoesNotExist
    session = sessions.locked_in_turn(row.session)
    found = CalendarEvent.objects.select_for_update(of=("self",)).exclude(conflict="").get(pk=row.pk)
    return found, session


@transaction.atomic
def keep_ours(row: CalendarEvent, *, actor: User, request: HttpRequest | None = None) -> None:
    """What stands here is written over what stands there. Raises what `_locked` and `locked_in_turn` raise."""
    row, session = _locked(row)
    was_deleted = row.conflict == CalendarEvent.Conflict.DELETED
    _settle(row, etag="" if was_deleted else row.etag)
    _record(session, "ours", actor, request)


@transaction.atomic
def take_theirs(row: CalendarEvent, *, actor: User, request: HttpRequest | None = None) -> None:
    """What stands there counts: the session is changed, or cancelled. Raises TimeTaken too, and then the choice stays open."""
    row, session = _locked(row)
    if row.conflict == CalendarEvent.Conflict.DELETED:
        fields = {"status": PhotoSession.Status.CANCELLED}
    else:
        fields = events.fields_of(events.Said.from_json(row.theirs), session)
    sessions.change_session(session, fields=fields, actor=actor, request=request)
    _settle(row, etag=row.etag)
    _record(session, "theirs", actor, request)


def _settle(row: CalendarEvent, *, etag: str) -> None:
    known = CalendarEvent.objects.filter(pk=row.pk)
    known.update(conflict="", theirs={}, etag=etag, said="", wanted=F("wanted") + 1, due_at=timezone.now(), failures=0, fault="")


def _record(session: PhotoSession, chosen: str, actor: User, request: HttpRequest | None) -> None:
    organization_id = session.organization_id
    record("photo_session.calendar_chosen", session, actor=actor, request=request, organization_id=organization_id, chosen=chosen)


@transaction.atomic
def make_again(calendar: SessionCalendar, *, actor: User, request: HttpRequest | None = None) -> bool:
    """A new calendar for one that its owner deleted, or of which nobody knows whether it was made; False where there is one."""
    row = SessionCalendar.objects.select_for_update().get(pk=calendar.pk)
    if row.fault not in (SessionCalendar.LOST, SessionCalendar.UNKNOWN):
        return False
    outbox.write_anew(row)
    record("calendar.restarted", row, actor=actor, request=request)
    return True
