"""From a row to a mail in memory: the values of its placeholders, its document made ready, its link, its attachment."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.utils import parseaddr
from functools import cached_property
from typing import Any, cast
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.db.models import prefetch_related_objects
from django.utils import timezone

from documents.models import Contract, Invoice, Quote
from documents.printing import Writing, as_pdf
from documents.services import contracts, links, quotes
from documents.services.errors import NotPossible
from mailing import object_store
from mailing.mime import Address, Attachment, Mail
from mailing.models import AddedFile, ReminderStop, ScheduledEmail, SendingAccount
from mailing.placeholders import Filled, Wanting, compiled, filled, names_in
from mailing.sending.claims import among
from mailing.sending.smtp import Server, instance_server
from studio.models import PhotoSession

Status = ScheduledEmail.Status
# read once for all that have them in common
SHARED = ("organization", "project", "template_version__template", "quote", "contract", "invoice")
READ = (
    "organization", "template_version", "project", "quote", "contract", "invoice", "kind", "occurrence", "recipient", "attach", "due_at",
    "message_id", "attempts", "contact__kind", "contact__given_name", "contact__family_name", "contact__company_name", "contact__email",
)  # fmt: skip


class NotNeeded(Exception):
    """The reason for the mail is gone: the invoice is paid, the quote answered or for another client."""


class CannotPrepare(Exception):
    """`code` is of `mailing.errors`; `again` whether trying later may help."""

    def __init__(self, code: str, *, again: bool = False) -> None:
        self.code, self.again = code, again
        super().__init__(code)


@dataclass(frozen=True)
class Sender:
    """Through which server, under which name."""

    server: Server
    address: Address
    reply_to: Address | None = None


def load(ids: Sequence[UUID]) -> list[ScheduledEmail]:
    found = ScheduledEmail.objects.filter(pk__in=among(ids)).select_related("contact").only(*READ)
    rows = sorted(found, key=lambda row: row.due_at)
    prefetch_related_objects(rows, *(path for path in SHARED if any(getattr(row, f"{path.partition('__')[0]}_id") for row in rows)))
    return rows


class Preparation:
    """What a batch of mails has in common, each read once."""

    def __init__(self, emails: Iterable[ScheduledEmail]) -> None:
        self.emails = list(emails)
        self._senders: dict[UUID, Sender] = {}

    @cached_property
    def accounts(self) -> dict[UUID, SendingAccount]:
        organizations = {email.organization_id for email in self.emails}
        return {account.pk: account for account in SendingAccount.objects.filter(pk__in=organizations, is_enabled=True)}

    @cached_property
    def balances(self) -> dict[UUID, Invoice]:
        ids = {email.invoice_id for email in self.emails if email.invoice_id}
        return {invoice.pk: invoice for invoice in Invoice.objects.with_balance().filter(pk__in=ids).defer("content")}

    @cached_property
    def sessions(self) -> dict[Any, PhotoSession]:
        """The next session of each project."""
        projects = {email.project_id for email in self.emails if email.project_id}
        coming = PhotoSession.objects.filter(project__in=projects, ends_at__gte=timezone.now()).expected().order_by("-starts_at")
        return {session.project_id: session for session in coming}

    @cached_property
    def stopped(self) -> set[UUID]:
        """Invoices of which nobody is reminded by itself any more."""
        ids = {email.invoice_id for email in self.emails if email.invoice_id and email.occurrence}
        return set(ReminderStop.objects.filter(pk__in=ids).values_list("pk", flat=True)) if ids else set()

    @cached_property
    def files(self) -> dict[UUID, list[AddedFile]]:
        """What people added, by e-mail."""
        found: dict[UUID, list[AddedFile]] = {}
        for file in AddedFile.objects.filter(email__in=among([email.pk for email in self.emails])).order_by("created_at", "pk"):
            found.setdefault(cast("UUID", file.email_id), []).append(file)
        return found

    def sender_of(self, email: ScheduledEmail) -> Sender:
        if email.organization_id not in self._senders:
            self._senders[email.organization_id] = _sender(self.accounts.get(email.organization_id), email)
        return self._senders[email.organization_id]

    def mail(self, email: ScheduledEmail, *, text: Filled | None = None) -> Mail:
        """Raises NotNeeded, CannotPrepare. `text` is a free text, which only the request it was written in has."""
        self._require_reason(email)
        document = self._ready(email)
        if document and document.contact_id != email.contact_id:
            raise NotNeeded  # a draft that is for another client now
        words = text or self._words(email, document)
        email.subject = words.subject[:250]  # lists name it by what it said; stored when it is sent
        sender = self.sender_of(email)
        return Mail(
            sender=sender.address,
            reply_to=sender.reply_to,
            to=Address(email.recipient, email.contact.name[:100] if email.contact else ""),
            subject=words.subject,
            text=words.text,
            html=words.html,
            message_id=email.message_id,
            date=timezone.localtime(),
            attachments=(*((_attachment(document),) if document and email.attach else ()), *map(_added, self.files.get(email.pk, ()))),
        )

    def _require_reason(self, email: ScheduledEmail) -> None:
        if not email.recipient:
            raise NotNeeded  # its contact was deleted while it was on its way
        if email.kind == "reminder" or email.invoice_id:
            invoice = self.balances.get(email.invoice_id) if email.invoice_id else None
            if invoice is None or invoice.status == Invoice.Status.CANCELLED or (email.kind == "reminder" and invoice.balance <= 0):
                raise NotNeeded
        if email.occurrence and email.invoice_id in self.stopped:
            raise NotNeeded
        if email.quote and email.quote.state not in {Quote.Status.DRAFT, Quote.Status.SENT}:
            raise NotNeeded
        if email.contract and email.contract.state not in {Contract.Status.DRAFT, Contract.Status.SENT}:
            raise NotNeeded
        if email.kind != "message" and email.document is None:
            raise NotNeeded

    def _ready(self, email: ScheduledEmail) -> Quote | Contract | Invoice | None:
        """The document with its number and content. A quote or contract gets them now; an invoice was issued before."""
        try:
            if email.quote:
                return quotes.make_ready(email.quote, actor=None)
            if email.contract:
                return contracts.make_ready(email.contract, actor=None)
        except NotPossible:
            raise CannotPrepare("document") from None
        if email.invoice and email.invoice.is_draft:
            raise CannotPrepare("document")
        return email.invoice

    def _words(self, email: ScheduledEmail, document: Quote | Contract | Invoice | None) -> Filled:
        version = email.template_version
        if version is None:
            raise CannotPrepare("text_gone")
        template = compiled(version.pk, version.subject, version.text)
        values = self.values(email, document)
        if document and "link" in names_in(version.text):
            _link, token = links.make_link(document, actor=None)
            values["link"] = f"{settings.PUBLIC_URL}/p/{token}"
        try:
            return filled(template, values)
        except Wanting:
            raise CannotPrepare("template") from None

    def values(self, email: ScheduledEmail, document: Quote | Contract | Invoice | None) -> dict[str, str]:
        """Everything but the link; a placeholder that has no value here is absent."""
        language = email.template_version.template.language if email.template_version else "en"
        values = {"studio.name": email.organization.name}
        if email.contact:
            values |= {"client.name": email.contact.name, "client.first_name": email.contact.greeting_name}
        if email.project:
            values["project.title"] = email.project.title
            if session := self.sessions.get(email.project_id):
                writing = Writing({"language": language, "currency": "EUR"})
                start = session.local_start
                values |= {
                    "session.date": writing.days(start.date(), session.last_day),
                    "session.time": f"{start:%H:%M}",
                    "session.place": session.place,
                }
        if document:
            values |= _about(document, self.balances, language)
        return {name: value for name, value in values.items() if value}


def _about(document: Quote | Contract | Invoice, balances: dict[UUID, Invoice], language: str) -> dict[str, str]:
    if isinstance(document, Contract):
        return {"contract.number": document.number, "contract.title": document.subject}
    writing = Writing({"language": language, "currency": document.currency})
    if isinstance(document, Quote):
        valid_until = writing.day(document.valid_until.isoformat()) if document.valid_until else ""
        return {"quote.number": document.number, "quote.total": writing.money(document.gross), "quote.valid_until": valid_until}
    return {
        "invoice.number": document.number,
        "invoice.total": writing.money(document.gross),
        "invoice.due_on": writing.day(document.due_on.isoformat()) if document.due_on else "",
        "invoice.balance": writing.money(balances[document.pk].balance),
    }


def _attachment(document: Quote | Contract | Invoice) -> Attachment:
    return Attachment(f"{document.number}.pdf", "application/pdf", as_pdf(document.content or {}))


def _added(file: AddedFile) -> Attachment:
    """A file that somebody added, from the object store."""
    if file.removed_at:
        raise CannotPrepare("files_gone")
    try:
        return Attachment(file.name, file.content_type, object_store.read(file.key))
    except FileNotFoundError:
        raise CannotPrepare("files_gone") from None
    except (BotoCoreError, ClientError, OSError):
        raise CannotPrepare("files_later", again=True) from None


def _sender(account: SendingAccount | None, email: ScheduledEmail) -> Sender:
    name = email.organization.name[:100]
    if account:
        return Sender(own_server(account), Address(account.from_email, account.from_name or name))
    _name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    identity = getattr(email.organization, "identity", None)
    reply_to = Address(identity.email, name) if identity and identity.email else None
    return Sender(instance_server(), Address(address, name), reply_to)


def own_server(account: SendingAccount) -> Server:
    return Server(account.host, account.port, account.security, account.username, account.password or "", own=True)
