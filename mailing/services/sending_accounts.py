"""The studio's own mail server: entered, tried with a test message, and only then used."""

from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from aaperture.lib.uuid7 import uuid7
from accounts.models import Organization, User
from audit.services import record
from mailing.message_ids import message_id
from mailing.mime import Address, Mail, MailRefused, as_bytes
from mailing.models import ScheduledEmail, SendingAccount
from mailing.sending.preparing import own_server
from mailing.sending.smtp import Connection, InDoubt, NotSent, run_apart
from mailing.services import emails

FIELDS = ("host", "port", "security", "username", "from_email", "from_name")
TEST_TIMEOUT = 10.0  # seconds an answer may take while somebody waits for the page


@transaction.atomic
def save_account(
    organization: Organization, *, fields: dict[str, Any], password: str, actor: User, request: HttpRequest | None = None
) -> SendingAccount:
    """Store it, not in use until it was tried. An empty password keeps the stored one while server and user name stay the same."""
    account = SendingAccount.objects.select_for_update().filter(pk=organization.pk).first() or SendingAccount(organization=organization)
    same_place = (account.host, account.port, account.username) == tuple(fields[name] for name in ("host", "port", "username"))
    for name in FIELDS:
        setattr(account, name, fields[name])
    if password or not same_place:  # a password is never sent to another server than the one it was entered for
        account.password = password
    account.is_enabled, account.tested_at, account.last_error, account.updated_at = False, None, "", timezone.now()
    account.save()
    record("sending_account.updated", account, actor=actor, request=request, organization_id=organization.pk)
    return account


def try_account(account: SendingAccount, *, to: str, actor: User, request: HttpRequest | None = None) -> str:
    """Send a test message through it; "" when it went out, and it is used from then on, or else the code of what is wrong.

    What waits on hold because of the account is released when it works again.
    """
    error, reply = _try(account, to)
    with transaction.atomic():
        account.is_enabled, account.last_error = not error, error
        account.tested_at = timezone.now() if not error else account.tested_at
        account.save(update_fields=["is_enabled", "last_error", "tested_at"])
        record("sending_account.tested", account, actor=actor, request=request, organization_id=account.pk, error=error, reply=reply)
        if not error:
            waiting = ScheduledEmail.objects.for_organization(account.pk).filter(status="held", error__in=["auth", "address_refused"])
            emails.release_emails(waiting, actor=actor, request=request)
    return error


def _try(account: SendingAccount, to: str) -> tuple[str, str]:
    connection = Connection(own_server(account), timeout=TEST_TIMEOUT)
    with translation.override(translation.get_language() or settings.LANGUAGE_CODE):
        subject, text = _("Test message"), _("This message came through the mail server that you entered. It works.")
    mail = Mail(
        sender=Address(account.from_email, account.from_name), to=Address(to), subject=subject, text=text + "\n",
        message_id=message_id(uuid7()), date=timezone.localtime(),
    )  # fmt: skip
    try:
        run_apart(_handed_over(connection, mail))
    except MailRefused:
        return "unwritable", ""
    except InDoubt:
        return "dropped", ""
    except NotSent as fault:
        return fault.code, fault.reply
    return "", ""


async def _handed_over(connection: Connection, mail: Mail) -> None:
    try:
        message = as_bytes(mail)
        await connection.envelope(mail.sender.email, mail.to.email)
        await connection.text(message)
    finally:
        await connection.quit()


@transaction.atomic
def remove_account(account: SendingAccount, *, actor: User, request: HttpRequest | None = None) -> None:
    """The instance's server is used again."""
    record("sending_account.removed", account, actor=actor, request=request, organization_id=account.pk)
    account.delete()
