"""What the detectors found, and what people did about it. Ids, keyed hashes and numbers; nobody's name or address."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7
from audit.detectors import By, Severity, kinds


class SecurityAlertQuerySet(models.QuerySet):
    def unresolved(self) -> Self:
        return self.exclude(state=SecurityAlert.State.RESOLVED)

    def mail_due(self, now: datetime) -> Self:
        due = self.filter(mail=SecurityAlert.Mail.DUE)
        return due.filter(Q(mail_until=None) | Q(mail_until__lte=now))


class SecurityAlert(models.Model):
    """One thing that is going on: a kind of attack on, or by, one subject. Of each at most one is not resolved."""

    class State(models.TextChoices):
        OPEN = "open", _("open")
        ACKNOWLEDGED = "acknowledged", _("acknowledged")
        RESOLVED = "resolved", _("resolved")

    class Mail(models.TextChoices):
        NONE = "none", _("not severe enough for a mail")
        DUE = "due", _("waits to be sent")
        SENDING = "sending", _("being sent")
        SENT = "sent", _("sent")
        UNKNOWN = "unknown", _("perhaps sent: the worker ended in the middle")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(_("kind"), max_length=32, choices=kinds)
    severity = models.CharField(_("severity"), max_length=8, choices=Severity)
    by = models.CharField(max_length=8, choices=By)
    subject = models.CharField(max_length=64, blank=True)  # hex of a keyed hash, or an id: with `kind`, what makes two the same
    state = models.CharField(_("state"), max_length=12, choices=State, default=State.OPEN)
    opened_at = models.DateTimeField(_("opened"))
    first_seen_at = models.DateTimeField(_("first seen"))
    last_seen_at = models.DateTimeField(_("last seen"))
    count = models.BigIntegerField(_("count"), default=1)
    window = models.PositiveIntegerField(default=0)  # seconds in which the detector counted; 0 where somebody reported it
    details = models.JSONField(default=dict)
    assigned_to = models.UUIDField(null=True)
    acknowledged_at = models.DateTimeField(_("acknowledged"), null=True)
    acknowledged_by = models.UUIDField(null=True)
    resolved_at = models.DateTimeField(_("resolved"), null=True)
    resolved_by = models.UUIDField(null=True)
    mail = models.CharField(_("mail"), max_length=8, choices=Mail, default=Mail.NONE)
    mail_until = models.DateTimeField(null=True)  # the end of a worker's claim, or when the next try is due
    mail_attempts = models.PositiveSmallIntegerField(default=0)
    mailed_at = models.DateTimeField(_("mailed"), null=True)

    objects = SecurityAlertQuerySet.as_manager()

    class Meta:
        default_permissions = ()  # the matrix' monitoring rows
        verbose_name = _("security alert")
        verbose_name_plural = _("security alerts")
        constraints = [
            models.UniqueConstraint(fields=["kind", "subject"], condition=~Q(state="resolved"), name="audit_alert_once"),
        ]
        indexes = [
            models.Index(fields=["kind", "subject", "-opened_at"], name="audit_alert_history"),
            models.Index(fields=["-opened_at", "-id"], name="audit_alert_newest"),
            models.Index(fields=["mail_until"], condition=Q(mail__in=["due", "sending"]), name="audit_alert_mail"),
        ]

    def __str__(self) -> str:
        return str(self.get_kind_display())


class AlertNote(models.Model):
    """One line of an alert's history: append-only, as the log is."""

    class What(models.TextChoices):
        OPENED = "opened", _("Opened")
        ESCALATED = "escalated", _("More severe")
        MAILED = "mailed", _("Mailed")
        ACKNOWLEDGED = "acknowledged", _("Acknowledged")
        ASSIGNED = "assigned", _("Assigned")
        NOTE = "note", _("Note")
        CONTAINED = "contained", _("Contained")
        RESOLVED = "resolved", _("Resolved")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    alert = models.ForeignKey(SecurityAlert, models.PROTECT, related_name="notes")
    written_at = models.DateTimeField()
    what = models.CharField(max_length=12, choices=What)
    author_id = models.UUIDField(null=True)
    text = models.TextField(blank=True, max_length=2000)

    class Meta:
        default_permissions = ()
        verbose_name = _("note on an alert")
        verbose_name_plural = _("notes on alerts")
        indexes = [models.Index(fields=["alert", "written_at"], name="audit_alert_notes")]

    def __str__(self) -> str:
        return self.get_what_display()
