"""Photo sessions: booking, changing, moving. The database keeps a photographer from being in two places; this says so in words.

A hold that has run out still stands in its row. Nothing has to come by and tidy up: whoever wants the time takes it, and in
the same transaction the hold goes back to being a request.
"""

from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from audit.services import record
from studio.calendar.outbox import want
from studio.models import PhotoSession, Project
from studio.services.timeline import add_entry
from studio.timeline import Kind, register

EDITABLE = (
    "type", "title", "status", "starts_at", "ends_at", "timezone", "photographer", "hold_expires_at", "place", "address", "notes",
)  # fmt: skip
CONSTRAINT = "studio_no_double_booking"
Status = PhotoSession.Status

_words, _may = {"status": dict(Status.choices)}, "sessions.view"
register(
    {
        "session.created": Kind(_("Session planned: %(status)s"), "calendar-plus", _words, _may),
        "session.moved": Kind(_("Session: %(status)s"), "calendar-check", _words, _may),
        "session.rescheduled": Kind(_("Session moved to another time"), "calendar-clock", operation=_may),
        "session.hold_expired": Kind(_("The hold ran out, and its time went to another session"), "calendar-x", operation=_may),
        "session.deleted": Kind(_("Session deleted"), "calendar-x", operation=_may),
        "session.moved_in_google": Kind(_("Session moved to another time in Google Calendar"), "calendar-clock", operation=_may),
        "session.deleted_in_google": Kind(_("Session cancelled: its event was deleted in Google Calendar"), "calendar-x", operation=_may),
    }
)


class TimeTaken(Exception):
    """The photographer is elsewhere then. `other` is the session that collides, or None when it is gone again."""

    def __init__(self, other: PhotoSession | None) -> None:
        super().__init__("the photographer is booked at that time")
        self.other = other


class ChangedMeanwhile(Exception):
    """Somebody else has changed the session since it was read."""


def _free_expired_holds(session: PhotoSession, *, now: datetime) -> None:
    """Turn the photographer's run-out holds over the wanted time back into requests: their time is free."""
    holds = PhotoSession.objects.holds_run_out(now).filter(photographer=session.photographer_id).exclude(pk=session.pk)
    rows = list(holds.between(session.starts_at, session.ends_at).select_for_update(of=("self",)).select_related("project"))
    for row in rows:
        row.status, row.updated_at, row.version = Status.REQUESTED, now, row.version + 1
        row.save(update_fields=["status", "updated_at", "version"])
        want(row)
        add_entry(row.project, "session.hold_expired", url_name="studio:session_detail", target_id=row.pk)
        record("photo_session.hold_expired", row, organization_id=row.organization_id)


def _take_turns(*photographers: Any) -> None:
    """One booking of a photographer after the other, in whatever studio, before any row is locked.

    The constraint alone would keep time from being given twice, but two transactions at once would wait for each other.
    """
    with connection.cursor() as cursor:
        for photographer_id in sorted({str(one) for one in photographers if one}):
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('studio.photographer'), hashtext(%s))", [photographer_id])


def _write(session: PhotoSession, *, fields: list[str] | None = None) -> None:
    """Insert the row, or update `fields` of it. Raises TimeTaken."""
    if session.status in PhotoSession.TIME_TAKING and session.photographer_id is not None:
        _free_expired_holds(session, now=timezone.now())
    try:
        with transaction.atomic():
            session.save(force_insert=True) if fields is None else session.save(update_fields=fields)
    except IntegrityError as error:
        if CONSTRAINT not in str(error):
            raise
        raise TimeTaken(_collision(session)) from None


def _collision(session: PhotoSession) -> PhotoSession | None:
    others = PhotoSession.objects.taking_time().filter(photographer=session.photographer_id).exclude(pk=session.pk)
    return others.between(session.starts_at, session.ends_at).for_pages().in_order().first()


@transaction.atomic
def book_session(project: Project, *, fields: dict[str, Any], actor: User, request: HttpRequest | None = None) -> PhotoSession:
    """A new session of a project. `fields` holds editable ones; starts_at and ends_at are instants. Raises TimeTaken."""
    values = {name: fields[name] for name in EDITABLE if name in fields}
    session = PhotoSession(organization_id=project.organization_id, project=project, **values)
    _settle_hold(session)
    session.derive()
    _take_turns(session.photographer_id)
    _write(session)
    want(session)
    status = str(session.status)
    add_entry(project, "session.created", actor=actor, url_name="studio:session_detail", target_id=session.pk, status=status)
    record("photo_session.created", session, actor=actor, request=request, organization_id=session.organization_id, status=status)
    return session


def _settle_hold(session: PhotoSession) -> None:
    """Only a hold has an end."""
    if session.status != Status.TENTATIVE:
        session.hold_expires_at = None


def locked_session(session: PhotoSession) -> PhotoSession:
    """The row as it is now, changed by nobody else until the transaction ends. Raises PhotoSession.DoesNotExist."""
    rows = PhotoSession.objects.select_for_update(of=("self",)).select_related("project__contact", "photographer")
    return rows.get(pk=session.pk)


def locked_in_turn(session: PhotoSession) -> PhotoSession:
    """The same, once it is this photographer's turn; for what is decided before `change_session`. Raises ChangedMeanwhile too."""
    _take_turns(session.photographer_id)
    row = locked_session(session)
    if row.photographer_id != session.photographer_id:
        raise ChangedMeanwhile
    return row


@transaction.atomic
def change_session(
    session: PhotoSession,
    *,
    fields: dict[str, Any],
    actor: User | None,
    request: HttpRequest | None = None,
    version: int | None = None,
    via: str = "",
) -> PhotoSession:
    """Store changed fields. With `version` only if the session is still in the state somebody saw; `via` another system that says so.

    Raises TimeTaken, ChangedMeanwhile, PhotoSession.DoesNotExist.
    """
    known = {session.photographer_id, getattr(fields.get("photographer"), "pk", None)}
    _take_turns(*known)
    session = locked_session(session)
    if (version is not None and version != session.version) or session.photographer_id not in known:
        raise ChangedMeanwhile
    before = {name: getattr(session, name) for name in EDITABLE}
    for name in EDITABLE:
        if name in fields:
            setattr(session, name, fields[name])
    _settle_hold(session)
    changed = [name for name in EDITABLE if getattr(session, name) != before[name]]
    if not changed:
        return session
    session.derive()
    session.version, session.updated_at = session.version + 1, timezone.now()
    _write(session, fields=[*changed, "search_text", "version", "updated_at"])
    want(session)
    _tell(session, changed, before, actor=actor, request=request, via=via)
    return session


def _tell(
    session: PhotoSession, changed: list[str], before: dict[str, Any], *, actor: User | None, request: HttpRequest | None, via: str
) -> None:
    if via:
        record("photo_session.changed_elsewhere", session, organization_id=session.organization_id, via=via, fields=sorted(changed))
    link = {"url_name": "studio:session_detail", "target_id": session.pk}
    organization_id = session.organization_id
    if "status" in changed:
        states = {"from_status": str(before["status"]), "to_status": str(session.status)}
        kind = "session.deleted_in_google" if via else "session.moved"
        add_entry(session.project, kind, actor=actor, status=str(session.status), **link)  # type: ignore[arg-type]  # texts and ids in one dict
        record("photo_session.moved", session, actor=actor, request=request, organization_id=organization_id, **states)
    if {"starts_at", "ends_at"} & set(changed):
        add_entry(session.project, "session.moved_in_google" if via else "session.rescheduled", actor=actor, **link)  # type: ignore[arg-type]  # texts and ids in one dict
    if other := sorted(set(changed) - {"status"}):
        record("photo_session.updated", session, actor=actor, request=request, organization_id=organization_id, fields=other)


def move_session(
    session: PhotoSession, *, to: str, actor: User | None, request: HttpRequest | None = None, version: int | None = None
) -> PhotoSession:
    """To another status. Raises ValueError for no status, and what `change_session` raises."""
    return change_session(session, fields={"status": Status(to)}, actor=actor, request=request, version=version)


@transaction.atomic
def delete_session(session: PhotoSession, *, actor: User | None, request: HttpRequest | None = None) -> None:
    """For what was entered by mistake; a session that does not take place is cancelled instead."""
    session = locked_session(session)
    add_entry(session.project, "session.deleted", actor=actor)
    record("photo_session.deleted", session, actor=actor, request=request, organization_id=session.organization_id)
    session.delete()  # its event becomes a row without a session, which is to be deleted at Google
