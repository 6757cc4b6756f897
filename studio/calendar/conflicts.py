"""What was changed on both sides, or cannot be taken over, waits for somebody's choice on the session's page."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from audit.services import record
from studio.calendar import events
from studio.models import CalendarEvent

Conflict = CalendarEvent.Conflict


@transaction.atomic
def note_conflict(row: CalendarEvent, theirs: Mapping[str, Any], kind: str = "") -> None:
    """Keep Google's version beside ours and write nothing more until somebody has chosen."""
    says = None if row.session is None or events.is_cancelled(theirs) else events.event_says(theirs, row.session)
    if row.session is None or (says is None and not events.is_cancelled(theirs)):
        return
    if not CalendarEvent.objects.select_for_update().filter(pk=row.pk, wanted=row.wanted).values_list("pk"):
        return  # something else is wanted by now, and due: whoever writes that meets what stands there
    before = row.conflict
    row.conflict = kind or (Conflict.DELETED if says is None else Conflict.CHANGED)
    row.theirs = says.as_json() if says is not None else {}
    row.etag = str(theirs.get("etag", row.etag))
    row.save(update_fields=["conflict", "theirs", "etag"])
    if not before:
        organization_id = row.session.organization_id
        record("photo_session.calendar_conflict", row.session, organization_id=organization_id, conflict=str(row.conflict))
