"""The one calendar "Aaperture" of a grant: found again by our own marker, and made once.

Google makes a calendar twice if asked twice. So before it is asked, a row says so; whoever comes after an end that nobody heard of
looks for our marker first, and where the grant does not let us look, asks the person rather than making a second one.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from audit.services import record
from integrations import google_oauth
from integrations.errors import Gone, ProviderError, Unavailable
from integrations.google_calendar import CalendarApi
from studio.models import SessionCalendar

NAME = "Aaperture"


class UnknownEnd(Exception):
    """Google was asked to make the calendar, nobody heard whether it did, and we may not look."""


def find_or_make(api: CalendarApi, calendar: SessionCalendar) -> None:
    """Afterwards `calendar.google_id` names it. Raises UnknownEnd, and what the network raises."""
    if calendar.google_id:
        return
    may_look = _may_look(calendar)
    found = _find(api, calendar) if may_look else ""
    if found:
        _keep(api, calendar, found, made=False)
        return
    if calendar.making_since is not None and not may_look:
        raise UnknownEnd
    SessionCalendar.objects.filter(pk=calendar.pk).update(making_since=timezone.now())
    owner = calendar.connection.owner
    with override(owner.language if owner else None):
        words = _("Your photo sessions in Aaperture. What you move or delete here, you move or cancel there.")
    try:
        made = api.make_calendar(name=NAME, description=f"{words}\n[{calendar.marker}]", zone=owner.timezone if owner else "UTC")
    except ProviderError as error:
        if type(error) is not Unavailable:  # a plain no: there is none
            SessionCalendar.objects.filter(pk=calendar.pk).update(making_since=None)
        raise
    _keep(api, calendar, made, made=True)


def _may_look(calendar: SessionCalendar) -> bool:
    return bool({google_oauth.CALENDAR_LIST, google_oauth.CALENDAR} & set(calendar.connection.granted_scopes))


def _find(api: CalendarApi, calendar: SessionCalendar) -> str:
    for entry in api.calendars():
        if _is_marked(entry, calendar.marker):
            return str(entry["id"])
    return ""


def _is_marked(entry: Mapping[str, Any], marker: str) -> bool:
    return marker in str(entry.get("description", "")) and not entry.get("deleted") and not entry.get("primary")


def _keep(api: CalendarApi, calendar: SessionCalendar, google_id: str, *, made: bool) -> None:
    with transaction.atomic():
        known = SessionCalendar.objects.filter(pk=calendar.pk, google_id="")
        fresh: dict[str, Any] = {"google_id": google_id, "making_since": None, "sync_token": ""}
        is_first = bool(known.update(**fresh))
        if is_first and made:
            record("calendar.made", calendar, actor=calendar.connection.owner)
    calendar.refresh_from_db(fields=["google_id", "sync_token", "making_since"])
    if not is_first and made and google_id != calendar.google_id:
        with suppress(Gone):  # somebody was faster in spite of the lock: theirs stays
            api.drop_calendar(google_id)
