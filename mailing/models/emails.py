"""One e-mail to one person: who, when, with which template, and what became of it. Never what it says."""

from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from aaperture.lib.uuid7 import uuid7
from accounts.models import Membership
from accounts.studio_roles import may
from mailing.errors import BY_HAND, WORDS, in_words
from mailing.models.templates import TemplateVersion
from studio.models import Contact
from studio.models.owned import OwnedQuerySet


def forget_recipient(collector: Any, field: Any, emails: Any, using: str) -> None:
    """What deleting a contact does to their e-mails: those that did not go out never will, and none keeps an address or a name."""
    meta: Any = field.model._meta
    still = emails.filter(status__in=[Status.SCHEDULED, Status.HELD, Status.FAILED])
    collector.add_field_update(meta.get_field("status"), Status.CANCELLED, still)
    for name in ("recipient", "subject"):
        collector.add_field_update(meta.get_field(name), "", emails)
    files = meta.get_field("files").related_model
    collector.add_field_update(files._meta.get_field("name"), "", files._base_manager.filter(email__in=emails))
    models.SET_NULL(collector, field, emails, using)  # last: the others are found by it


forget_recipient.lazy_sub_objs = True  # type: ignore[attr-defined]  # as of SET_NULL: told of in the query's terms, not row by row


class Status(models.TextChoices):
    SCHEDULED = "scheduled", pgettext_lazy("e-mail", "Scheduled")
    HELD = "held", _("On hold")
    SENDING = "sending", _("Being sent")
    SENT = "sent", pgettext_lazy("e-mail", "Sent")
    FAILED = "failed", pgettext_lazy("e-mail", "Failed")
    UNKNOWN = "unknown", _("In doubt")
    CANCELLED = "cancelled", pgettext_lazy("e-mail", "Cancelled")
    SKIPPED = "skipped", _("Not needed any more")


class ScheduledEmailQuerySet(OwnedQuerySet):
    def for_member(self, mine: Membership) -> Self:
        """The studio's, without those of invoices for who may not see invoices."""
        rows = self.for_organization(mine.organization_id)
        return rows if may(mine.role, "invoices.view") else rows.filter(invoice=None)

    def search(self, mine: Membership, text: str) -> Self:
        """By the beginning of the client's words, or a part of the address or of the subject."""
        if not text.strip():
            return self
        clients = Contact.objects.for_organization(mine.organization_id).search(text).values("pk")
        return self.filter(Q(contact__in=clients) | Q(recipient__icontains=text.strip()) | Q(subject__icontains=text.strip()))

    def due(self, now: datetime) -> Self:
        """Waiting, and nobody works on it; what somebody began and never finished is due again when its lease has run out."""
        return self.filter(status=Status.SCHEDULED, due_at__lte=now).filter(Q(claimed_until=None) | Q(claimed_until__lt=now))

    def left_behind(self, now: datetime) -> Self:
        """Whose sender was lost between the beginning of DATA and the answer."""
        return self.filter(status=Status.SENDING, claimed_until__lt=now)

    def went_wrong(self) -> Self:
        return self.filter(status__in=[Status.FAILED, Status.UNKNOWN])

    def waiting(self) -> Self:
        return self.filter(status__in=(Status.SCHEDULED, Status.HELD))

    def need_somebody(self) -> Self:
        return self.filter(status__in=(Status.FAILED, Status.UNKNOWN, Status.HELD))

    def in_trouble(self) -> Self:
        """What went wrong: `need_somebody` without what people put on hold themselves."""
        held = Q(status=Status.HELD) & ~Q(error="")
        return self.filter(Q(status__in=(Status.FAILED, Status.UNKNOWN)) | held)

    def for_lists(self) -> Self:
        return self.select_related("contact", "quote", "contract", "invoice", "project", "template_version__template").defer(
            "contact__phone", "contact__search_text", "contact__notes", "quote__content", "contract__content", "contract__text",
            "invoice__content", "template_version__text",
        )  # fmt: skip


class ScheduledEmail(models.Model):
    """`send_at` is when it was asked for, `due_at` when it is tried next. `claim` names the sender that holds the lease."""

    Status = Status

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey("accounts.Organization", models.CASCADE, related_name="emails", db_index=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    template_version = models.ForeignKey(TemplateVersion, models.RESTRICT, null=True, related_name="+")  # null: free text, never kept
    contact = models.ForeignKey("studio.Contact", forget_recipient, null=True, related_name="emails")
    project = models.ForeignKey("studio.Project", models.SET_NULL, null=True, related_name="emails", db_index=False)
    quote = models.ForeignKey("documents.Quote", models.SET_NULL, null=True, related_name="emails", db_index=False)
    contract = models.ForeignKey("documents.Contract", models.SET_NULL, null=True, related_name="emails", db_index=False)
    invoice = models.ForeignKey("documents.Invoice", models.SET_NULL, null=True, related_name="emails", db_index=False)
    kind = models.CharField(max_length=10)  # of `EmailTemplate.Kind`
    occurrence = models.CharField(max_length=60, blank=True)  # of a series: at most one e-mail each
    recipient = models.EmailField(max_length=254)  # "" once the contact was deleted
    subject = models.CharField(max_length=250, blank=True)
    attach = models.BooleanField(default=True)  # the document as PDF
    status = models.CharField(max_length=10, choices=Status, default=Status.SCHEDULED)
    send_at = models.DateTimeField()
    due_at = models.DateTimeField()
    claim = models.UUIDField(null=True)
    claimed_until = models.DateTimeField(null=True)
    message_id = models.CharField(max_length=120)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=40, blank=True)  # a code of `mailing.errors`
    error_reply = models.CharField(max_length=200, blank=True)  # what the server said, redacted
    sent_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)  # when the sent document was told so
    created_at = models.DateTimeField(default=timezone.now)

    objects = ScheduledEmailQuerySet.as_manager()
    files: Any  # what people added: `mailing.models.files`

    class Meta:
        verbose_name = _("e-mail")
        verbose_name_plural = _("e-mails")
        constraints = [
            models.UniqueConstraint(fields=["organization", "occurrence"], condition=~Q(occurrence=""), name="mailing_once_an_occurrence"),
            models.UniqueConstraint(fields=["message_id"], name="mailing_message_id"),
        ]
        indexes = [  # few: each mark writes into every one that its row stands in
            *(
                models.Index(fields=[of], condition=Q(**{f"{of}__isnull": False}), name=f"mailing_of_{of}")
                for of in ("project", "quote", "contract", "invoice")
            ),
            models.Index(fields=["due_at"], condition=Q(status="scheduled"), name="mailing_due"),
            models.Index(fields=["claimed_until"], condition=Q(status="sending"), name="mailing_sending"),
            models.Index(fields=["sent_at"], condition=Q(status="sent", settled_at=None), name="mailing_unsettled"),
            models.Index(fields=["send_at"], condition=Q(status__in=["failed", "unknown"]), name="mailing_went_wrong"),
            models.Index(fields=["organization", "-send_at", "-id"], name="mailing_list"),
        ]

    def __str__(self) -> str:
        return str(self.pk)  # the console and the activity log name it so

    @property
    def document(self) -> Any:
        """The quote, contract or invoice it goes out with, or None."""
        return self.quote or self.contract or self.invoice

    @property
    def trouble(self) -> str:
        """Why it did not go out, and what to do."""
        return in_words(self.error, first=BY_HAND if self.is_by_hand else WORDS) if self.error else ""

    @property
    def is_by_hand(self) -> bool:
        return self.template_version_id is None

    @property
    def is_waiting(self) -> bool:
        return self.status in {Status.SCHEDULED, Status.HELD}
