"""`/projects/…`: jobs, each with its sessions, its notes and its timeline."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db.models import Prefetch
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from accounts.http import UserRequest
from accounts.models import Membership
from accounts.studio_roles import may
from studio.access import found, here
from studio.forms import NewProjectForm, NoteForm, ProjectFilterForm, ProjectForm, ProjectMoveForm
from studio.models import Contact, PhotoSession, Project, TimelineEntry
from studio.panels import urls_of
from studio.services import contacts, projects, timeline
from studio.timeline import hidden_from
from studio.views.gone import gone_is_404
from studio.views.pages import asked_without_blanks, page_of, query, wants_rows

MOST_ENTRIES = 100
PER_CHOICE = 20
NOBODY = "none"


def _with_client(rows: Any) -> Any:
    return rows.for_lists().select_related("contact").defer("search_text", "notes", "contact__search_text", "contact__phone")


@require_GET
@vary_on_headers("HX-Request")
def project_list(request: UserRequest) -> HttpResponse:
    mine = here(request, "projects.view")
    own = Project.objects.for_organization(mine.organization)
    filters = asked_without_blanks(ProjectFilterForm(request.GET))
    rows = own.search(filters.get("q", ""))
    status = filters.get("status", "")
    if status != "all":
        rows = rows.filter(status=status) if status else rows.under_way()
    page, pages = page_of(request, _with_next_session(_with_client(rows).newest_first(), mine), filters)
    context = {
        "filters": ProjectFilterForm(initial=filters),
        "filtered": bool(filters),
        "page": page,
        "pages": pages,
        "total": page.paginator.count,
        "sees_sessions": may(mine.role, "sessions.view"),
        "may_edit": may(mine.role, "projects.edit"),
    }
    if wants_rows(request, "projects"):
        response = render(request, "studio/_project_rows.html", context)
        response["HX-Push-Url"] = reverse("studio:project_list") + (f"?{query(filters)}" if filters else "")
        return response
    context["any"] = bool(context["total"]) or own.exists()
    return render(request, "studio/project_list.html", context)


def _with_next_session(rows: Any, mine: Membership) -> Any:
    if not may(mine.role, "sessions.view"):
        return rows
    coming = PhotoSession.objects.filter(ends_at__gte=timezone.now()).expected().in_order().defer("search_text", "notes", "address")
    return rows.prefetch_related(Prefetch("photo_sessions", queryset=coming, to_attr="coming"))


@require_GET
def project_detail(request: UserRequest, pk: UUID) -> HttpResponse:
    project, mine = found(request, Project.objects.select_related("contact").defer("search_text"), pk, "projects.view")
    return _page(request, project, mine, NoteForm())


def _page(request: UserRequest, project: Project, mine: Membership, note: NoteForm, *, status: int = 200) -> HttpResponse:
    lines = project.timeline.exclude(kind__in=hidden_from(mine.role)).newest_first()
    entries = list(lines[: MOST_ENTRIES + 1])
    whole = "all" in request.GET
    context = {
        "project": project,
        "sessions": project.photo_sessions.for_pages().in_order() if may(mine.role, "sessions.view") else None,
        "entries": lines if whole else entries[:MOST_ENTRIES],
        "more": len(entries) > MOST_ENTRIES and not whole,
        "note_form": note,
        "move_form": ProjectMoveForm(initial={"to": project.status}, label_suffix=""),
        "may_edit": may(mine.role, "projects.edit"),
        "may_plan": may(mine.role, "sessions.edit"),
        "panels": urls_of("project", project.pk),
    }
    return render(request, "studio/project_detail.html", context, status=status)


@require_http_methods(["GET", "POST"])
def project_add(request: UserRequest) -> HttpResponse:
    """First for whom, then what: `?contact=` names the client, or "none"."""
    mine = here(request, "projects.edit")
    chosen = request.POST.get("contact") or request.GET.get("contact")
    if not chosen:
        rows = Contact.objects.for_organization(mine.organization)
        return choose(request, rows.for_lists().in_order(), {"what": "client", "target": reverse("studio:project_add")})
    client = None if chosen == NOBODY else _client(mine, chosen)
    form = NewProjectForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = dict(form.cleaned_data)
        title = values.pop("title")
        project = projects.create_project(
            mine.organization, title=title, contact=client, actor=request.user, request=request, **values
        )  # fmt: skip
        messages.success(request, _("The project is there. Plan its first session when you know the day."))
        return redirect("studio:project_detail", pk=project.pk)
    return render(request, "studio/project_form.html", {"form": form, "client": client, "chosen": chosen})


def _client(mine: Membership, pk: str) -> Contact:
    try:
        wanted = UUID(pk)
    except ValueError:
        raise BadRequest("no such contact") from None
    return get_object_or_404(Contact.objects.for_organization(mine.organization).for_lists(), pk=wanted)


def choose(request: UserRequest, rows: Any, context: dict[str, Any]) -> HttpResponse:
    """A list to pick one row from, found by its words."""
    search = request.GET.get("q", "")[:200]
    page, pages = page_of(request, rows.search(search), {"q": search, "day": context.get("day")}, per_page=PER_CHOICE)
    return render(request, "studio/choose.html", {"page": page, "pages": pages, "search": search, **context})


@require_http_methods(["GET", "POST"])
@gone_is_404
def project_edit(request: UserRequest, pk: UUID) -> HttpResponse:
    project, _mine = found(request, Project.objects.select_related("contact"), pk, "projects.edit")
    title = project.title  # as stored: the form writes into the row it is given
    form = ProjectForm(request.POST or None, instance=project)
    if request.method == "POST" and form.is_valid():
        projects.edit_project(project, fields=form.cleaned_data, actor=request.user, request=request)
        messages.success(request, _("Saved."))
        return redirect("studio:project_detail", pk=pk)
    return render(request, "studio/project_form.html", {"form": form, "project": project, "title": title})


@require_http_methods(["GET", "POST"])
@gone_is_404
def project_client(request: UserRequest, pk: UUID) -> HttpResponse:
    """Choose another client, or none."""
    project, mine = found(request, Project.objects.select_related("contact"), pk, "projects.edit")
    if request.method == "POST":
        chosen = request.POST.get("contact", "")
        client = None if chosen == NOBODY else _client(mine, chosen)
        projects.edit_project(project, fields={"contact": client}, actor=request.user, request=request)
        messages.success(request, _("Saved."))
        return redirect("studio:project_detail", pk=pk)
    rows = Contact.objects.for_organization(project.organization_id).for_lists().in_order()
    return choose(request, rows, {"what": "client", "project": project, "target": reverse("studio:project_client", args=[pk])})


@require_POST
@gone_is_404
def project_move(request: UserRequest, pk: UUID) -> HttpResponse:
    project, _mine = found(request, Project.objects, pk, "projects.edit")
    form = ProjectMoveForm(request.POST)
    if not form.is_valid():
        raise BadRequest("no such status")
    project = projects.move_project(project, to=form.cleaned_data["to"], actor=request.user, request=request)
    messages.success(request, _("The project is now: %(status)s.") % {"status": project.get_status_display()})
    return redirect("studio:project_detail", pk=pk)


@require_http_methods(["GET", "POST"])
@gone_is_404
def project_delete(request: UserRequest, pk: UUID) -> HttpResponse:
    project, _mine = found(request, Project.objects.for_lists(), pk, "projects.edit")
    if request.method == "POST":
        try:
            projects.delete_project(project, actor=request.user, request=request)
        except contacts.InUse:
            messages.error(request, _("It cannot be deleted: something that must be kept refers to it."))
            return redirect("studio:project_delete", pk=pk)
        messages.success(request, _("The project is deleted."))
        return redirect("studio:project_list")
    uses = contacts.uses_of(project)
    return render(request, "studio/project_delete.html", {"project": project, "uses": uses, "kept": any(u.fate == "keeps" for u in uses)})


@require_POST
def note_add(request: UserRequest, pk: UUID) -> HttpResponse:
    project, mine = found(request, Project.objects.select_related("contact").defer("search_text"), pk, "projects.edit")
    form = NoteForm(request.POST)
    if not form.is_valid():
        return _page(request, project, mine, form, status=422)
    timeline.add_note(project, text=form.cleaned_data["text"], actor=request.user, request=request)
    return redirect(reverse("studio:project_detail", args=[pk]) + "#timeline")


@require_POST
def note_remove(request: UserRequest, pk: UUID) -> HttpResponse:
    note, _mine = found(request, TimelineEntry.objects.select_related("project").filter(kind="note"), pk, "projects.edit")
    timeline.remove_note(note, actor=request.user, request=request)
    messages.success(request, _("The note is removed."))
    return redirect("studio:project_detail", pk=note.project_id)
