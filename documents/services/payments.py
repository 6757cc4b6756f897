"""Payments of invoices: added, and undone by a row of the other sign."""

from datetime import date
from decimal import Decimal

from django.db import transaction
from django.http import HttpRequest

from accounts.models import User
from audit.services import record
from documents.models import Invoice, Payment
from documents.printing import Writing
from documents.services.errors import NotPossible
from studio.services.timeline import add_entry


@transaction.atomic
def record_payment(
    invoice: Invoice,
    *,
    amount: Decimal,
    paid_on: date,
    method: str = Payment.Method.TRANSFER,
    reference: str = "",
    actor: User | None,
    request: HttpRequest | None = None,
) -> Payment:
    """Raises NotPossible("draft") before it is issued, NotPossible("credit_note"), NotPossible("amount") for none or more than is owed."""
    invoice = _locked(invoice)
    if invoice.is_draft or invoice.kind == Invoice.Kind.CREDIT_NOTE:
        raise NotPossible("draft" if invoice.is_draft else "credit_note")
    if not 0 < amount <= invoice.balance:
        raise NotPossible("amount")
    payment = Payment.objects.create(
        organization_id=invoice.organization_id, invoice=invoice, amount=amount, paid_on=paid_on, method=method, reference=reference,
        recorded_by=actor,
    )  # fmt: skip
    _tell(payment, "payment.recorded", actor=actor, request=request)
    return payment


@transaction.atomic
def reverse_payment(payment: Payment, *, actor: User, request: HttpRequest | None = None) -> Payment:
    """A row that takes it back, for a mistake or money returned. Raises NotPossible("reversed") the second time."""
    invoice = _locked(payment.invoice)
    payment = Payment.objects.get(pk=payment.pk)
    if payment.reverses_id or Payment.objects.filter(reverses=payment).exists():
        raise NotPossible("reversed")
    back = Payment.objects.create(
        organization_id=invoice.organization_id, invoice=invoice, amount=-payment.amount, paid_on=payment.paid_on, method=payment.method,
        reference=payment.reference, reverses=payment, recorded_by=actor,
    )  # fmt: skip
    _tell(back, "payment.reversed", actor=actor, request=request)
    return back


def _locked(invoice: Invoice) -> Invoice:
    Invoice.objects.select_for_update().get(pk=invoice.pk)
    return Invoice.objects.with_balance().select_related("project").get(pk=invoice.pk)


def _tell(payment: Payment, event: str, *, actor: User | None, request: HttpRequest | None) -> None:
    invoice = payment.invoice
    amount = Writing({"language": invoice.language, "currency": invoice.currency}).money(abs(payment.amount))
    details = {"payment_id": str(payment.pk), "amount": f"{payment.amount:.2f}", "method": payment.method}
    record(event, invoice, actor=actor, request=request, organization_id=invoice.organization_id, **details)
    if invoice.project:
        words = {"amount": amount, "number": invoice.number}
        add_entry(invoice.project, event, actor=actor, url_name="documents:invoice", target_id=invoice.pk, **words)
