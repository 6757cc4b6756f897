"""When a studio reminds of an unpaid invoice by itself, and of which invoices it does not."""

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7
from mailing.models.templates import EmailTemplate
from studio.models.owned import OwnedQuerySet


class ReminderRule(models.Model):
    """So many days after an invoice was due, a mail with this template; of several that fit, the one in the client's language."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey("accounts.Organization", models.CASCADE, related_name="reminder_rules")
    days = models.PositiveSmallIntegerField(_("days after the due date"), validators=[MaxValueValidator(180)])
    template = models.ForeignKey(EmailTemplate, models.CASCADE, related_name="reminder_rules")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        verbose_name = _("reminder rule")
        verbose_name_plural = _("reminder rules")
        constraints = [models.UniqueConstraint(fields=["organization", "days", "template"], name="mailing_reminder_rule")]

    def __str__(self) -> str:
        return f"{self.days}"


class ReminderStop(models.Model):
    """Nobody is reminded of this invoice by itself any more."""

    invoice = models.OneToOneField("documents.Invoice", models.CASCADE, primary_key=True, related_name="reminder_stop")
    organization = models.ForeignKey("accounts.Organization", models.CASCADE, related_name="reminder_stops")
    stopped_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    stopped_at = models.DateTimeField(default=timezone.now)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        verbose_name = _("stopped reminder")
        verbose_name_plural = _("stopped reminders")

    def __str__(self) -> str:
        return str(self.pk)
