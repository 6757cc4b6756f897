"""`/sessions/`: the month as a table, and the agenda."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from accounts.http import UserRequest
from accounts.models import Membership
from accounts.studio_roles import may
from studio.access import here
from studio.calendar.busy import may_ask
from studio.calendar.status import statuses
from studio.clock import day_words, end_of_day, last_day, start_of_day, that_day_words, times_words
from studio.models import PhotoSession
from studio.session_forms import AgendaFilterForm, ThatDayForm, photographers_of
from studio.views.pages import asked_without_blanks, page_of, query, wants_rows

DAY = timedelta(days=1)
MARGIN = 14 * timedelta(hours=1)  # no clock on earth is further from UTC
FIRST_YEAR, LAST_YEAR = 2000, 2100
MOST_THAT_DAY = 20


def _month(text: str) -> date:
    """The first of the month an address names, else of this one."""
    try:
        found = datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007 - a month has no zone
    except ValueError:
        found = timezone.localdate()
    return found.replace(day=1) if FIRST_YEAR <= found.year <= LAST_YEAR else timezone.localdate().replace(day=1)


def _weeks(first: date) -> list[list[date]]:
    """The days a page of the month shows: whole weeks from Monday on."""
    day = first - timedelta(days=first.weekday())
    weeks = []
    while day < first or day.month == first.month:
        weeks.append([day + timedelta(days=n) for n in range(7)])
        day += timedelta(days=7)
    return weeks


def _by_day(rows: Any) -> dict[date, list[PhotoSession]]:
    """Sessions by the days they take on the clock of their place."""
    found: dict[date, list[PhotoSession]] = {}
    for session in rows:
        day, last = session.local_start.date(), session.last_day
        found.setdefault(day, []).append(session)
        while (day := day + DAY) <= last:
            found.setdefault(day, []).append(session)
    return found


@require_GET
@vary_on_headers("HX-Request")
def session_month(request: UserRequest) -> HttpResponse:
    mine = here(request, "sessions.view")
    first = _month(request.GET.get("month", ""))
    weeks = _weeks(first)
    start = datetime.combine(weeks[0][0], time(0), tzinfo=UTC) - MARGIN
    end = datetime.combine(weeks[-1][-1] + DAY, time(0), tzinfo=UTC) + MARGIN
    people, who = _people(request, mine)
    rows = _of(PhotoSession.objects.for_organization(mine.organization).between(start, end), who)
    days = _by_day(rows.exclude(status=PhotoSession.Status.CANCELLED).for_pages().defer("notes", "address").in_order())
    today = timezone.localdate()
    filters = {"who": who}
    context = {
        "first": first,
        "weeks": [[_cell(day, first, today, days.get(day, [])) for day in week] for week in weeks],
        "previous": query(filters, month=f"{first - DAY:%Y-%m}"),
        "next": query(filters, month=f"{first + timedelta(days=32):%Y-%m}"),
        "this": query(filters),
        "is_this_month": (first.year, first.month) == (today.year, today.month),
        "empty": not any(day.month == first.month for day in days),
        "people": people,
        "who": who,
        "month": f"{first:%Y-%m}",
        "may_edit": may(mine.role, "sessions.edit"),
    }
    if wants_rows(request, "calendar"):
        return render(request, "studio/_month.html", context)
    context["calendars"] = statuses(request.user)
    return render(request, "studio/session_month.html", context)


def _cell(day: date, first: date, today: date, sessions: list[PhotoSession]) -> dict[str, Any]:
    told = [(session, *that_day_words(session.local_start, session.local_end, day)) for session in sessions]
    return {"day": day, "out": day.month != first.month, "today": day == today, "sessions": told}


def _people(request: UserRequest, mine: Membership) -> tuple[list[Any], str]:
    """Who photographs here, and whose sessions are asked for ("" for everybody's)."""
    people = photographers_of(mine.organization)
    who = request.GET.get("who", "")
    return people, who if who in {str(person.pk) for person in people} else ""


def _of(rows: Any, who: str) -> Any:
    return rows.filter(photographer=who) if who else rows


@require_GET
def session_that_day(request: UserRequest) -> HttpResponse:
    """What a photographer has in those days already: a fragment of the form, so that a collision is seen before it is refused."""
    mine = here(request, "sessions.view")
    form = ThatDayForm(request.GET)
    if not form.is_valid():
        return render(request, "studio/_that_day.html", {"sessions": None})
    asked = form.cleaned_data
    zone = ZoneInfo(asked["timezone"])
    rows = PhotoSession.objects.for_organization(mine.organization).filter(photographer=asked["photographer"]).exclude(pk=asked["but"])
    rows = rows.between(start_of_day(asked["day"], zone), end_of_day(form.last, zone)).expected()
    own = asked["photographer"] == request.user.pk and may(mine.role, "sessions.edit")
    several = form.last > asked["day"]
    google = {"day": asked["day"].isoformat(), "ends_on": form.last.isoformat() if several else "", "timezone": zone.key}
    context = {
        "sessions": [
            (row, _times(row, zone, with_day=several)) for row in rows.for_pages().defer("notes", "address").in_order()[:MOST_THAT_DAY]
        ],
        "several": several,
        "ask_google": google if own and may_ask(request.user) else None,
    }
    return render(request, "studio/_that_day.html", context)


def _times(session: PhotoSession, zone: ZoneInfo, *, with_day: bool) -> str:
    start, end = session.starts_at.astimezone(zone), session.ends_at.astimezone(zone)
    times = times_words(start, end)
    return f"{day_words(start.date())}, {times}" if with_day or last_day(start, end) > start.date() else times


@require_GET
@vary_on_headers("HX-Request")
def session_agenda(request: UserRequest) -> HttpResponse:
    mine = here(request, "sessions.view")
    people = photographers_of(mine.organization)
    filters = asked_without_blanks(AgendaFilterForm(request.GET, people=people))
    own = PhotoSession.objects.for_organization(mine.organization)
    rows = _of(own.search(filters.get("q", "")), filters.get("who", ""))
    now = timezone.now()
    past = filters.get("when") == "past"
    rows = rows.filter(ends_at__lt=now).order_by("-starts_at", "-pk") if past else rows.filter(ends_at__gte=now).in_order()
    page, pages = page_of(request, rows.for_pages().defer("notes"), filters)
    days: dict[date, list[PhotoSession]] = {}
    for session in page.object_list:
        days.setdefault(session.local_start.date(), []).append(session)
    context = {
        "filters": AgendaFilterForm(initial=filters, people=people),
        "filtered": bool(filters),
        "days": days.items(),
        "page": page,
        "pages": pages,
        "total": page.paginator.count,
        "today": timezone.localdate(),
        "past": past,
        "may_edit": may(mine.role, "sessions.edit"),
    }
    if wants_rows(request, "agenda"):
        response = render(request, "studio/_agenda.html", context)
        if request.headers.get("HX-Trigger") != "agenda":  # which looks again at where it is
            response["HX-Push-Url"] = reverse("studio:session_agenda") + (f"?{query(filters)}" if filters else "")
        return response
    context["any"] = bool(context["total"]) or own.exists()
    context["calendars"] = statuses(request.user)
    return render(request, "studio/session_agenda.html", context)
