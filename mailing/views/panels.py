"""Fragments for pages of `studio` and `documents`: the e-mails of a contact, a quote, a contract, an invoice."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.http import UserRequest
from accounts.studio_roles import may
from documents.models import Contract, Invoice, Quote
from mailing.models import ReminderRule, ReminderStop, ScheduledEmail
from studio.access import found
from studio.models import Contact

MOST = 10
READY = ("draft", "issued")  # of a document that has its content: nothing is left to do but to send it


@require_GET
def contact_panel(request: UserRequest, pk: UUID) -> HttpResponse:
    return _panel(request, "contact", Contact, pk, "contacts.view")


@require_GET
def quote_panel(request: UserRequest, pk: UUID) -> HttpResponse:
    return _panel(request, "quote", Quote, pk, "documents.view")


@require_GET
def contract_panel(request: UserRequest, pk: UUID) -> HttpResponse:
    return _panel(request, "contract", Contract, pk, "documents.view")


@require_GET
def invoice_panel(request: UserRequest, pk: UUID) -> HttpResponse:
    row, _mine = found(request, Invoice.objects.with_balance().defer("content", "search_text"), pk, "invoices.view")
    reminded = ReminderRule.objects.for_organization(row.organization_id).exists() and row.state in {"open", "partly_paid", "overdue"}
    more = {"reminded": reminded, "invoice": pk, "stopped": reminded and ReminderStop.objects.filter(pk=pk).exists()}
    return _panel(request, "invoice", Invoice, pk, "invoices.view", more)


def _panel(request: UserRequest, name: str, model: Any, pk: UUID, operation: str, more: dict[str, Any] | None = None) -> HttpResponse:
    row, mine = found(request, model.objects.only("pk", "organization_id"), pk, operation)
    if not may(mine.role, "emails.view"):
        return HttpResponse()
    emails = ScheduledEmail.objects.for_member(mine).filter(**{name: row.pk}).order_by("-send_at", "-pk")
    rows = list(emails[:MOST])
    unsent = name != "contact" and not rows and model.objects.filter(pk=pk, content__isnull=False, sent_at=None, status__in=READY).exists()
    context = {
        "emails": rows,
        "is_next": unsent,
        "query": f"{name}={row.pk}",
        "about": name,
        "may_edit": may(mine.role, "emails.edit"),
        **(more or {}),
    }
    return render(request, "mailing/_panel.html", context)
