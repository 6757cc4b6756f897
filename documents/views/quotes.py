"""`/quotes/…`: written, made ready, sent by hand, answered, revised; and what follows from one that is accepted."""

from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Q, Sum
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from accounts.http import UserRequest
from accounts.studio_roles import may
from documents.forms.acts import AmountForm, AnswerForm, DeclineForm
from documents.forms.filters import QuoteFilterForm
from documents.models import ContractTemplate, Invoice, Quote
from documents.services import acts, invoices, quotes
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

Status = Quote.Status
RELATED = ("contact", "project", "revises")


def _rows() -> Any:
    return Quote.objects.select_related(*RELATED).defer("search_text")


@require_GET
@vary_on_headers("HX-Request")
def quote_list(request: UserRequest) -> HttpResponse:
    mine = here(request, "documents.view")
    identity = identity_of(mine.organization_id)
    own = Quote.objects.for_organization(mine.organization)
    late = Q(status=Status.SENT, valid_until__lt=today_in(identity.country))
    sums = own.aggregate(
        waiting=Sum("gross", filter=Q(status=Status.SENT) & ~late), accepted=Sum("gross", filter=Q(status=Status.ACCEPTED)),
        drafted=Sum("gross", filter=Q(status=Status.DRAFT)),
    )  # fmt: skip
    figures = [(_("Waiting for an answer"), sums["waiting"]), (_("Accepted"), sums["accepted"]), (_("Drafts"), sums["drafted"])]
    return list_page(request, mine, Listing("quote", own, QuoteFilterForm, figures, identity, "documents.edit"))


@require_http_methods(["GET", "POST"])
def quote_add(request: UserRequest) -> HttpResponse:
    mine = here(request, "documents.edit")
    asked = asked_for(request, mine)
    if asked is None:
        return choose(request, mine, kind="quote")
    project, contact = asked
    initial = quotes.new_quote_fields(mine.organization) | {"language": contact.language if contact else request.user.language}
    initial |= {"subject": project.title if project else "", "service_on": service_day(project)}
    identity = identity_of(mine.organization_id)
    editor = Editor(request, Quote(organization=mine.organization), identity=identity, contact=contact, project=project, initial=initial)
    said = _("The quote is drafted. Read it through, then make it ready.")
    return editor.stored(partial(quotes.create_quote, mine.organization), said)


@require_http_methods(["GET", "POST"])
@gone_is_404
def quote_edit(request: UserRequest, pk: UUID) -> HttpResponse:
    quote, mine = found(request, _rows(), pk, "documents.edit")
    if not quote.is_draft:
        refuse(request, NotPossible("sent"))
        return redirect("documents:quote", pk=pk)
    asked = asked_of_draft(request, mine, quote)
    if asked is None:
        return choose(request, mine, kind="quote", draft=quote)
    project, contact = asked
    editor = Editor(request, quote, identity=identity_of(quote.organization_id), contact=contact, project=project)
    return editor.stored(partial(quotes.edit_quote, quote), _("Saved."))


@require_GET
def quote(request: UserRequest, pk: UUID) -> HttpResponse:
    row, mine = found(request, _rows(), pk, "documents.view")
    return _page(request, row, mine)


def _page(request: UserRequest, row: Quote, mine: Any, *, status: int = 200, **forms: Any) -> HttpResponse:
    may_edit = may(mine.role, "documents.edit")
    accepted = row.status == Status.ACCEPTED
    sees_invoices = may(mine.role, "invoices.view")
    follows = Invoice.objects.filter(quote=row).with_balance().order_by("created_at").defer("content", "search_text")
    contracts, billed = list(row.contracts.order_by("created_at").defer("content", "text", "search_text")), list(follows)
    context = {
        **common(row, mine, may_edit=may_edit),
        "quote": row,
        "first_step": "balance" if billed else "deposit" if contracts or not may_edit else "contract",
        "answer": forms.get("answer")
        or AnswerForm(options=_options(row), initial={"name": row.contact.person_name if row.contact else ""}),
        "decline": DeclineForm(),
        "revisions": row.revisions.order_by("revision"),
        "contracts": contracts,
        "invoices": billed if sees_invoices else [],
        "templates": _templates(row) if accepted and may_edit else [],
        "may_invoice": accepted and may(mine.role, "invoices.edit"),
        "all_invoiced": any(one.kind in invoices.CLOSING and one.status == Invoice.Status.ISSUED for one in billed),
        "may_revise": row.status in {Status.SENT, Status.DECLINED} and may_edit,
        "deposit_form": AmountForm(),
    }
    return render(request, "documents/quote_detail.html", context, status=status)


def _templates(row: Quote) -> list[ContractTemplate]:
    """The studio's in the client's language; where there is none, all."""
    rows = list(ContractTemplate.objects.for_organization(row.organization_id).order_by("name"))
    return [template for template in rows if template.language == row.language] or rows


def _options(row: Quote) -> list[tuple[int, str]]:
    if row.status != Status.SENT:
        return []
    return [(line["position"], line["description"]) for line in row.lines.filter(optional=True).values("position", "description")]


@require_GET
def quote_pdf(request: UserRequest, pk: UUID) -> HttpResponse:
    row, _mine = found(request, _rows(), pk, "documents.view")
    return pdf_response(request, row)


@require_POST
@gone_is_404
def quote_ready(request: UserRequest, pk: UUID) -> HttpResponse:
    row, _mine = found(request, _rows(), pk, "documents.edit")
    said = _("The quote is ready: send it by e-mail, or hand it over and mark it as sent.")
    return attempt(request, row, lambda: quotes.make_ready(row, actor=request.user, request=request), said)


@require_POST
@gone_is_404
def quote_sent(request: UserRequest, pk: UUID) -> HttpResponse:
    row, _mine = found(request, _rows(), pk, "documents.edit")
    said = _("Marked as sent. From now on it does not change.")
    return attempt(request, row, lambda: quotes.mark_sent(row, actor=request.user, request=request), said)


@require_POST
@gone_is_404
def quote_accepted(request: UserRequest, pk: UUID) -> HttpResponse:
    """The client said yes on paper, by mail or on the phone."""
    row, mine = found(request, _rows(), pk, "documents.edit")
    form = AnswerForm(request.POST, options=_options(row))
    if not form.is_valid():
        return _page(request, row, mine, status=422, answer=form)
    act = acts.Act(form.cleaned_data["name"], recorded_by=request.user)
    taken = form.cleaned_data.get("options", [])
    said = _("The acceptance is recorded. Next: the contract, or the deposit invoice.")
    return attempt(request, row, lambda: quotes.accept_quote(row, act, options=taken, request=request), said)


@require_POST
@gone_is_404
def quote_declined(request: UserRequest, pk: UUID) -> HttpResponse:
    row, _mine = found(request, _rows(), pk, "documents.edit")
    reason = request.POST.get("reason", "").strip()[:1_000]
    said = _("The refusal is recorded.")
    return attempt(request, row, lambda: acts.decline(row, reason=reason, actor=request.user, request=request), said)


@require_POST
@gone_is_404
def quote_revise(request: UserRequest, pk: UUID) -> HttpResponse:
    row, _mine = found(request, _rows(), pk, "documents.edit")
    try:
        new = quotes.revise_quote(row, actor=request.user, request=request)
    except NotPossible as fault:
        refuse(request, fault)
        return redirect("documents:quote", pk=pk)
    messages.success(request, _("This is the new version. The old one holds until you send this one."))
    return redirect("documents:quote_edit", pk=new.pk)


@require_http_methods(["GET", "POST"])
@gone_is_404
def quote_delete(request: UserRequest, pk: UUID) -> HttpResponse:
    row, _mine = found(request, _rows(), pk, "documents.edit")
    return delete_page(request, row, acts.delete_draft)


@require_POST
@gone_is_404
def quote_deposit(request: UserRequest, pk: UUID) -> HttpResponse:
    """A draft of the deposit invoice, for what the quote asks or another amount."""
    row, _mine = found(request, _rows(), pk, "invoices.edit")
    form = AmountForm(request.POST)
    gross = form.cleaned_data["amount"] if form.is_valid() else None
    return _invoiced(request, row, lambda: invoices.invoice_deposit(row, gross=gross, actor=request.user, request=request))


@require_POST
@gone_is_404
def quote_balance(request: UserRequest, pk: UUID) -> HttpResponse:
    """A draft for the whole, less what deposits have asked for."""
    row, _mine = found(request, _rows(), pk, "invoices.edit")
    return _invoiced(request, row, lambda: invoices.invoice_balance(row, actor=request.user, request=request))


def _invoiced(request: UserRequest, row: Quote, make: Any) -> HttpResponse:
    try:
        invoice = make()
    except NotPossible as fault:
        refuse(request, fault)
        return redirect("documents:quote", pk=row.pk)
    messages.success(request, _("The invoice is drafted. Read it through, then issue it."))
    return redirect("documents:invoice", pk=invoice.pk)
