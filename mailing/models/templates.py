"""What the studio writes to its clients, in versions: a scheduled e-mail keeps the one it was scheduled with."""

from collections.abc import Sequence
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Case, OuterRef, Subquery, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7
from studio.models.owned import OwnedQuerySet


class EmailTemplateQuerySet(OwnedQuerySet):
    def offered(self, kinds: Sequence[str], *, language: str = "") -> Self:
        """Those in use for these kinds of mail, each with its newest words; the ones in `language` first."""
        newest = TemplateVersion.objects.filter(template=OuterRef("pk")).order_by("-number")
        rows = self.filter(kind__in=kinds, is_archived=False).annotate(
            newest_number=Subquery(newest.values("number")[:1]), newest_subject=Subquery(newest.values("subject")[:1])
        )
        other = Case(When(language=language, then=0), default=1, output_field=models.IntegerField())
        return rows.order_by(other, "kind", "name", "language")


class EmailTemplate(models.Model):
    """Text with placeholders of a closed list (`mailing.placeholders`), by what it is sent with."""

    class Kind(models.TextChoices):
        MESSAGE = "message", _("Message to a contact")
        QUOTE = "quote", _("With a quote")
        CONTRACT = "contract", _("With a contract")
        INVOICE = "invoice", _("With an invoice")
        REMINDER = "reminder", _("Payment reminder")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey("accounts.Organization", models.CASCADE, related_name="email_templates")
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    language = models.CharField(_("language"), max_length=5, choices=settings.LANGUAGES)
    name = models.CharField(_("name"), max_length=120)
    is_archived = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = EmailTemplateQuerySet.as_manager()

    newest_number: int  # by `offered`
    newest_subject: str

    class Meta:
        verbose_name = _("e-mail template")
        verbose_name_plural = _("e-mail templates")
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "kind", "language", "name"], condition=models.Q(is_archived=False), name="mailing_template_name"
            )
        ]

    def __str__(self) -> str:
        return str(self.pk)


class TemplateVersion(models.Model):
    """Never changed: a change is a further version."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    template = models.ForeignKey(EmailTemplate, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    subject = models.CharField(_("subject"), max_length=200)
    text = models.TextField(_("text"), max_length=20_000)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("version of an e-mail template")
        verbose_name_plural = _("versions of e-mail templates")
        constraints = [models.UniqueConstraint(fields=["template", "number"], name="mailing_version_number")]

    def __str__(self) -> str:
        return f"{self.number}"
