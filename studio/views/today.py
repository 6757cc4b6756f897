"""The studio's panels on the page of today: holds that run out, and what is to be photographed next."""

from datetime import datetime, timedelta

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from accounts.http import UserRequest
from accounts.models import Membership, User
from accounts.studio_roles import may
from accounts.today import Need, Thing
from accounts.views.today import needs_panel, panel
from integrations.models import Connection
from studio.access import here
from studio.models import CalendarEvent, PhotoSession

SOON = timedelta(days=3)
FIRST, NEXT, MOST = 3, 5, 99


@require_GET
@vary_on_headers("HX-Request")
def needs(request: UserRequest) -> HttpResponse:
    mine = here(request, "sessions.view")
    found = [_holds(mine), _differing(request.user, mine)]
    return needs_panel(request, _("Sessions"), [need for need in found if need])


def _holds(mine: Membership) -> Need | None:
    now = timezone.now()
    holds = PhotoSession.objects.for_organization(mine.organization).filter(ends_at__gt=now).holds_run_out(now + SOON)
    rows = holds.for_pages().defer("notes", "address").order_by("hold_expires_at", "pk")[:FIRST]
    count = holds.count()
    found = [Thing(reverse("studio:session_detail", args=[row.pk]), row.name, _until(row, now)) for row in rows]
    need = Need(
        "warn", "hourglass", ngettext("%(n)d hold runs out", "%(n)d holds run out", count) % {"n": count}, _("See the agenda"),
        reverse("studio:session_agenda"), found, _("Confirm the session, or let the time go."),
    )  # fmt: skip
    return need if count else None


def _differing(user: User, mine: Membership) -> Need | None:
    """Sessions that say one thing here and another in the Google Calendar of who asks."""
    own = CalendarEvent.objects.filter(session__organization=mine.organization_id, calendar__connection__owner=user).exclude(conflict="")
    own = own.exclude(calendar__connection__status=Connection.Status.REVOKED)  # where nothing is left to choose
    rows = list(own.select_related("session__project").order_by("session__starts_at", "pk")[: MOST + 1])
    if not rows:
        return None
    things = [
        Thing(reverse("studio:session_detail", args=[row.session_id]), row.session.name, row.get_conflict_display())
        for row in rows[:FIRST]
        if row.session
    ]
    title = ngettext("%(n)d session waits for your choice", "%(n)d sessions wait for your choice", len(rows)) % {"n": len(rows)}
    return Need("warn", "calendar-x-2", title, _("Choose"), things[0].url, things)


def _until(session: PhotoSession, now: datetime) -> str:
    at, last = session.hold_expires_at, session.held_through
    if at is None or last is None:
        return ""
    words = date_format(last, "SHORT_DATE_FORMAT")
    return _("ran out on %(moment)s") % {"moment": words} if at <= now else _("held until %(moment)s") % {"moment": words}


@require_GET
@vary_on_headers("HX-Request")
def sessions(request: UserRequest) -> HttpResponse:
    mine = here(request, "sessions.view")
    rows = PhotoSession.objects.for_organization(mine.organization).filter(ends_at__gte=timezone.now()).expected()
    found = list(rows.for_pages().defer("notes", "address").in_order()[: NEXT + 1])
    context = {"sessions": found[:NEXT], "more": len(found) > NEXT, "may_edit": may(mine.role, "sessions.edit")}
    return panel(request, "studio/_today_sessions.html", _("Next sessions"), context)
