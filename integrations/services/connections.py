"""Ending a connection, and naming those that the instance is to have."""

from dataclasses import dataclass

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts import protections
from accounts.models import Consent, User
from audit.services import record
from integrations import google_oauth
from integrations.connectors import CONNECTORS, RecordConnector
from integrations.errors import NotConnected, OAuthUnavailable, ProviderError, Unauthorized
from integrations.grant_kinds import KINDS
from integrations.models import Connection, Run
from integrations.services import calendars, configured, opening, tokens


class AlreadyPending(Exception):
    """The instance has one of this provider that nobody has authorised yet."""


class AlreadyAuthorised(Exception):
    """A grant stands behind it: whose it is, is not for us to say any more."""


@dataclass(frozen=True)
class Disconnected:
    """What became of the grant: `confirmed` when Google withdrew it, or still serves another account here."""

    confirmed: bool


def disconnect(connection: Connection, *, actor: User, request: HttpRequest | None = None) -> Disconnected:
    """Delete the tokens here, end its runs, then revoke at Google; the connection stays as `revoked`."""
    return _withdraw(connection, _forget(connection, actor=actor, request=request))


def disconnect_all(user: User, *, actor: User, request: HttpRequest) -> int:
    """Every connection of a person, by an operator who contains an incident; how many. Raises Refused."""
    protections.check(actor, user, "edit", request)
    theirs = list(Connection.objects.filter(owner=user).exclude(status=Connection.Status.REVOKED))
    for connection in theirs:
        _withdraw(connection, _forget(connection, actor=actor, request=request, by_operator=True))
    return len(theirs)


def _withdraw(connection: Connection, token: str) -> Disconnected:
    others = Connection.objects.usable().of_google_account(connection.provider_subject)
    if not token or connection.provider not in Connection.OF_GOOGLE or others.exists():
        return Disconnected(confirmed=True)  # Google revokes an account's grants together: another person's, or feature's, must live
    try:
        return Disconnected(confirmed=google_oauth.revoke(token))
    except OAuthUnavailable:
        return Disconnected(confirmed=False)


@transaction.atomic
def _forget(connection: Connection, *, actor: User, request: HttpRequest | None, by_operator: bool = False) -> str:
    row = Connection.objects.select_for_update().get(pk=connection.pk)
    if not by_operator and row.owner_id != actor.pk and not (row.owner_id is None and actor.has_perm("integrations.delete_connection")):
        raise PermissionDenied
    if row.status == Connection.Status.REVOKED:
        return ""
    token = row.refresh_token or row.access_token or ""
    tokens.forget_tokens(row, status=Connection.Status.REVOKED)
    now = timezone.now()
    Run.objects.live().filter(pipeline__connection=row).update(
        status=Run.Status.CANCELLED, stop_reason="disconnected", lease=None, finished_at=now
    )
    row.pipelines.update(next_run_at=None)
    others = Connection.objects.filter(owner=row.owner_id, provider=row.provider).exclude(status=Connection.Status.REVOKED)
    if row.owner_id and not others.exclude(pk=row.pk).exists():  # one consent covers every mailbox of a person
        purpose = KINDS[row.provider].purpose if row.provider in KINDS else ""
        Consent.objects.filter(user=row.owner_id, purpose=purpose, withdrawn_at=None).update(withdrawn_at=now)
    record("connection.revoked", row, actor=actor, request=request)
    return token


def check_connection(connection: Connection, *, actor: User) -> str:
    """ "" when the account answers, else the code of what is wrong; reads no mail."""
    try:
        if connection.provider == Connection.Provider.GOOGLE_CALENDAR:
            calendars.check_calendar(connection, acting_user=actor)
        elif issubclass(CONNECTORS[connection.provider], RecordConnector):
            _check_source(connection, actor)
        else:
            _check_mailbox(connection, actor)
    except (NotConnected, OAuthUnavailable, ProviderError) as error:
        return error.code
    return ""


def _at_once(seconds: float) -> bool:
    """Somebody waits for the answer: nothing is tried a second time."""
    return seconds > 0


def _check_mailbox(connection: Connection, actor: User) -> None:
    connector = opening.open_mailbox(connection, acting_user=actor, stopping=_at_once)
    token = connector.token
    try:
        connector.check()
    except Unauthorized:
        token.value = tokens.renewed_after_refusal(connection, acting_user=actor, refused=token.value)
        connector.check()
    finally:
        connector.close()


def _check_source(connection: Connection, actor: User) -> None:
    connector = opening.open_source(connection, acting_user=actor, stopping=_at_once)
    try:
        connector.check()
    finally:
        connector.close()
    configured.mark_working(connection)


def add_instance_connection(provider: str, account_email: str, *, actor: User, request: HttpRequest | None = None) -> Connection:
    """A connection of the instance's that waits to be authorised. Raises PermissionDenied, AlreadyPending."""
    if not actor.has_perm("integrations.add_connection"):
        raise PermissionDenied
    try:
        with transaction.atomic():
            row = Connection.objects.create(provider=provider, account_email=account_email)
            record("connection.created", row, actor=actor, request=request, provider=provider)
    except IntegrityError:
        raise AlreadyPending from None
    return row


@transaction.atomic
def readdress(connection: Connection, *, account_email: str, actor: User, request: HttpRequest | None = None) -> Connection:
    """Another account for one of the instance's that is not authorised yet. Raises PermissionDenied, AlreadyAuthorised."""
    row = Connection.objects.select_for_update().get(pk=connection.pk)
    if row.owner_id is not None or not actor.has_perm("integrations.change_connection"):
        raise PermissionDenied
    if row.status != Connection.Status.PENDING:
        raise AlreadyAuthorised
    row.account_email = account_email
    row.save(update_fields=["account_email"])
    record("connection.updated", row, actor=actor, request=request, fields=["account_email"])
    return row
