"""What pages of documents share: doing one thing and saying how it went, and finding out for whom a new document is."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from aaperture.lib.gone import missing_is_404
from accounts.http import UserRequest
from accounts.models import Membership
from accounts.studio_roles import may
from documents.faults import identity_labels, words_of
from documents.models import Contract, Invoice, Quote
from documents.services.errors import NotPossible
from studio.models import Contact, Project
from studio.views.pages import page_of

PER_CHOICE = 20
AnyDocument = Quote | Contract | Invoice
gone_is_404 = missing_is_404(Quote, Contract, Invoice)


def page_url(document: AnyDocument) -> str:
    return reverse(f"documents:{document._meta.model_name}", args=[document.pk])


def refuse(request: UserRequest, fault: NotPossible) -> None:
    """Say why not; where the studio's own details are wanting, the message's page links to them."""
    messages.error(request, words_of(fault))


def attempt(request: UserRequest, back: AnyDocument, act: Callable[[], Any], said: str) -> HttpResponse:
    """Do one thing to a document and return to its page, or to where the studio's details are filled in."""
    try:
        act()
    except NotPossible as fault:
        refuse(request, fault)
        mine = Membership.objects.current().filter(user=request.user, organization_id=back.organization_id).first()
        if identity_labels(fault) and mine and may(mine.role, "settings.edit"):
            return redirect(reverse("documents:settings") + f"?next={page_url(back)}")
    else:
        messages.success(request, said)
    return redirect(page_url(back))


def delete_page(request: UserRequest, draft: AnyDocument, delete: Callable[..., None]) -> HttpResponse:
    """Asks, then deletes and goes to the list."""
    list_url = reverse(f"documents:{draft._meta.model_name}_list")
    if request.method == "GET":
        return render(request, "documents/document_delete.html", {"document": draft, "list_url": list_url})
    try:
        delete(draft, actor=request.user, request=request)
    except NotPossible as fault:
        refuse(request, fault)
        return redirect(page_url(draft))
    messages.success(request, _("The draft is deleted."))
    return redirect(list_url)


def _one(rows: Any, pk: str) -> Any:
    try:
        return get_object_or_404(rows, pk=UUID(pk))
    except ValueError:
        raise BadRequest("no such id") from None


def asked_for(request: UserRequest, mine: Membership) -> tuple[Project | None, Contact | None] | None:
    """The project and client that `?project=` or `?contact=` names; None when it names neither."""
    if pk := request.GET.get("project"):
        rows = Project.objects.for_organization(mine.organization).select_related("contact")
        project = _one(rows, pk)
        return project, project.contact
    if pk := request.GET.get("contact"):
        return None, _one(Contact.objects.for_organization(mine.organization), pk)
    return None


def asked_of_draft(request: UserRequest, mine: Membership, draft: AnyDocument) -> tuple[Project | None, Contact | None] | None:
    """Whom a draft is for: as it stands, or with the project or client that the address names; None when one is to be chosen."""
    if asked := asked_for(request, mine):
        project, contact = asked
        return (project, contact or draft.contact) if project else (draft.project, contact)
    if request.GET.get("for"):
        return None
    return draft.project, draft.contact or (draft.project.contact if draft.project else None)


def choose(request: UserRequest, mine: Membership, *, kind: str, draft: AnyDocument | None = None) -> HttpResponse:
    """For which project, or else for which client, a new document or a draft is."""
    by_contact = request.GET.get("for") == "contact"
    search = request.GET.get("q", "")[:200]
    if by_contact:
        rows: Any = Contact.objects.for_organization(mine.organization).for_lists().in_order()
    else:
        projects = Project.objects.for_organization(mine.organization).under_way().for_lists().select_related("contact")
        rows = projects.defer("search_text", "notes", "contact__search_text", "contact__phone", "contact__notes").newest_first()
    asked = {"q": search, "for": "contact" if by_contact else "project"}
    page, pages = page_of(request, rows.search(search), asked, per_page=PER_CHOICE)
    target = reverse(f"documents:{kind}_edit", args=[draft.pk]) if draft else reverse(f"documents:{kind}_add")
    headings = {
        "quote": _("New quote: for which project?"),
        "contract": _("New contract: for which project?"),
        "invoice": _("New invoice: for which project?"),
    }
    context = {
        "kind": kind, "target": target, "page": page, "pages": pages, "search": search, "by_contact": by_contact, "document": draft,
        "heading": _("%(name)s: for whom?") % {"name": draft} if draft else headings[kind], "list_url": reverse(f"documents:{kind}_list"),
    }  # fmt: skip
    return render(request, "documents/choose.html", context)
