"""What documents have in common: a client; the day until which an offer stands; lines and what they come to."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from aaperture.lib.search import searchable
from aaperture.lib.uuid7 import uuid7
from documents import amounts
from documents.amounts import ZERO, Amounts, Totals
from studio.models.owned import SearchableQuerySet

LARGEST = Decimal("99999999.99")
PERCENT = [MinValueValidator(0), MaxValueValidator(100)]


class DocumentQuerySet(SearchableQuerySet):
    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-pk")

    def for_lists(self) -> Self:
        return self.select_related("contact", "project").defer("search_text", "content", "contact__phone", "project__search_text")


class Document(models.Model):
    """`content` is what was printed, frozen when it went out (`documents.content`); `content_digest` is its SHA-256 in hex."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey("accounts.Organization", models.PROTECT, related_name="%(class)ss")
    project = models.ForeignKey(
        "studio.Project", models.SET_NULL, null=True, blank=True, related_name="%(class)ss", verbose_name=_("project")
    )  # fmt: skip
    contact = models.ForeignKey(
        "studio.Contact", models.SET_NULL, null=True, blank=True, related_name="%(class)ss", verbose_name=_("client")
    )  # fmt: skip
    number = models.CharField(_("number"), max_length=32, blank=True, editable=False)
    subject = models.CharField(_("subject"), max_length=200)
    language = models.CharField(_("language"), max_length=5, choices=settings.LANGUAGES, default="en")
    content = models.JSONField(null=True, editable=False)
    content_digest = models.CharField(max_length=64, blank=True, editable=False)
    archive_key = models.CharField(max_length=200, blank=True, editable=False)  # of the PDF in the object store
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    sent_at = models.DateTimeField(null=True, editable=False)
    search_text = models.TextField(blank=True, editable=False)

    status: str  # each kind has its own

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.number or self.subject

    @property
    def is_draft(self) -> bool:
        return self.status == "draft"

    def derive_search(self) -> None:
        """From number, subject and client; a number is found with its hyphens and without."""
        client = f"{self.contact.person_name} {self.contact.company_name}" if self.contact else ""
        self.search_text = searchable(f"{self.number} {self.number.replace('-', ' ')} {self.subject} {client}")[:20_000]


class OfferQuerySet(DocumentQuerySet):
    def in_state(self, state: str, *, today: date) -> Self:
        """By what pages call it: a sent one past its date is expired, without any job having said so."""
        late = Q(status="sent", valid_until__lt=today)
        return self.filter(late) if state == "expired" else self.filter(status=state).exclude(late)

    def waiting(self, *, today: date) -> Self:
        return self.in_state("sent", today=today)


class Offer(models.Model):
    """A document that the client accepts or declines, until a day. Its `Status` has `sent` and `expired`, which is computed."""

    Status: Any
    status: str
    valid_until = models.DateField(_("valid until"), null=True, blank=True)
    issued_on = models.DateField(null=True, editable=False)
    answered_at = models.DateTimeField(null=True, editable=False)
    decline_reason = models.CharField(max_length=1_000, blank=True, editable=False)

    class Meta:
        abstract = True

    @property
    def state(self) -> str:
        """The status, or `expired`."""
        late = self.status == self.Status.SENT and self.valid_until is not None and self.valid_until < timezone.localdate()
        return str(self.Status.EXPIRED) if late else self.status

    @property
    def state_label(self) -> str:
        return str(self.Status(self.state).label)


class Sheet(Document):
    """A document with lines. Totals are stored with it, so that lists and charts need not add up lines."""

    currency = models.CharField(_("currency"), max_length=3, default="EUR")
    vat_included = models.BooleanField(_("prices include VAT"), default=False)
    discount_percent = models.DecimalField(_("discount in %"), max_digits=5, decimal_places=2, default=ZERO, validators=PERCENT)
    discount_amount = models.DecimalField(
        _("discount"), max_digits=10, decimal_places=2, default=ZERO, validators=[MinValueValidator(0)]
    )  # fmt: skip
    reverse_charge = models.BooleanField(_("reverse charge"), default=False)  # VAT owed by a business client in another country
    notes = models.TextField(_("text below the lines"), max_length=5_000, blank=True)
    client_reference = models.CharField(_("client’s reference"), max_length=100, blank=True)
    net = models.DecimalField(max_digits=12, decimal_places=2, default=ZERO, editable=False)
    vat = models.DecimalField(max_digits=12, decimal_places=2, default=ZERO, editable=False)
    gross = models.DecimalField(max_digits=12, decimal_places=2, default=ZERO, editable=False)
    discount_total = models.DecimalField(max_digits=12, decimal_places=2, default=ZERO, editable=False)
    by_rate = models.JSONField(default=list, editable=False)  # [{"rate": "20.00", "net": "…", "vat": "…"}], highest rate first

    class Meta:
        abstract = True

    def reckon(self, lines: Iterable["Line"]) -> Totals:
        """What lines come to. Raises ValueError for a discount that exceeds them."""
        return amounts.totals(
            [line.as_amount(free_of_vat=self.reverse_charge) for line in lines if not line.optional],
            discount=self.discount_amount,
            discount_percent=self.discount_percent,
            vat_included=self.vat_included,
        )

    def take_totals(self, totals: Totals) -> None:
        self.net, self.vat, self.gross, self.discount_total = totals.net, totals.vat, totals.gross, totals.discount
        self.by_rate = [
            {"rate": f"{rate:.2f}", "net": f"{part.net:.2f}", "vat": f"{part.vat:.2f}"} for rate, part in totals.by_rate.items()
        ]

    @property
    def totals(self) -> Totals:
        return totals_of(self.by_rate, self.discount_total)


def totals_of(by_rate: Iterable[Mapping[str, Any]], discount: Decimal = ZERO) -> Totals:
    return Totals({Decimal(row["rate"]): Amounts(Decimal(row["net"]), Decimal(row["vat"])) for row in by_rate}, discount)


TOTALS = ("net", "vat", "gross", "discount_total", "by_rate")


class Line(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    position = models.PositiveSmallIntegerField(default=0, editable=False)
    description = models.CharField(_("description"), max_length=300)
    details = models.TextField(_("details"), max_length=2_000, blank=True)
    quantity = models.DecimalField(_("quantity"), max_digits=9, decimal_places=3, default=Decimal(1), validators=[MinValueValidator(0)])
    unit = models.CharField(_("unit"), max_length=20, blank=True)
    unit_price = models.DecimalField(_("unit price"), max_digits=11, decimal_places=4, validators=[MinValueValidator(0)])
    vat_rate = models.DecimalField(_("VAT in %"), max_digits=5, decimal_places=2, validators=PERCENT)
    discount = models.DecimalField(_("discount in %"), max_digits=5, decimal_places=2, default=ZERO, validators=PERCENT)
    optional = models.BooleanField(_("option"), default=False)  # offered, not counted, until the client takes it

    class Meta:
        abstract = True
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.description

    def as_amount(self, *, free_of_vat: bool = False) -> amounts.Line:
        rate = ZERO if free_of_vat else self.vat_rate
        return amounts.Line(Decimal(self.quantity), Decimal(self.unit_price), Decimal(rate), Decimal(self.discount))

    @property
    def amount(self) -> Decimal:
        return self.as_amount().amount
