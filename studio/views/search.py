"""`/search/`: one box for contacts, projects and sessions; apps above this one add what they find by panels."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from accounts.http import UserRequest
from accounts.models import Membership
from accounts.services import studios
from accounts.studio_roles import may
from studio.models import Contact, PhotoSession, Project
from studio.panels import urls_of
from studio.views.pages import query, wants_rows

SHOWN = 6


@require_GET
@vary_on_headers("HX-Request")
def search(request: UserRequest) -> HttpResponse:
    """Each group shows its first few, in what the reader's role in the studio may see."""
    text = request.GET.get("q", "").strip()[:200]
    found = _found(text, studios.current_membership(request.user)) if text else {}
    asked = query({"q": text})
    context = {
        "search": text,
        "found": found,
        "nothing": not any(found.values()),
        "panels": [f"{url}?{asked}" for url in urls_of("search")] if text else [],
        "shown": SHOWN,
        "query": asked,
    }
    return render(request, "studio/_found.html" if wants_rows(request, "results") else "studio/search.html", context)


def _found(text: str, mine: Membership) -> dict[str, list[Any]]:
    studio = mine.organization
    contacts = Contact.objects.for_organization(studio).search(text).for_lists().in_order()
    projects = Project.objects.for_organization(studio).search(text).for_lists().select_related("contact").newest_first()
    sessions = (
        PhotoSession.objects.for_organization(studio).search(text).for_pages().defer("notes", "address").order_by("-starts_at", "-pk")
    )
    groups = {
        "contacts": ("contacts.view", contacts),
        "projects": ("projects.view", projects.defer("search_text", "notes", "contact__search_text", "contact__phone")),
        "sessions": ("sessions.view", sessions),
    }
    return {name: list(rows[:SHOWN]) if may(mine.role, operation) else [] for name, (operation, rows) in groups.items()}
