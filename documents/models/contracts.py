"""Contracts: a text agreed upon, made from a template of the studio's."""

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7
from documents.models.quotes import Quote
from documents.models.sheets import Document, Offer, OfferQuerySet
from studio.models.owned import OwnedQuerySet


class ContractTemplate(models.Model):
    """Markdown with placeholders of a closed list (`documents.placeholders`). Contracts keep the text they were made of."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey("accounts.Organization", models.CASCADE, related_name="contract_templates")
    name = models.CharField(_("name"), max_length=120)
    language = models.CharField(_("language"), max_length=5, choices=settings.LANGUAGES, default="en")
    text = models.TextField(_("text"), max_length=60_000)
    version = models.PositiveIntegerField(default=1, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        verbose_name = _("contract template")
        verbose_name_plural = _("contract templates")
        constraints = [models.UniqueConstraint(fields=["organization", "name", "language"], name="documents_template_name")]

    def __str__(self) -> str:
        return self.name


class Contract(Offer, Document):
    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        SENT = "sent", _("Sent")
        ACCEPTED = "accepted", _("Accepted")
        DECLINED = "declined", _("Declined")
        EXPIRED = "expired", _("Expired")  # computed, never stored
        VOIDED = "voided", _("Voided")

    quote = models.ForeignKey(Quote, models.SET_NULL, null=True, blank=True, related_name="contracts", verbose_name=_("quote"))
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.DRAFT, editable=False)
    text = models.TextField(_("text"), max_length=60_000)  # Markdown, placeholders filled
    template_name = models.CharField(max_length=120, blank=True, editable=False)
    template_version = models.PositiveIntegerField(null=True, editable=False)

    objects = OfferQuerySet.as_manager()

    class Meta:
        verbose_name = _("contract")
        verbose_name_plural = _("contracts")
        constraints = [
            models.UniqueConstraint(fields=["organization", "number"], condition=~Q(number=""), name="documents_contract_number"),
            models.CheckConstraint(condition=Q(status="draft") | ~Q(number=""), name="documents_contract_sent_has_number"),
            models.CheckConstraint(condition=~Q(status="expired"), name="documents_contract_expiry_is_computed"),
        ]
        indexes = [
            models.Index(fields=["organization", "-created_at", "-id"], name="documents_contract_list"),
            GinIndex(SearchVector("search_text", config="simple"), name="documents_contract_search"),
        ]
