"""Invoices: drafted, issued, credited. What is issued never changes; a mistake is undone by a credit note."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.models import Organization, User
from audit.services import record
from documents.amounts import ZERO, Totals, part
from documents.content import invoice_content, quote_deposit
from documents.models import Identity, Invoice, InvoiceLine, NumberSeries, Quote
from documents.models.sheets import Line
from documents.printing import Writing, digest
from documents.services.errors import NotPossible
from documents.services.identities import complete_identity
from documents.services.numbering import allot
from documents.services.sheets import DERIVED, LINE_FIELDS, SHEET_FIELDS, made_lines, reckon, require_whole, take
from documents.services.telling import tell

FIELDS = (*SHEET_FIELDS, "due_on")
KEPT_YEARS = 10  # code de commerce, art. L123-22; Belgium since 2023: code de la TVA, art. 60
Kind, Status = Invoice.Kind, Invoice.Status
CLOSING = (Kind.STANDARD, Kind.BALANCE)  # of a quote: all of it, or what its deposits leave


class Deposit(NamedTuple):
    """What an issued deposit takes off the rest: all of it but what was credited."""

    number: str
    totals: Totals

    @property
    def net(self) -> Decimal:
        return self.totals.net

    @property
    def gross(self) -> Decimal:
        return self.totals.gross


@transaction.atomic
def create_invoice(
    organization: Organization, *, fields: dict[str, Any], lines: Sequence[dict[str, Any]], actor: User, request: HttpRequest | None = None
) -> Invoice:
    """A draft without a quote. Raises NotPossible("discount") when the discount exceeds the lines."""
    return _create(Invoice(organization=organization), fields, lines, actor=actor, request=request)


@transaction.atomic
def edit_invoice(
    invoice: Invoice, *, fields: dict[str, Any], lines: Sequence[dict[str, Any]], actor: User, request: HttpRequest | None = None
) -> Invoice:
    """A draft only. Raises NotPossible("issued"), NotPossible("discount")."""
    invoice = _locked(invoice)
    if not invoice.is_draft:
        raise NotPossible("issued")
    changed = take(invoice, fields, FIELDS)
    rows = made_lines(InvoiceLine, {"invoice": invoice}, lines)
    reckoned(invoice, rows)
    invoice.save(update_fields=[*changed, "kind", *DERIVED])
    invoice.lines.all().delete()
    InvoiceLine.objects.bulk_create(rows)
    record("invoice.updated", invoice, actor=actor, request=request, organization_id=invoice.organization_id, fields=sorted(changed))
    return invoice


@transaction.atomic
def delete_invoice(invoice: Invoice, *, actor: User, request: HttpRequest | None = None) -> None:
    """A draft only. Raises NotPossible("issued")."""
    invoice = _locked(invoice)
    if not invoice.is_draft:
        raise NotPossible("issued")
    record("invoice.deleted", invoice, actor=actor, request=request, organization_id=invoice.organization_id)
    invoice.delete()


# --- from a quote -------------------------------------------------------------------------------------------------------------


@transaction.atomic
def invoice_deposit(quote: Quote, *, gross: Decimal | None = None, actor: User, request: HttpRequest | None = None) -> Invoice:
    """A draft for a deposit, by default what the quote asks for. Raises NotPossible("amount") beyond what is left of the quote."""
    quote = _locked_quote(quote)
    left = left_of(quote)
    asked = quote_deposit(quote) if gross is None else gross
    if not ZERO < asked <= left.gross:
        raise NotPossible("amount")
    with translation.override(quote.language):
        text = _("Deposit on quote %(number)s") % {"number": quote.number}
    lines = [
        {"description": text, "quantity": Decimal(1), "unit_price": amounts.gross, "vat_rate": rate}
        for rate, amounts in part(left, asked).by_rate.items()
        if amounts.gross
    ]
    fields = {**_of_quote(quote), "vat_included": True}
    return _create(Invoice(organization=quote.organization, quote=quote, kind=Kind.DEPOSIT), fields, lines, actor=actor, request=request)


@transaction.atomic
def invoice_balance(quote: Quote, *, actor: User, request: HttpRequest | None = None) -> Invoice:
    """A draft for the whole quote less its issued deposits, or for the whole quote when there are none.

    Raises NotPossible("invoiced") when there is a balance or a full invoice already, NotPossible("amount") when nothing is left.
    """
    quote = _locked_quote(quote)
    if quote.invoices.filter(kind__in=CLOSING).exclude(status=Status.CANCELLED).exists():
        raise NotPossible("invoiced")
    if left_of(quote).gross <= 0:
        raise NotPossible("amount")
    fields = {**_of_quote(quote), "discount_percent": quote.discount_percent, "discount_amount": quote.discount_amount}
    lines = [{name: getattr(line, name) for name in LINE_FIELDS} for line in quote.lines.filter(optional=False)]
    return _create(Invoice(organization=quote.organization, quote=quote), fields, lines, actor=actor, request=request)


def deposits_of(quote: Quote) -> list[Deposit]:
    return _issued_of(quote, Kind.DEPOSIT)


def left_of(quote: Quote) -> Totals:
    """What is not invoiced yet."""
    return quote.totals.minus([one.totals for one in _issued_of(quote, Kind.DEPOSIT, *CLOSING)])


def _issued_of(quote: Quote, *kinds: str) -> list[Deposit]:
    rows = quote.invoices.filter(kind__in=kinds, status=Status.ISSUED).order_by("issued_on", "number").prefetch_related("credit_notes")
    return [Deposit(row.number, row.totals.minus([-note.totals for note in row.credit_notes.all()])) for row in rows]


def reckoned(invoice: Invoice, lines: Sequence[Line]) -> list[Deposit]:
    """Take the totals of a draft from its lines, less the deposits on its quote that were issued until now, and say which those are."""
    reckon(invoice, lines)
    if invoice.quote is None or invoice.kind not in CLOSING:
        return []
    deposits = deposits_of(invoice.quote)
    invoice.kind = Kind.BALANCE if deposits else Kind.STANDARD
    if deposits:
        invoice.take_totals(invoice.totals.minus([deposit.totals for deposit in deposits]))
    return deposits


def _of_quote(quote: Quote) -> dict[str, Any]:
    names = ("project", "contact", "subject", "language", "currency", "vat_included", "reverse_charge", "client_reference", "service_on")
    return {name: getattr(quote, name) for name in names}


# --- issuing ------------------------------------------------------------------------------------------------------------------


@transaction.atomic
def issue_invoice(invoice: Invoice, *, actor: User | None, request: HttpRequest | None = None) -> Invoice:
    """Allot the number and freeze the content; its digest goes into the activity log.

    Raises Incomplete when the client, the lines or the studio's identity are wanting, NotPossible("issued") the second time and
    NotPossible("amount") when there is nothing to pay, or a deposit exceeds what is left of its quote.
    """
    invoice = _locked(invoice)
    if not invoice.is_draft:
        raise NotPossible("issued")
    lines = list(invoice.lines.all())
    require_whole(invoice, lines)
    identity = complete_identity(invoice.organization_id)
    if invoice.quote:  # one after the other, so that all that is issued of a quote adds up to it
        Quote.objects.select_for_update().get(pk=invoice.quote.pk)
    deducted = reckoned(invoice, lines)
    most = left_of(invoice.quote).gross if invoice.quote and invoice.kind == Kind.DEPOSIT else invoice.gross
    if not ZERO < invoice.gross <= most:
        raise NotPossible("amount")
    _freeze(invoice, lines, identity=identity, deducted=deducted)
    _tell(invoice, "invoice.issued", actor=actor, request=request, number=invoice.number, digest=invoice.content_digest)
    return invoice


@transaction.atomic
def credit_invoice(invoice: Invoice, *, gross: Decimal | None = None, actor: User, request: HttpRequest | None = None) -> Invoice:
    """Issue a credit note for an amount, by default for all that is not credited yet; a full one cancels the invoice.

    Raises NotPossible("draft"), NotPossible("credit_note"), NotPossible("cancelled"), or NotPossible("amount") beyond what is left.
    """
    invoice = _locked(invoice)
    if invoice.status != Status.ISSUED or invoice.kind == Kind.CREDIT_NOTE:
        raise NotPossible("credit_note" if invoice.kind == Kind.CREDIT_NOTE else invoice.status)
    earlier = [-note.totals for note in invoice.credit_notes.filter(status=Status.ISSUED)]
    left = invoice.totals.minus(earlier)
    amount = left.gross if gross is None else gross
    if not ZERO < amount <= left.gross:
        raise NotPossible("amount")
    note = _credit_note(invoice, part(left, amount), actor=actor)
    if amount == left.gross:
        invoice.status = Status.CANCELLED
        invoice.save(update_fields=["status"])
    _tell(note, "invoice.credited", actor=actor, request=request, number=note.number, digest=note.content_digest, credits=invoice.number)
    return note


def _credit_note(invoice: Invoice, totals: Totals, *, actor: User) -> Invoice:
    with translation.override(invoice.language):
        text = _("Credit on invoice %(number)s") % {"number": invoice.number}
    note = Invoice(organization=invoice.organization, kind=Kind.CREDIT_NOTE, credits=invoice, quote=invoice.quote, created_by=actor)
    take(note, {**{name: getattr(invoice, name) for name in SHEET_FIELDS}, "vat_included": True, "notes": ""}, SHEET_FIELDS)
    note.discount_percent = note.discount_amount = ZERO
    rows = made_lines(
        InvoiceLine, {"invoice": note},
        [{"description": text, "quantity": Decimal(1), "unit_price": amounts.gross, "vat_rate": rate}
         for rate, amounts in totals.by_rate.items() if amounts.gross],
    )  # fmt: skip
    note.take_totals(-totals)
    note.save(force_insert=True)
    InvoiceLine.objects.bulk_create(rows)
    _freeze(note, rows, identity=complete_identity(invoice.organization_id))
    return note


def _freeze(invoice: Invoice, lines: Sequence[InvoiceLine], *, identity: Identity, deducted: Sequence[Deposit] = ()) -> None:
    series = NumberSeries.Kind.CREDIT_NOTE if invoice.kind == Kind.CREDIT_NOTE else NumberSeries.Kind.INVOICE
    invoice.number, invoice.issued_on = allot(identity, series)
    if invoice.kind != Kind.CREDIT_NOTE and (invoice.due_on is None or invoice.due_on < invoice.issued_on):
        invoice.due_on = invoice.issued_on + timedelta(days=identity.payment_days)
    invoice.keep_until = date(invoice.issued_on.year + KEPT_YEARS, 12, 31)
    invoice.content = invoice_content(invoice, lines, identity=identity, deducted=deducted)
    invoice.content_digest = digest(invoice.content)
    invoice.status = Status.ISSUED
    invoice.derive_search()
    invoice.save(update_fields=["number", "issued_on", "due_on", "keep_until", "content", "content_digest", "status", "kind", *DERIVED])


@transaction.atomic
def mark_sent(invoice: Invoice, *, actor: User | None, request: HttpRequest | None = None) -> Invoice:
    """An issued one went to the client. Nothing to do the second time. Raises NotPossible("draft")."""
    invoice = _locked(invoice)
    if invoice.is_draft:
        raise NotPossible("draft")
    if invoice.sent_at is None:
        invoice.sent_at = timezone.now()
        invoice.save(update_fields=["sent_at"])
        _tell(invoice, "invoice.sent", actor=actor, request=request, number=invoice.number)
    return invoice


def _create(
    invoice: Invoice, fields: dict[str, Any], lines: Sequence[dict[str, Any]], *, actor: User, request: HttpRequest | None
) -> Invoice:
    invoice.created_by = actor
    take(invoice, fields, FIELDS)
    rows = made_lines(InvoiceLine, {"invoice": invoice}, lines)
    reckoned(invoice, rows)
    invoice.save(force_insert=True)
    InvoiceLine.objects.bulk_create(rows)
    _tell(invoice, "invoice.created", actor=actor, request=request)
    return invoice


def _locked(invoice: Invoice) -> Invoice:
    related = ("contact", "project", "quote", "credits", "organization")
    return Invoice.objects.select_for_update(of=("self",)).select_related(*related).get(pk=invoice.pk)


def _locked_quote(quote: Quote) -> Quote:
    """Raises NotPossible for one that the client has not accepted."""
    quote = Quote.objects.select_for_update(of=("self",)).select_related("contact", "project", "organization").get(pk=quote.pk)
    if quote.status != Quote.Status.ACCEPTED:
        raise NotPossible(quote.state)
    return quote


def _tell(invoice: Invoice, event: str, *, actor: User | None, request: HttpRequest | None, **details: Any) -> None:
    shown = {"number": invoice.number, "amount": amount_of(invoice)} if invoice.number else {}
    tell(invoice, event, actor=actor, request=request, shown=shown, **details)


def amount_of(invoice: Invoice) -> str:
    return Writing({"language": invoice.language, "currency": invoice.currency}).money(invoice.gross)
