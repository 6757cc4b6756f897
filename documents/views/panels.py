"""Fragments for the pages of `studio`: a project's documents, a contact's."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.http import UserRequest
from accounts.models import Membership
from accounts.studio_roles import may
from documents.models import Contract, Invoice, Quote
from documents.views.lists import money_of
from studio.access import found
from studio.models import Contact, Project

MOST = 20


@require_GET
def project_panel(request: UserRequest, pk: UUID) -> HttpResponse:
    project, mine = found(request, Project.objects.only("pk", "organization_id"), pk, "projects.view")
    return _panel(request, mine, {"project": project.pk})


@require_GET
def contact_panel(request: UserRequest, pk: UUID) -> HttpResponse:
    contact, mine = found(request, Contact.objects.only("pk", "organization_id"), pk, "contacts.view")
    return _panel(request, mine, {"contact": contact.pk})


def _panel(request: UserRequest, mine: Membership, of: dict[str, Any]) -> HttpResponse:
    sees_documents, sees_invoices = may(mine.role, "documents.view"), may(mine.role, "invoices.view")
    if not (sees_documents or sees_invoices):
        return HttpResponse()
    rows: list[tuple[str, Any]] = []
    if sees_documents:
        rows += [("quote", row) for row in _newest(Quote, of)]
        rows += [("contract", row) for row in _newest(Contract, of)]
    if sees_invoices:
        rows += [("invoice", row) for row in _newest(Invoice, of)]
    language = (request.LANGUAGE_CODE or "en")[:2]
    context = {
        "rows": [(kind, row, money_of(row, language)) for kind, row in sorted(rows, key=lambda pair: pair[1].created_at)],
        "query": "&".join(f"{name}={pk}" for name, pk in of.items()),
        "may_edit": may(mine.role, "documents.edit"),
        "may_invoice": may(mine.role, "invoices.edit"),
    }
    return render(request, "documents/_panel.html", context)


def _newest(model: Any, of: dict[str, Any]) -> list[Any]:
    rows = model.objects.filter(**of).newest_first().defer("content", "search_text", *(["text"] if model is Contract else []))
    return list((rows.with_balance() if model is Invoice else rows)[:MOST])
