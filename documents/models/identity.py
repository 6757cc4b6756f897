"""Who the studio is to the law and to the bank: what its documents print of itself."""

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from vault.fields import SealedTextField
from vault.services import Owner, organization


class Identity(models.Model):
    """One row a studio; documents can be drafted without, but none can be issued while it is not `complete`."""

    class VatScheme(models.TextChoices):
        STANDARD = "standard", _("VAT is charged")
        FRANCHISE = "franchise", _("Small enterprise, no VAT")

    organization = models.OneToOneField("accounts.Organization", models.CASCADE, primary_key=True, related_name="identity")
    legal_name = models.CharField(_("name on documents"), max_length=200, blank=True)
    legal_form = models.CharField(_("legal form and capital"), max_length=200, blank=True)
    street = models.TextField(_("street"), max_length=300, blank=True)
    postcode = models.CharField(_("postcode"), max_length=20, blank=True)
    city = models.CharField(_("city"), max_length=100, blank=True)
    country = models.CharField(_("country"), max_length=2, default="FR")  # ISO 3166-1 alpha-2
    email = models.EmailField(_("e-mail"), max_length=254, blank=True)
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    company_number = models.CharField(_("company number"), max_length=30, blank=True)  # SIRET, BCE/KBO, …
    register = models.CharField(_("trade register"), max_length=100, blank=True)
    vat_number = models.CharField(_("VAT number"), max_length=20, blank=True)
    vat_scheme = models.CharField(_("VAT"), max_length=10, choices=VatScheme, default=VatScheme.STANDARD)
    vat_on_debits = models.BooleanField(_("VAT on the basis of debits"), default=False)
    currency = models.CharField(_("currency"), max_length=3, default="EUR")  # ISO 4217
    iban = SealedTextField("IBAN", max_length=42)
    bic = models.CharField("BIC", max_length=11, blank=True)
    account_holder = models.CharField(_("account holder"), max_length=70, blank=True)
    default_vat_rate = models.DecimalField(_("usual VAT rate"), max_digits=5, decimal_places=2, default=Decimal("20.00"))
    prices_include_vat = models.BooleanField(_("prices include VAT"), default=False)
    payment_days = models.PositiveSmallIntegerField(_("days to pay"), default=30, validators=[MaxValueValidator(90)])
    quote_days = models.PositiveSmallIntegerField(
        _("days a quote is valid"), default=30, validators=[MinValueValidator(1), MaxValueValidator(365)]
    )  # fmt: skip
    deposit_percent = models.DecimalField(
        _("usual deposit"), max_digits=5, decimal_places=2, default=Decimal("30.00"),
        validators=[MinValueValidator(0), MaxValueValidator(100)],
    )  # fmt: skip
    quote_prefix = models.CharField(_("prefix of quotes"), max_length=10, default="D-")
    contract_prefix = models.CharField(_("prefix of contracts"), max_length=10, default="C-")
    invoice_prefix = models.CharField(_("prefix of invoices"), max_length=10, default="F-")
    credit_note_prefix = models.CharField(_("prefix of credit notes"), max_length=10, default="A-")

    class Meta:
        verbose_name = _("identity on documents")
        verbose_name_plural = _("identities on documents")

    def __str__(self) -> str:
        return self.legal_name

    @property
    def key_owner(self) -> Owner:
        return organization(self.organization_id)

    @property
    def missing(self) -> list[str]:
        """Names of fields without which nothing may be issued."""
        needed = ["legal_name", "street", "postcode", "city", "country", "company_number"]
        if self.vat_scheme == self.VatScheme.STANDARD:
            needed.append("vat_number")
        return [name for name in needed if not getattr(self, name)]

    @property
    def charges_vat(self) -> bool:
        return self.vat_scheme == self.VatScheme.STANDARD

    @property
    def address_lines(self) -> list[str]:
        town = " ".join(part for part in (self.postcode, self.city) if part)
        return [line for line in (*self.street.splitlines(), town) if line.strip()]
