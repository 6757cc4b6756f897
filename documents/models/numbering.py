"""Numbers that are allotted one by one, without gaps: a row a studio, kind and year, locked until the document has it."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7


class NumberSeries(models.Model):
    class Kind(models.TextChoices):
        QUOTE = "quote", _("Quotes")
        CONTRACT = "contract", _("Contracts")
        INVOICE = "invoice", _("Invoices")
        CREDIT_NOTE = "credit_note", _("Credit notes")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey("accounts.Organization", models.CASCADE, related_name="+")
    kind = models.CharField(max_length=12, choices=Kind)
    year = models.PositiveSmallIntegerField()
    last_number = models.PositiveIntegerField(default=0)
    last_on = models.DateField(null=True)  # of the last number: the next may not be dated before it

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "kind", "year"], name="documents_one_series")]

    def __str__(self) -> str:
        return f"{self.kind} {self.year}: {self.last_number}"
