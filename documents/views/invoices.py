"""`/invoices/…`: drafted, issued, paid, credited."""

from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Sum
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from accounts.http import UserRequest
from accounts.models import Membership
from accounts.studio_roles import may
from documents.forms.acts import AmountForm, PaymentForm
from documents.forms.filters import InvoiceFilterForm
from documents.models import Invoice, Payment
from documents.printing import Writing
from documents.services import invoices, payments
from documents.services.errors import NotPossible
from documents.services.identities import identity_of
from documents.services.sheets import service_day
from documents.views.editor import Editor
from documents.views.lists import Listing, list_page
from documents.views.pdfs import pdf_response
from documents.views.possible import asked_for, asked_of_draft, attempt, choose, delete_page, gone_is_404, refuse
from documents.views.sidebar import common
from documents.zones import today_in
from studio.access import found, here

Kind, Status = Invoice.Kind, Invoice.Status


def _rows() -> Any:
    return Invoice.objects.with_balance().select_related("contact", "project", "quote", "credits").defer("search_text")


@require_GET
@vary_on_headers("HX-Request")
def invoice_list(request: UserRequest) -> HttpResponse:
    mine = here(request, "invoices.view")
    identity = identity_of(mine.organization_id)
    own = Invoice.objects.for_organization(mine.organization)
    today = today_in(identity.country)
    owed = own.outstanding().aggregate(sum=Sum("balance"))["sum"]
    late = own.overdue(today=today).aggregate(sum=Sum("balance"))["sum"]
    paid = Payment.objects.filter(organization=mine.organization, paid_on__year=today.year).aggregate(sum=Sum("amount"))["sum"]
    figures = [(_("To be paid"), owed), (_("Overdue"), late), (_("Received in %(year)s") % {"year": today.year}, paid)]
    return list_page(request, mine, Listing("invoice", own.with_balance(), InvoiceFilterForm, figures, identity, "invoices.edit"))


@require_http_methods(["GET", "POST"])
def invoice_add(request: UserRequest) -> HttpResponse:
    mine = here(request, "invoices.edit")
    asked = asked_for(request, mine)
    if asked is None:
        return choose(request, mine, kind="invoice")
    project, contact = asked
    identity = identity_of(mine.organization_id)
    initial = {
        "vat_included": identity.prices_include_vat, "language": contact.language if contact else request.user.language,
        "subject": project.title if project else "", "service_on": service_day(project),
    }  # fmt: skip
    editor = Editor(request, Invoice(organization=mine.organization), identity=identity, contact=contact, project=project, initial=initial)
    said = _("The invoice is drafted. Read it through, then issue it.")
    return editor.stored(partial(invoices.create_invoice, mine.organization), said)


@require_http_methods(["GET", "POST"])
@gone_is_404
def invoice_edit(request: UserRequest, pk: UUID) -> HttpResponse:
    row, mine = found(request, _rows(), pk, "invoices.edit")
    if not row.is_draft:
        refuse(request, NotPossible("issued"))
        return redirect("documents:invoice", pk=pk)
    asked = asked_of_draft(request, mine, row)
    if asked is None:
        return choose(request, mine, kind="invoice", draft=row)
    project, contact = asked
    editor = Editor(request, row, identity=identity_of(row.organization_id), contact=contact, project=project)
    return editor.stored(partial(invoices.edit_invoice, row), _("Saved."))


@require_GET
def invoice(request: UserRequest, pk: UUID) -> HttpResponse:
    row, mine = found(request, _rows(), pk, "invoices.view")
    return _page(request, row, mine)


def _page(
    request: UserRequest, row: Invoice, mine: Membership, *, payment: PaymentForm | None = None, status: int = 200
) -> HttpResponse:  # fmt: skip
    claim = row.status == Status.ISSUED and row.kind != Kind.CREDIT_NOTE
    may_pay = may(mine.role, "payments.edit") and claim and row.balance > 0
    writing = Writing({"language": (request.LANGUAGE_CODE or "en")[:2], "currency": row.currency})
    rows = list(row.payments.select_related("reversed_by").order_by("paid_on", "recorded_at")) if may(mine.role, "payments.view") else []
    today = today_in((row.content or {}).get("seller", {}).get("country", ""))
    context = {
        **common(row, mine, may_edit=may(mine.role, "invoices.edit")),
        "invoice": row,
        "balance": writing.money(row.balance),
        "paid": writing.money(row.paid) if row.paid else "",
        "credited": writing.money(row.credited) if row.credited else "",
        "payments": [(one, writing.money(one.amount), hasattr(one, "reversed_by")) for one in rows],
        "payment_form": payment or PaymentForm(initial={"amount": row.balance, "paid_on": today, "method": Payment.Method.TRANSFER}),
        "may_pay": may_pay,
        "may_reverse": may(mine.role, "payments.edit"),
        "may_credit": claim and may(mine.role, "invoices.edit"),
        "credit_notes": row.credit_notes.order_by("number").defer("content", "search_text"),
    }
    return render(request, "documents/invoice_detail.html", context, status=status)


@require_GET
def invoice_pdf(request: UserRequest, pk: UUID) -> HttpResponse:
    row, _mine = found(request, _rows(), pk, "invoices.view")
    return pdf_response(request, row)


@require_http_methods(["GET", "POST"])
@gone_is_404
def invoice_issue(request: UserRequest, pk: UUID) -> HttpResponse:
    """Asks first, since it cannot be undone."""
    row, _mine = found(request, _rows(), pk, "invoices.edit")
    if request.method == "GET":
        return render(request, "documents/invoice_issue.html", {"document": row, "amount": invoices.amount_of(row)})
    said = _("The invoice is issued. Send it by e-mail, or hand it over.")
    return attempt(request, row, lambda: invoices.issue_invoice(row, actor=request.user, request=request), said)


@require_POST
@gone_is_404
def invoice_sent(request: UserRequest, pk: UUID) -> HttpResponse:
    row, _mine = found(request, _rows(), pk, "invoices.edit")
    return attempt(request, row, lambda: invoices.mark_sent(row, actor=request.user, request=request), _("Marked as sent."))


@require_POST
@gone_is_404
def invoice_pay(request: UserRequest, pk: UUID) -> HttpResponse:
    row, mine = found(request, _rows(), pk, "payments.edit")
    form = PaymentForm(request.POST)
    if not form.is_valid():
        return _page(request, row, mine, payment=form, status=422)
    said = form.cleaned_data
    try:
        payments.record_payment(row, **said, actor=request.user, request=request)
    except NotPossible as fault:
        refuse(request, fault)
    else:
        messages.success(request, _("The payment is recorded."))
    return redirect("documents:invoice", pk=pk)


@require_http_methods(["GET", "POST"])
def payment_reverse(request: UserRequest, pk: UUID) -> HttpResponse:
    row, _mine = found(request, Payment.objects.select_related("invoice"), pk, "payments.edit")
    if request.method == "GET":
        amount = Writing({"language": (request.LANGUAGE_CODE or "en")[:2], "currency": row.invoice.currency}).money(row.amount)
        return render(request, "documents/payment_reverse.html", {"payment": row, "document": row.invoice, "amount": amount})
    said = _("The payment is taken back: a line of the opposite amount stands beside it.")
    return attempt(request, row.invoice, lambda: payments.reverse_payment(row, actor=request.user, request=request), said)


@require_http_methods(["GET", "POST"])
@gone_is_404
def invoice_credit(request: UserRequest, pk: UUID) -> HttpResponse:
    """A credit note, for all of it or an amount; asks first."""
    row, _mine = found(request, _rows(), pk, "invoices.edit")
    form = AmountForm(request.POST or None, label_suffix="")
    if request.method == "POST" and form.is_valid():
        try:
            note = invoices.credit_invoice(row, gross=form.cleaned_data["amount"], actor=request.user, request=request)
        except NotPossible as fault:
            refuse(request, fault)
            return redirect("documents:invoice", pk=pk)
        messages.success(request, _("The credit note %(number)s is issued.") % {"number": note.number})
        return redirect("documents:invoice", pk=note.pk)
    context = {"document": row, "form": form, "amount": invoices.amount_of(row)}
    return render(request, "documents/invoice_credit.html", context, status=422 if request.method == "POST" else 200)


@require_http_methods(["GET", "POST"])
@gone_is_404
def invoice_delete(request: UserRequest, pk: UUID) -> HttpResponse:
    row, _mine = found(request, _rows(), pk, "invoices.edit")
    return delete_page(request, row, invoices.delete_invoice)
