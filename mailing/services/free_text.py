"""A message written by hand: it goes out inside the request that brought it, and its text exists nowhere else."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from aaperture.lib.uuid7 import uuid7
from accounts.models import Organization, User
from audit.services import record
from documents.services import links
from mailing.message_ids import message_id
from mailing.mime import MailRefused, as_bytes
from mailing.models import AddedFile, ScheduledEmail
from mailing.placeholders import Filled, compile_text, filled
from mailing.sending.batch import Ready, send_one
from mailing.sending.claims import SENDING
from mailing.sending.marks import Marks, Outcome
from mailing.sending.preparing import CannotPrepare, NotNeeded, Preparation, load
from mailing.sending.smtp import Connection, Server, run_apart
from mailing.services.emails import Document, NotPossible, settle_sent
from mailing.services.files import attach as attach_files
from mailing.services.files import remove
from studio.models import Contact

WAIT = 10.0  # seconds an answer of the server may take
WHOLE = 45.0  # seconds for all of them: whoever waits in front of us gives up after a minute
Status = ScheduledEmail.Status


@dataclass(frozen=True)
class Written:
    """Subject and Markdown text, without placeholders; `link` adds one to the document. Never shown in a repr."""

    subject: str
    text: str
    link: bool = False

    def __repr__(self) -> str:
        return "<Written>"


def send_now(
    organization: Organization,
    written: Written,
    *,
    contact: Contact,
    document: Document | None = None,
    attach: bool = True,
    files: Sequence[AddedFile] = (),
    actor: User,
    request: HttpRequest | None = None,
) -> ScheduledEmail:
    """The row afterwards: sent, failed, or in doubt. A failed one cannot be sent again, for only whoever wrote its text still has it.

    Raises NotPossible("recipient") without an address.
    """
    with transaction.atomic():
        email = _leased(organization, written, contact=contact, document=document, attach=attach, actor=actor, request=request)
        attach_files(files, email)
    assert email.claim is not None
    with Marks(email.claim) as marks:
        marks.ended(_definite(_sent(email, written, marks)))
    email.refresh_from_db()
    settle_sent()
    remove(email.files.lying())
    return email


@transaction.atomic
def _leased(
    organization: Organization,
    written: Written,
    *,
    contact: Contact,
    document: Document | None,
    attach: bool,
    actor: User,
    request: HttpRequest | None,
) -> ScheduledEmail:
    """Ours from the first moment, so that no worker looks for a text that it does not have."""
    if not contact.email:
        raise NotPossible("recipient")
    now = timezone.now()
    email = ScheduledEmail(
        organization=organization, created_by=actor, contact=contact, kind=str(document._meta.model_name) if document else "message",
        recipient=contact.email, subject=" ".join(written.subject.split())[:250], attach=attach, send_at=now, due_at=now, claim=uuid7(),
        claimed_until=now + SENDING,
    )  # fmt: skip
    email.message_id = message_id(email.pk)
    if document is not None:
        email.project = document.project
        setattr(email, str(document._meta.model_name), document)
    email.save(force_insert=True)
    record("email.scheduled", email, actor=actor, request=request, organization_id=organization.pk, send_at=now.isoformat())
    return email


def _sent(email: ScheduledEmail, written: Written, marks: Marks) -> Outcome:
    [row] = load([email.pk])
    preparation = Preparation([row])
    try:
        words = worded(written.subject, written.text, link=_link_to(row) if written.link else "")
        mail = preparation.mail(row, text=words)
        ready = Ready(row, mail.sender.email, as_bytes(mail))
    except (NotNeeded, CannotPrepare):
        return Outcome(row, Status.FAILED, "document")
    except MailRefused:
        return Outcome(row, Status.FAILED, "unwritable")
    outcome = run_apart(_handed_over(preparation.sender_of(row).server, ready, marks))
    return outcome or Outcome(row, Status.FAILED, "text_gone")


async def _handed_over(server: Server, ready: Ready, marks: Marks) -> Outcome | None:
    connection = Connection(server, timeout=WAIT)
    try:
        async with asyncio.timeout(WHOLE):
            outcome, _fault = await send_one(connection, ready, marks)
    except TimeoutError:
        connection.close()
        marks.ended(Outcome(ready.email, Status.UNKNOWN, "dropped", begun=True))  # when its text is on its way; and if not:
        return Outcome(ready.email, Status.FAILED, "connect")
    await connection.quit()
    return outcome


def worded(subject: str, text: str, *, link: str) -> Filled:
    """The words as they go out, with the link on a line of its own below them."""
    ending = "\n\n{{ link }}" if link else ""
    return filled(compile_text(_plain(subject), _plain(text) + ending), {"link": link})


def _link_to(email: ScheduledEmail) -> str:
    if email.document is None:
        return ""
    _link, token = links.make_link(email.document, actor=email.created_by)
    return f"{settings.PUBLIC_URL}/p/{token}"


def _plain(text: str) -> str:
    return text.replace("{{", "{ {")


def _definite(outcome: Outcome) -> Outcome:
    """What a worker would try again later fails here at once."""
    if outcome.status in {Status.SCHEDULED, Status.HELD}:
        return replace(outcome, status=Status.FAILED, again=False)
    return outcome
