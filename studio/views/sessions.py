"""One photo session: planning it, moving it, and the page for the day itself."""

from typing import Any
from urllib.parse import quote
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from aaperture.lib.nudge import nudge
from accounts.http import UserRequest
from accounts.studio_roles import may
from studio.access import found, here
from studio.calendar.status import of_session
from studio.clock import end_words
from studio.models import PhotoSession, Project
from studio.panels import urls_of
from studio.services import sessions
from studio.services.sessions import ChangedMeanwhile, TimeTaken
from studio.session_forms import SessionForm, SessionMoveForm
from studio.session_types import suggested_type
from studio.tasks import tick
from studio.views.gone import gone_is_404
from studio.views.projects import choose

Status = PhotoSession.Status

# what may be done next, by where a session is; the first is the page's button
NEXT: dict[str, tuple[str, ...]] = {
    Status.REQUESTED: (Status.CONFIRMED, Status.TENTATIVE, Status.CANCELLED),
    Status.TENTATIVE: (Status.CONFIRMED, Status.REQUESTED, Status.CANCELLED),
    Status.CONFIRMED: (Status.COMPLETED, Status.CANCELLED, Status.NO_SHOW),
    Status.COMPLETED: (Status.CONFIRMED,),
    Status.CANCELLED: (Status.REQUESTED,),
    Status.NO_SHOW: (Status.REQUESTED,),
}


def _next(session: PhotoSession) -> list[str]:
    """Nobody knows whether it takes place before it has begun."""
    return [to for to in NEXT[session.status] if session.has_begun or to not in (Status.COMPLETED, Status.NO_SHOW)]


def _acts() -> dict[str, str]:
    return {
        Status.REQUESTED: _("Back to a request"),
        Status.TENTATIVE: _("Hold the time"),
        Status.CONFIRMED: _("Confirm"),
        Status.COMPLETED: _("It took place"),
        Status.CANCELLED: _("Cancel the session"),
        Status.NO_SHOW: _("They did not come"),
    }


def taken_words(error: TimeTaken, viewer_organization: Any) -> str:
    """Which session is in the way, as far as the reader may know, and what can be done."""
    other = error.other
    if other is None:
        return _("Somebody booked that time in this moment and let it go again. Try once more.")
    start, end = other.local_start, other.local_end
    facts = {
        "who": other.photographer,
        "day": date_format(start, "DATE_FORMAT"),
        "start": date_format(start, "TIME_FORMAT"),
        "end": end_words(start, end),
        "session": other.name,
        "client": other.project.contact.name if other.project.contact else other.project.title,
    }
    if other.organization_id != viewer_organization:
        return _("%(who)s works for another studio on %(day)s from %(start)s to %(end)s.") % facts
    if other.status == Status.TENTATIVE:
        return _("%(who)s’s time is on hold for “%(session)s” (%(client)s) on %(day)s from %(start)s to %(end)s.") % facts
    return _("%(who)s photographs “%(session)s” (%(client)s) on %(day)s from %(start)s to %(end)s.") % facts


def _maps(session: PhotoSession) -> list[tuple[str, str]]:
    where = ", ".join(line for line in [session.place, *session.address.splitlines()] if line.strip())
    if not where:
        return []
    words = quote(where)
    return [
        ("Google Maps", f"https://www.google.com/maps/search/?api=1&query={words}"),
        ("OpenStreetMap", f"https://www.openstreetmap.org/search?query={words}"),
    ]


@require_GET
def session_detail(request: UserRequest, pk: UUID) -> HttpResponse:
    rows = PhotoSession.objects.select_related("project__contact", "photographer").defer("search_text")
    session, mine = found(request, rows, pk, "sessions.view")
    contact = session.project.contact
    phone = (contact.phone or "") if contact else ""
    words = _acts()
    context = {
        "session": session,
        "contact": contact,
        "phone": phone,
        "phone_link": "".join(character for character in phone if character.isdigit() or character == "+"),
        "maps": _maps(session),
        "elsewhere": session.timezone != request.user.timezone and _differs(session, request.user.timezone),
        "acts": [(to, words[to]) for to in _next(session)] if may(mine.role, "sessions.edit") else [],
        "may_edit": may(mine.role, "sessions.edit"),
        "panels": urls_of("session", session.pk),
        "in_calendars": of_session(session),
    }
    return render(request, "studio/session_detail.html", context)


def _differs(session: PhotoSession, zone: str) -> bool:
    """Whether the clock there shows another time than the reader's."""
    return session.local_start.utcoffset() != session.starts_at.astimezone(ZoneInfo(zone)).utcoffset()


@require_GET
def session_choose_project(request: UserRequest) -> HttpResponse:
    """A session belongs to a project: which one?"""
    mine = here(request, "sessions.edit")
    rows = Project.objects.for_organization(mine.organization).under_way().for_lists().select_related("contact")
    context = {"what": "project", "target": reverse("studio:session_choose_project"), "day": request.GET.get("day", "")[:10]}
    return choose(request, rows.defer("search_text", "notes", "contact__search_text", "contact__phone").newest_first(), context)


@require_http_methods(["GET", "POST"])
def session_add(request: UserRequest, pk: UUID) -> HttpResponse:
    project, _mine = found(request, Project.objects.select_related("contact"), pk, "sessions.edit")
    initial = {"day": request.GET["day"][:10]} if request.GET.get("day") else {}
    if kind := suggested_type(project.title):
        initial["type"] = kind
    form = SessionForm(request.POST or None, organization=project.organization_id, user=request.user, initial=initial)
    clash = None
    if request.method == "POST" and form.is_valid():
        try:
            session = sessions.book_session(project, fields=form.values(), actor=request.user, request=request)
        except TimeTaken as error:
            clash = taken(error, project.organization_id)
        else:
            nudge(tick, session.pk)
            messages.success(request, _("The session is planned."))
            return redirect("studio:session_detail", pk=session.pk)
    return render(request, "studio/session_form.html", {"form": form, "project": project, "taken": clash}, status=409 if clash else 200)


def taken(error: TimeTaken, organization_id: Any) -> dict[str, Any]:
    """For the template `studio/_taken.html`."""
    own = error.other is not None and error.other.organization_id == organization_id
    return {"words": taken_words(error, organization_id), "other": error.other if own else None}


@require_http_methods(["GET", "POST"])
@gone_is_404
def session_edit(request: UserRequest, pk: UUID) -> HttpResponse:
    session, _mine = found(request, PhotoSession.objects.select_related("project__contact", "photographer"), pk, "sessions.edit")
    form = SessionForm(request.POST or None, organization=session.organization_id, user=request.user, session=session)
    context: dict[str, Any] = {"form": form, "project": session.project, "session": session}
    if request.method == "POST" and form.is_valid():
        try:
            seen = form.cleaned_data["version"]
            sessions.change_session(session, fields=form.values(), actor=request.user, request=request, version=seen)
        except TimeTaken as error:
            context["taken"] = taken(error, session.organization_id)
        except ChangedMeanwhile:
            context["changed"] = True
        else:
            nudge(tick, pk)
            messages.success(request, _("Saved."))
            return redirect("studio:session_detail", pk=pk)
    return render(request, "studio/session_form.html", context, status=409 if "taken" in context or "changed" in context else 200)


@require_POST
@gone_is_404
def session_move(request: UserRequest, pk: UUID) -> HttpResponse:
    session, _mine = found(request, PhotoSession.objects.select_related("project"), pk, "sessions.edit")
    form = SessionMoveForm(request.POST)
    if not form.is_valid():
        raise BadRequest("no such status")
    try:
        moved = sessions.move_session(
            session, to=form.cleaned_data["to"], actor=request.user, request=request, version=form.cleaned_data["version"]
        )  # fmt: skip
    except TimeTaken as error:
        what = _("Change the time or the photographer, or settle the other session first.")
        messages.error(request, f"{taken_words(error, session.organization_id)} {what}")
    except ChangedMeanwhile:
        messages.warning(request, _("Somebody has changed this session meanwhile. This is how it stands now."))
    else:
        nudge(tick, pk)
        messages.success(request, _("The session is now: %(status)s.") % {"status": moved.get_status_display()})
    return redirect("studio:session_detail", pk=pk)


@require_http_methods(["GET", "POST"])
@gone_is_404
def session_delete(request: UserRequest, pk: UUID) -> HttpResponse:
    session, _mine = found(request, PhotoSession.objects.select_related("project"), pk, "sessions.edit")
    if request.method == "GET":
        return render(request, "studio/session_delete.html", {"session": session})
    sessions.delete_session(session, actor=request.user, request=request)
    nudge(tick, pk)
    messages.success(request, _("The session is deleted."))
    return redirect("studio:project_detail", pk=session.project_id)
