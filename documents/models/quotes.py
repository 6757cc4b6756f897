"""Quotes: what would be done for how much, until when that holds, and what the client said."""

from datetime import datetime
from typing import Self

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from documents.amounts import ZERO
from documents.models.sheets import PERCENT, Line, Offer, OfferQuerySet, Sheet


class QuoteQuerySet(OfferQuerySet):
    def to_go_on_with(self, *, since: datetime) -> Self:
        """Accepted then or later, and nothing is invoiced; a contract that is being written or waits for the client is a next step too."""
        rows = self.filter(status=Quote.Status.ACCEPTED, answered_at__gte=since)
        return rows.exclude(invoices__isnull=False).exclude(contracts__status__in=["draft", "sent"])


class Quote(Offer, Sheet):
    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        SENT = "sent", _("Sent")
        ACCEPTED = "accepted", _("Accepted")
        DECLINED = "declined", _("Declined")
        EXPIRED = "expired", _("Expired")  # computed, never stored
        SUPERSEDED = "superseded", _("Superseded")

    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.DRAFT, editable=False)
    service_on = models.DateField(_("date of service"), null=True, blank=True)
    deposit_percent = models.DecimalField(_("deposit in %"), max_digits=5, decimal_places=2, default=ZERO, validators=PERCENT)
    deposit_amount = models.DecimalField(
        _("deposit"), max_digits=10, decimal_places=2, default=ZERO, validators=[MinValueValidator(0)]
    )  # fmt: skip
    revises = models.ForeignKey("self", models.SET_NULL, null=True, editable=False, related_name="revisions")
    revision = models.PositiveSmallIntegerField(default=1, editable=False)

    objects = QuoteQuerySet.as_manager()

    class Meta:
        verbose_name = _("quote")
        verbose_name_plural = _("quotes")
        constraints = [
            models.UniqueConstraint(fields=["organization", "number"], condition=~Q(number=""), name="documents_quote_number"),
            models.CheckConstraint(condition=Q(status="draft") | ~Q(number=""), name="documents_quote_sent_has_number"),
            models.CheckConstraint(condition=~Q(status="expired"), name="documents_quote_expiry_is_computed"),
        ]
        indexes = [
            models.Index(fields=["organization", "-created_at", "-id"], name="documents_quote_list"),
            models.Index(fields=["organization", "status", "valid_until"], name="documents_quote_state"),
            GinIndex(SearchVector("search_text", config="simple"), name="documents_quote_search"),
        ]


class QuoteLine(Line):
    quote = models.ForeignKey(Quote, models.CASCADE, related_name="lines")

    class Meta(Line.Meta):
        verbose_name = _("line of a quote")
        verbose_name_plural = _("lines of quotes")
        indexes = [models.Index(fields=["quote", "position"], name="documents_quote_lines")]
