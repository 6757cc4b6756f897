"""E-mails: scheduled, held, cancelled, sent again; and the ones in doubt resolved by somebody who knows."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, OuterRef, Subquery
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import Organization, User
from audit.services import record_many
from documents.models import Contract, Invoice, Quote
from documents.services import contracts, invoices, quotes
from documents.services.errors import NotPossible as CannotBeSent
from mailing.message_ids import message_id
from mailing.models import AddedFile, EmailTemplate, ScheduledEmail, TemplateVersion
from mailing.placeholders import PLACEHOLDER
from mailing.services.files import attach as attach_files
from studio.models import Contact, Project
from studio.services.timeline import add_entry

Status = ScheduledEmail.Status
Document = Quote | Contract | Invoice


class NotPossible(Exception):
    """`code` says why: the e-mail's status, or `recipient`, `kind`."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


@transaction.atomic
def schedule_email(
    organization: Organization,
    *,
    template: EmailTemplate,
    contact: Contact | None = None,
    document: Document | None = None,
    send_at: datetime | None = None,
    attach: bool = True,
    occurrence: str = "",
    files: Sequence[AddedFile] = (),
    actor: User | None,
    request: HttpRequest | None = None,
) -> ScheduledEmail:
    """With the template's newest version, now or at `send_at`. Raises NotPossible("recipient") without an address."""
    [email] = schedule_emails(
        organization, template=template, targets=[document or contact], send_at=send_at, attach=attach, occurrence=occurrence, actor=actor,
        request=request,
    )  # fmt: skip
    attach_files(files, email)
    return email


@transaction.atomic
def schedule_emails(
    organization: Organization,
    *,
    template: EmailTemplate,
    targets: Sequence[Document | Contact | None],
    send_at: datetime | None = None,
    attach: bool = True,
    occurrence: str = "",
    actor: User | None,
    request: HttpRequest | None = None,
) -> list[ScheduledEmail]:
    """One to each target, all or none. Raises NotPossible("recipient") when one has no address, NotPossible("kind") for another's kind."""
    version = template.versions.order_by("-number").first()
    if version is None:
        raise NotPossible("kind")
    at = send_at or timezone.now()
    rows = [
        unsaved(organization, version, template, target, at=at, attach=attach, occurrence=occurrence, actor=actor) for target in targets
    ]
    ScheduledEmail.objects.bulk_create(rows, batch_size=1000)
    record_many("email.scheduled", rows, actor=actor, request=request, send_at=at.isoformat())
    for row in rows:
        if row.project and send_at:
            add_entry(row.project, "email.scheduled", actor=actor, subject=row.subject)
    return rows


def unsaved(
    organization: Organization,
    version: TemplateVersion,
    template: EmailTemplate,
    target: Document | Contact | None,
    *,
    at: datetime,
    attach: bool = True,
    occurrence: str = "",
    actor: User | None = None,
) -> ScheduledEmail:
    """What would be scheduled. Raises NotPossible as `schedule_emails` does."""
    kinds: dict[type, tuple[str, ...]] = {
        Quote: ("quote",), Contract: ("contract",), Invoice: ("invoice", "reminder"), Contact: ("message",),
    }  # fmt: skip
    if template.kind not in kinds.get(type(target), ()):
        raise NotPossible("kind")
    contact = target if isinstance(target, Contact) else target.contact if target else None
    if contact is None or not contact.email:
        raise NotPossible("recipient")
    project: Project | None = None if isinstance(target, Contact) or target is None else target.project
    email = ScheduledEmail(
        organization=organization, created_by=actor, template_version=version, contact=contact, project=project, kind=template.kind,
        occurrence=occurrence, recipient=contact.email,
        subject=_shown(version.subject, organization, target, contact), attach=attach, send_at=at, due_at=at,
    )  # fmt: skip
    if not isinstance(target, Contact) and target is not None:
        setattr(email, str(target._meta.model_name), target)
    email.message_id = message_id(email.pk)
    return email


def _shown(subject: str, studio: Organization, target: Document | Contact | None, contact: Contact) -> str:
    """By which lists name the mail until it is sent and has its own: with what is known already."""
    values = {"client.name": contact.name, "client.first_name": contact.greeting_name, "studio.name": studio.name}
    if target is not None and not isinstance(target, Contact):
        values |= {f"{target._meta.model_name}.number": target.number, "contract.title": target.subject}
    return " ".join(PLACEHOLDER.sub(lambda found: values.get(found[1]) or "…", subject).split())[:250]


@transaction.atomic
def cancel_emails(emails: Iterable[ScheduledEmail], *, actor: User | None, request: HttpRequest | None = None) -> int:
    """Those that wait, and failed ones that nobody will send again; one that is being sent is past it. How many were cancelled."""
    rows = _locked(emails).filter(status__in=[Status.SCHEDULED, Status.HELD, Status.FAILED])
    return _move(rows, Status.CANCELLED, "email.cancelled", actor=actor, request=request)


@transaction.atomic
def hold_emails(emails: Iterable[ScheduledEmail], *, actor: User | None, request: HttpRequest | None = None) -> int:
    rows = _locked(emails).filter(status=Status.SCHEDULED)  # those held up by a fault name it, and only those go on without a person
    return _move(rows, Status.HELD, "email.held", actor=actor, request=request, error="", error_reply="")


@transaction.atomic
def release_emails(emails: Iterable[ScheduledEmail], *, actor: User | None, request: HttpRequest | None = None) -> int:
    """On hold → scheduled, at once when their time has passed."""
    rows = _locked(emails).filter(status=Status.HELD)
    return _move(rows, Status.SCHEDULED, "email.released", actor=actor, request=request, error="", error_reply="", attempts=0)


@transaction.atomic
def reschedule_email(email: ScheduledEmail, *, send_at: datetime, actor: User | None, request: HttpRequest | None = None) -> None:
    """Raises NotPossible with its status when it waits no more."""
    if not _move(
        _locked([email]).filter(status__in=[Status.SCHEDULED, Status.HELD]), Status.SCHEDULED, "email.rescheduled", actor=actor,
        request=request, send_at=send_at, due_at=send_at, attempts=0, error="", error_reply="",
    ):  # fmt: skip
        raise NotPossible(_status(email))


@transaction.atomic
def retry_emails(emails: Iterable[ScheduledEmail], *, actor: User | None, request: HttpRequest | None = None) -> int:
    """Failed ones are scheduled again, now. One written by hand cannot be: its text is gone."""
    rows = _locked(emails).filter(status=Status.FAILED, template_version__isnull=False).exclude(recipient="")
    return _move(
        rows, Status.SCHEDULED, "email.retried", actor=actor, request=request, error="", error_reply="", attempts=0, due_at=timezone.now()
    )


@transaction.atomic
def resolve_email(email: ScheduledEmail, *, arrived: bool, actor: User, request: HttpRequest | None = None) -> None:
    """Somebody says of one in doubt whether it arrived: sent, or failed, from where it can be sent again.

    Raises NotPossible with its status when it is not in doubt.
    """
    values: dict[str, Any] = {"sent_at": timezone.now(), "error": ""} if arrived else {"error": "not_arrived"}
    status = Status.SENT if arrived else Status.FAILED
    if not _move(_locked([email]).filter(status=Status.UNKNOWN), status, "email.resolved", actor=actor, request=request, **values):
        raise NotPossible(_status(email))


def follow_contacts() -> int:
    """What is due goes to the address that its contact has now: it was corrected, or has changed since. How many did not."""
    now_theirs = Contact.objects.filter(pk=OuterRef("contact")).values("email")
    due = ScheduledEmail.objects.due(timezone.now()).exclude(contact=None).exclude(contact__email="")
    moved = due.exclude(recipient=F("contact__email")).values("pk")
    still_due = ScheduledEmail.objects.due(timezone.now())  # what is claimed goes where its sender has read that it goes
    return still_due.filter(pk__in=moved).update(recipient=Subquery(now_theirs))


def _locked(emails: Iterable[ScheduledEmail]) -> Any:
    return ScheduledEmail.objects.select_for_update(of=("self",)).filter(pk__in=[email.pk for email in emails])


def _move(rows: Any, status: str, event: str, *, actor: User | None, request: HttpRequest | None, **values: Any) -> int:
    """Whoever holds a lease loses it: its conditional marks find nothing any more."""
    found = list(rows)
    ScheduledEmail.objects.filter(pk__in=[row.pk for row in found]).update(status=status, claim=None, claimed_until=None, **values)
    record_many(event, found, actor=actor, request=request)
    return len(found)


def _status(email: ScheduledEmail) -> str:
    return ScheduledEmail.objects.values_list("status", flat=True).get(pk=email.pk)


def settle_sent(*, limit: int = 500) -> int:
    """Tell documents that their mail went out. Apart from sending, so that a crash between the two only makes it later."""
    marked = 0
    rows = ScheduledEmail.objects.filter(status=Status.SENT, settled_at=None).order_by("sent_at")
    for email in rows.select_related("quote", "contract", "invoice", "created_by")[:limit]:
        with transaction.atomic():
            with suppress(CannotBeSent):  # somebody has changed it since; one must not stop the others
                if email.quote:
                    quotes.mark_sent(email.quote, actor=email.created_by)
                elif email.contract:
                    contracts.mark_sent(email.contract, actor=email.created_by)
                elif email.invoice:
                    invoices.mark_sent(email.invoice, actor=email.created_by)
            marked += ScheduledEmail.objects.filter(pk=email.pk, settled_at=None).update(settled_at=timezone.now())
    return marked
