"""Invoices and what was paid of them. Issued ones are kept from change by triggers (migration 0002), not only by services."""

from datetime import date
from decimal import Decimal
from typing import Self

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import DecimalField, F, OuterRef, Q, Subquery, Sum, Value
from django.db.models.functions import Coalesce, TruncMonth
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7
from documents.models.quotes import Quote
from documents.models.sheets import DocumentQuerySet, Line, Sheet
from studio.models.owned import OwnedQuerySet

MONEY: DecimalField = DecimalField(max_digits=12, decimal_places=2)


class InvoiceQuerySet(DocumentQuerySet):
    def with_balance(self) -> Self:
        """Adds `paid` and `credited` (both ≥ 0 for an ordinary invoice) and `balance`, what is still owed."""
        paid = Payment.objects.filter(invoice=OuterRef("pk")).order_by().values("invoice").annotate(sum=Sum("amount")).values("sum")
        credit_notes = Invoice.objects.filter(credits=OuterRef("pk"), status=Invoice.Status.ISSUED).order_by()
        credited = credit_notes.values("credits").annotate(sum=-Sum("gross")).values("sum")
        nothing = Value(Decimal("0.00"), MONEY)
        rows = self.annotate(
            paid=Coalesce(Subquery(paid, MONEY), nothing, output_field=MONEY),
            credited=Coalesce(Subquery(credited, MONEY), nothing, output_field=MONEY),
        )
        return rows.annotate(balance=F("gross") - F("paid") - F("credited"))

    def issued(self) -> Self:
        return self.filter(status=Invoice.Status.ISSUED)

    def claims(self) -> Self:
        """Issued invoices that ask for money: no credit notes."""
        return self.issued().exclude(kind=Invoice.Kind.CREDIT_NOTE)

    def outstanding(self) -> Self:
        return self.claims().with_balance().filter(balance__gt=0)

    def overdue(self, *, today: date) -> Self:
        return self.outstanding().filter(due_on__lt=today)

    def settled(self) -> Self:
        return self.claims().with_balance().filter(balance__lte=0)

    def in_state(self, state: str, *, today: date) -> Self:
        """By what pages call it: `Invoice.state`."""
        states = Invoice.State
        rows: dict[str, Self] = {
            states.DRAFT: self.filter(status=Invoice.Status.DRAFT),
            states.CANCELLED: self.filter(status=Invoice.Status.CANCELLED),
            states.CREDIT: self.issued().filter(kind=Invoice.Kind.CREDIT_NOTE),
            states.PAID: self.settled(),
            states.OVERDUE: self.overdue(today=today),
            states.OPEN: self.outstanding().filter(paid=0).exclude(due_on__lt=today),
            states.PARTLY_PAID: self.outstanding().exclude(paid=0).exclude(due_on__lt=today),
        }
        return rows[state]

    def issued_per_month(self, *, since: date) -> dict[date, Decimal]:
        """By the first of the month: what was invoiced, less what was credited."""
        rows = self.exclude(status=Invoice.Status.DRAFT).filter(issued_on__gte=since).order_by()
        return dict(rows.annotate(_month=TruncMonth("issued_on")).values_list("_month").annotate(Sum("gross")))


class Invoice(Sheet):
    """A draft has no number. Amounts of a credit note are negative."""

    class Kind(models.TextChoices):
        STANDARD = "standard", _("Invoice")
        DEPOSIT = "deposit", _("Deposit invoice")
        BALANCE = "balance", _("Balance invoice")
        CREDIT_NOTE = "credit_note", _("Credit note")

    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        ISSUED = "issued", _("Issued")
        CANCELLED = "cancelled", _("Cancelled")  # by a full credit note

    class State(models.TextChoices):
        """What pages say of it: status, and what was paid until today."""

        DRAFT = "draft", _("Draft")
        OPEN = "open", _("To be paid")
        PARTLY_PAID = "partly_paid", _("Partly paid")
        OVERDUE = "overdue", _("Overdue")
        PAID = "paid", _("Paid")
        CANCELLED = "cancelled", _("Cancelled")
        CREDIT = "credit", _("Credit")

    kind = models.CharField(_("kind"), max_length=12, choices=Kind, default=Kind.STANDARD, editable=False)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.DRAFT, editable=False)
    quote = models.ForeignKey(Quote, models.SET_NULL, null=True, blank=True, editable=False, related_name="invoices")
    credits = models.ForeignKey("self", models.PROTECT, null=True, editable=False, related_name="credit_notes")
    issued_on = models.DateField(null=True, editable=False)
    due_on = models.DateField(_("due on"), null=True, blank=True)
    service_on = models.DateField(_("date of service"), null=True, blank=True)
    keep_until = models.DateField(null=True, editable=False)  # what the law asks for; nothing deletes it before

    objects = InvoiceQuerySet.as_manager()

    class Meta:
        verbose_name = _("invoice")
        verbose_name_plural = _("invoices")
        constraints = [
            models.UniqueConstraint(fields=["organization", "number"], condition=~Q(number=""), name="documents_invoice_number"),
            models.CheckConstraint(
                condition=(Q(status="draft") & Q(number="") & Q(issued_on=None))
                | (~Q(status="draft") & ~Q(number="") & Q(issued_on__isnull=False) & Q(content__isnull=False)),
                name="documents_invoice_number_at_issue",
            ),
            models.CheckConstraint(condition=Q(kind="credit_note") ^ Q(credits=None), name="documents_credit_note_credits"),
        ]
        indexes = [
            models.Index(fields=["organization", "-created_at", "-id"], name="documents_invoice_list"),
            models.Index(fields=["organization", "status", "due_on"], name="documents_invoice_due"),
            models.Index(fields=["organization", "issued_on"], name="documents_invoice_issued"),
            GinIndex(SearchVector("search_text", config="simple"), name="documents_invoice_search"),
        ]

    paid: Decimal  # by `with_balance`
    credited: Decimal
    balance: Decimal

    @property
    def state(self) -> str:
        """Needs `with_balance`."""
        if self.status != self.Status.ISSUED:
            return self.State(self.status)
        if self.kind == self.Kind.CREDIT_NOTE:
            return self.State.CREDIT
        if self.balance <= 0:
            return self.State.PAID
        if self.due_on and self.due_on < timezone.localdate():
            return self.State.OVERDUE
        return self.State.PARTLY_PAID if self.paid else self.State.OPEN

    @property
    def state_label(self) -> str:
        return str(self.State(self.state).label)


class InvoiceLine(Line):
    invoice = models.ForeignKey(Invoice, models.CASCADE, related_name="lines")

    class Meta(Line.Meta):
        verbose_name = _("line of an invoice")
        verbose_name_plural = _("lines of invoices")
        indexes = [models.Index(fields=["invoice", "position"], name="documents_invoice_lines")]


class PaymentQuerySet(OwnedQuerySet):
    def per_month(self, *, since: date) -> dict[date, Decimal]:
        """By the first of the month: what came in, less what went back."""
        rows = self.filter(paid_on__gte=since).order_by()
        return dict(rows.annotate(_month=TruncMonth("paid_on")).values_list("_month").annotate(Sum("amount")))


class Payment(models.Model):
    """Money that came in, or went back (negative). Rows are added and never changed; a mistake is undone by a row of its own."""

    class Method(models.TextChoices):
        TRANSFER = "transfer", _("Bank transfer")
        CARD = "card", _("Card")
        CASH = "cash", _("Cash")
        CHEQUE = "cheque", _("Cheque")
        OTHER = "other", _("Other")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey("accounts.Organization", models.PROTECT, related_name="+")
    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="payments")
    amount = models.DecimalField(_("amount"), max_digits=12, decimal_places=2)
    paid_on = models.DateField(_("paid on"))
    method = models.CharField(_("method"), max_length=10, choices=Method, default=Method.TRANSFER)
    reference = models.CharField(_("reference"), max_length=100, blank=True)
    reverses = models.OneToOneField("self", models.PROTECT, null=True, editable=False, related_name="reversed_by")
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+")
    recorded_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = PaymentQuerySet.as_manager()

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        ordering = ["paid_on", "recorded_at", "id"]
        constraints = [models.CheckConstraint(condition=~Q(amount=0), name="documents_payment_of_something")]
        indexes = [models.Index(fields=["organization", "paid_on"], name="documents_payment_on")]

    def __str__(self) -> str:
        return f"{self.amount} {self.paid_on}"
