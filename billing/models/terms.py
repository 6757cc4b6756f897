"""What staff settle about contributions while the instance runs."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

LEAST, MOST = 50, 1_000_000  # cents: Stripe takes no less, and nobody means more


def cents(label: Any, default: int) -> models.PositiveIntegerField:
    return models.PositiveIntegerField(label, default=default, validators=[MinValueValidator(LEAST), MaxValueValidator(MOST)])


def suggested_once() -> list[int]:
    return [500, 1500, 3000, 6000]


def suggested_monthly() -> list[int]:
    return [300, 500, 1000, 2000]


class ContributionTerms(models.Model):
    """The one row of terms: amounts in cents, and what premium asks for."""

    class Currency(models.TextChoices):
        EUR = "eur", _("Euro")
        CHF = "chf", _("Swiss franc")
        GBP = "gbp", _("Pound sterling")
        USD = "usd", _("US dollar")

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    currency = models.CharField(_("currency"), max_length=3, choices=Currency, default=Currency.EUR)
    minimum = cents(_("smallest amount, in cents"), 100)
    maximum = cents(_("largest amount, in cents"), 100_000)
    once_amounts = ArrayField(models.PositiveIntegerField(), verbose_name=_("suggested once, in cents"), default=suggested_once, size=6)
    once_highlighted = cents(_("highlighted once, in cents"), 1500)
    monthly_amounts = ArrayField(
        models.PositiveIntegerField(), verbose_name=_("suggested monthly, in cents"), default=suggested_monthly, size=6
    )
    monthly_highlighted = cents(_("highlighted monthly, in cents"), 500)
    premium_once = cents(_("least single contribution for premium, in cents"), 1500)
    premium_monthly = cents(_("least monthly contribution for premium, in cents"), 300)
    premium_days = models.PositiveSmallIntegerField(
        _("days of premium for a single contribution"), default=365, validators=[MinValueValidator(1), MaxValueValidator(3660)]
    )
    coaches_are_premium = models.BooleanField(_("coaches are premium"), default=True)
    coached_are_premium = models.BooleanField(_("clients of a coach are premium"), default=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("terms of contributions")
        verbose_name_plural = _("terms of contributions")
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="billing_one_row_of_terms")]

    def __str__(self) -> str:
        return str(_("Terms of contributions"))

    def clean(self) -> None:
        if self.minimum > self.maximum:
            raise ValidationError({"maximum": _("The largest amount is below the smallest.")})
        for name, highlighted in (("once_amounts", "once_highlighted"), ("monthly_amounts", "monthly_highlighted")):
            amounts = getattr(self, name) or []
            if not all(self.minimum <= amount <= self.maximum for amount in amounts):
                raise ValidationError({name: _("Suggest amounts between the smallest and the largest.")})
            if getattr(self, highlighted) not in amounts:
                raise ValidationError({highlighted: _("Highlight one of the suggested amounts.")})

    @classmethod
    def current(cls) -> "ContributionTerms":
        """The stored row, or the defaults while nobody has changed anything."""
        return cls.objects.filter(pk=1).first() or cls()
