"""The operator console of the post: what waits, what failed and why, by which servers. Never to whom, nor what it says."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from aaperture.lib.console import ReadOnlyAdmin, console
from aaperture.lib.nudge import nudge
from accounts.admin.ending import operator
from mailing.errors import in_words
from mailing.models import EmailTemplate, ScheduledEmail, SendingAccount
from mailing.services import emails
from mailing.tasks import send_due_emails

Status = ScheduledEmail.Status
TONES = {Status.SENT: "ok", Status.SCHEDULED: "info", Status.SENDING: "info", Status.FAILED: "danger", Status.UNKNOWN: "warn",
         Status.HELD: "warn"}  # fmt: skip


@admin.register(ScheduledEmail, site=console)
class ScheduledEmailAdmin(ReadOnlyAdmin):
    page = "pages.monitoring"
    list_display = ["id", "studio", "about", "state", "why", "attempts", "due_at", "sent_at"]
    list_filter = ["status", "kind"]
    ordering = ["-id"]
    fields = [
        "id", "studio", "about", "state", "why", "error_reply", "attempts", "send_at", "due_at", "claimed_until", "sent_at", "message_id",
        "created_at",
    ]  # fmt: skip
    actions = ["send_again", "note_arrived", "note_lost"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ScheduledEmail]:
        return super().get_queryset(request).defer("recipient", "subject")

    @admin.display(description=_("studio"))
    def studio(self, row: ScheduledEmail) -> str:
        return str(row.organization_id)

    @admin.display(description=_("kind"))
    def about(self, row: ScheduledEmail) -> str:
        return str(dict(EmailTemplate.Kind.choices).get(row.kind, row.kind))

    @admin.display(description=_("status"), ordering="status")
    def state(self, row: ScheduledEmail) -> str:
        return format_html('<span class="badge {}">{}</span>', TONES.get(Status(row.status), ""), row.get_status_display())

    @admin.display(description=_("error"))
    def why(self, row: ScheduledEmail) -> str:
        return in_words(row.error) if row.error else "–"

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return self.has_page(request) and request.user.has_perm("mailing.retry_scheduledemail")

    @admin.action(description=_("Send failed ones again"), permissions=["retry"])
    def send_again(self, request: HttpRequest, rows: QuerySet[ScheduledEmail]) -> None:
        chosen = list(rows)
        count = emails.retry_emails(chosen, actor=operator(request), request=request)
        if count:
            nudge(send_due_emails, chosen[0].pk)
        self.message_user(request, ngettext("%(n)d e-mail goes out again.", "%(n)d e-mails go out again.", count) % {"n": count})

    @admin.action(description=_("Note of doubtful ones: they arrived"), permissions=["retry"])
    def note_arrived(self, request: HttpRequest, rows: QuerySet[ScheduledEmail]) -> None:
        self._resolve(request, rows, arrived=True)

    @admin.action(description=_("Note of doubtful ones: they did not arrive"), permissions=["retry"])
    def note_lost(self, request: HttpRequest, rows: QuerySet[ScheduledEmail]) -> None:
        self._resolve(request, rows, arrived=False)

    def _resolve(self, request: HttpRequest, rows: QuerySet[ScheduledEmail], *, arrived: bool) -> None:
        count = 0
        for row in rows.filter(status=Status.UNKNOWN):
            try:
                emails.resolve_email(row, arrived=arrived, actor=operator(request), request=request)
            except emails.NotPossible:  # its studio was quicker
                continue
            count += 1
        self.message_user(request, ngettext("%(n)d e-mail is resolved.", "%(n)d e-mails are resolved.", count) % {"n": count})


@admin.register(EmailTemplate, site=console)
class EmailTemplateAdmin(ReadOnlyAdmin):
    page = "pages.monitoring"
    list_display = ["id", "studio", "kind", "language", "count", "is_archived", "created_at"]
    list_filter = ["kind", "language", "is_archived"]
    fields = ["id", "studio", "kind", "language", "count", "is_archived", "created_at"]
    ordering = ["-id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[EmailTemplate]:
        return super().get_queryset(request).defer("name").annotate(_versions=Count("versions"))

    @admin.display(description=_("studio"))
    def studio(self, row: EmailTemplate) -> str:
        return str(row.organization_id)

    @admin.display(description=_("versions"))
    def count(self, row: Any) -> int:
        return int(row._versions)


@admin.register(SendingAccount, site=console)
class SendingAccountAdmin(ReadOnlyAdmin):
    page = "pages.monitoring"
    list_display = ["studio", "host", "port", "security", "is_enabled", "tested_at", "why"]
    list_filter = ["is_enabled"]
    fields = ["studio", "host", "port", "security", "is_enabled", "tested_at", "why", "updated_at"]
    ordering = ["-updated_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[SendingAccount]:
        return super().get_queryset(request).defer("username", "password", "from_email", "from_name")

    @admin.display(description=_("studio"))
    def studio(self, row: SendingAccount) -> str:
        return str(row.pk)

    @admin.display(description=_("error"))
    def why(self, row: SendingAccount) -> str:
        return in_words(row.last_error) if row.last_error else "–"
