"""The links by which clients reach a document without an account, and what they agreed to there."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7
from documents.models.contracts import Contract
from documents.models.invoices import Invoice
from documents.models.quotes import Quote
from vault.fields import SealedTextField
from vault.services import Owner, organization


class ClientLinkQuerySet(models.QuerySet):
    def usable(self) -> Self:
        return self.filter(revoked_at=None, expires_at__gt=timezone.now())


ONE_DOCUMENT = (
    Q(quote__isnull=False, contract=None, invoice=None)
    | Q(quote=None, contract__isnull=False, invoice=None)
    | Q(quote=None, contract=None, invoice__isnull=False)
)


class ClientLink(models.Model):
    """`/p/<token>`: 256 random bits, of which only the SHA-256 is stored, so a link cannot be shown twice."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey("accounts.Organization", models.CASCADE, related_name="+")
    token_hash = models.BinaryField(max_length=32, unique=True, editable=False)
    quote = models.ForeignKey(Quote, models.CASCADE, null=True, related_name="links")
    contract = models.ForeignKey(Contract, models.CASCADE, null=True, related_name="links")
    invoice = models.ForeignKey(Invoice, models.CASCADE, null=True, related_name="links")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    first_opened_at = models.DateTimeField(null=True)
    last_opened_at = models.DateTimeField(null=True)

    objects = ClientLinkQuerySet.as_manager()

    class Meta:
        verbose_name = _("client link")
        verbose_name_plural = _("client links")
        constraints = [models.CheckConstraint(condition=ONE_DOCUMENT, name="documents_link_to_one")]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def document(self) -> Quote | Contract | Invoice:
        document = self.quote or self.contract or self.invoice
        assert document is not None  # the constraint says so
        return document


class Acceptance(models.Model):
    """The record of an act: who, in which words, of exactly which content. Kept as long as its document; never changed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey("accounts.Organization", models.CASCADE, related_name="+")
    quote = models.OneToOneField(Quote, models.CASCADE, null=True, related_name="acceptance")
    contract = models.OneToOneField(Contract, models.CASCADE, null=True, related_name="acceptance")
    content_digest = models.CharField(max_length=64)
    accepted_at = models.DateTimeField(default=timezone.now)
    name = SealedTextField()  # as the client wrote it
    words = models.CharField(max_length=100)
    options = models.JSONField(default=list)  # positions of the optional lines the client took
    gross = models.DecimalField(max_digits=12, decimal_places=2, null=True)  # of a quote, with those
    address = SealedTextField()  # the network address
    agent = SealedTextField()
    link = models.ForeignKey(ClientLink, models.SET_NULL, null=True, related_name="+")  # null: the studio recorded it
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        verbose_name = _("acceptance")
        verbose_name_plural = _("acceptances")
        constraints = [
            models.CheckConstraint(
                condition=Q(quote__isnull=False, contract=None) | Q(quote=None, contract__isnull=False), name="documents_acceptance_of_one"
            )
        ]

    def __str__(self) -> str:
        return f"{self.accepted_at:%Y-%m-%d}"

    @property
    def key_owner(self) -> Owner:
        return organization(self.organization_id)
