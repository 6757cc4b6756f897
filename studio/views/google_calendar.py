"""The calendar of one's sessions at Google: how it does, reading it now, choosing between two versions, and when one is taken."""

from datetime import datetime
from typing import Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.exceptions import BadRequest, ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from aaperture.lib.nudge import nudge
from accounts.http import UserRequest
from studio.access import found, here
from studio.calendar import busy, choices
from studio.calendar.status import statuses
from studio.clock import end_of_day, span, start_of_day
from studio.models import CalendarEvent, PhotoSession, SessionCalendar
from studio.services.sessions import ChangedMeanwhile, TimeTaken
from studio.session_forms import BusyForm
from studio.tasks import sync_calendar
from studio.views.gone import gone_is_404
from studio.views.sessions import taken_words

MOST_SPANS = 12


@require_GET
def calendar_status(request: UserRequest) -> HttpResponse:
    """How one's calendars do: a fragment of the pages of sessions and connections."""
    response = _status(request, request.GET.get("of", ""))
    if "watch" in request.GET:  # after an act: the list beside it shows what has come of it
        response["HX-Trigger"] = "calendar-read"
    return response


def _status(request: UserRequest, of: str, **context: Any) -> HttpResponse:
    try:
        pk = UUID(of) if of else None
    except ValueError:
        raise Http404 from None
    context |= {"calendars": statuses(request.user, of=pk), "asked_for": True, "of": pk}
    return render(request, "studio/_calendar_status.html", context)


def _back(request: UserRequest) -> HttpResponse:
    """The page again, or the fragment, which looks once more when the worker has had its time."""
    return _status(request, request.POST.get("of", ""), soon=True) if request.htmx else redirect("studio:session_month")


@require_POST
def calendar_read(request: UserRequest, pk: UUID) -> HttpResponse:
    """Read it now, and write what waits. Where Google asked us to wait, we wait."""
    calendar = get_object_or_404(SessionCalendar.objects.of(request.user), pk=pk)
    wanted = {"read_due_at": timezone.now(), "rung_until": None}
    SessionCalendar.objects.filter(pk=calendar.pk).update(**wanted)
    SessionCalendar.objects.filter(pk=calendar.pk).exclude(fault="too_many").update(resume_at=None)
    nudge(sync_calendar, calendar.pk)
    if not request.htmx:
        messages.success(request, _("We are reading your calendar now."))
    return _back(request)


@require_POST
def calendar_make(request: UserRequest, pk: UUID) -> HttpResponse:
    """A new calendar at Google for one that is gone."""
    calendar = get_object_or_404(SessionCalendar.objects.of(request.user), pk=pk)
    if choices.make_again(calendar, actor=request.user, request=request):
        nudge(sync_calendar, calendar.pk)
        if not request.htmx:
            messages.success(request, _("We are making the calendar now, and write your sessions into it."))
    return _back(request)


@require_POST
@gone_is_404
def calendar_choice(request: UserRequest, pk: UUID) -> HttpResponse:
    """Which version of a session counts, ours or Google's."""
    row = get_object_or_404(CalendarEvent.objects.select_related("session").exclude(session=None), pk=pk)
    session, _mine = found(request, PhotoSession.objects.select_related("project"), cast("UUID", row.session_id), "sessions.edit")
    choose = {"ours": choices.keep_ours, "theirs": choices.take_theirs}.get(request.POST.get("version", ""))
    if choose is None:
        raise BadRequest("no such version")
    try:
        choose(row, actor=request.user, request=request)
    except TimeTaken as error:
        what = _("Change the time or the photographer, or settle the other session first.")
        messages.error(request, f"{taken_words(error, session.organization_id)} {what}")
    except (CalendarEvent.DoesNotExist, ChangedMeanwhile):
        messages.warning(request, _("Somebody has changed this session meanwhile. This is how it stands now."))
    else:
        nudge(sync_calendar, row.calendar_id)
        messages.success(request, _("Settled: both sides will say the same in a moment."))
    return redirect("studio:session_detail", pk=session.pk)


@require_GET
def session_busy(request: UserRequest) -> HttpResponse:
    """When one is taken elsewhere in those days: a fragment of the form. Silent where Google does not answer in time."""
    here(request, "sessions.edit")
    form = BusyForm(request.GET)
    if not form.is_valid():
        return HttpResponse()
    asked = form.cleaned_data
    zone = ZoneInfo(asked["timezone"])
    days = (start_of_day(asked["day"], zone), end_of_day(form.last, zone))
    spans = busy.busy_spans(request.user, *days)
    if spans is None:
        return HttpResponse()
    wanted = _wanted(form, zone)
    clashes = [one for one in spans if wanted and one[0] < wanted[1] and one[1] > wanted[0]]
    shown: list[dict[str, Any]] = [{"start": start, "end": end, "all_day": start <= days[0] and end >= days[1]} for start, end in spans]
    context = {"spans": shown[:MOST_SPANS], "clashes": clashes, "zone": zone.key, "several": form.last > asked["day"]}
    return render(request, "studio/_busy.html", context)


def _wanted(form: BusyForm, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
    asked = form.cleaned_data
    if not (asked["start"] and asked["end"]):
        return None
    try:
        return span(asked["day"], asked["start"], asked["end"], zone, ends_on=form.last if form.last > asked["day"] else None)
    except ValidationError:  # an hour that does not exist there
        return None
