"""Erasing an account: closed on day 0, taken back until day 29, purged on day 30.

The row is the queue and says how far it is; every step may be done twice, so a process that dies is followed by the next tick.
The ledger is written before the first row goes: an instance restored from an older backup then erases the person once more.
The data keys go last; what they sealed, in the activity log and in backups, can be read by nobody from then on.
"""

import logging
import smtplib
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from aaperture.lib.account_mail import send_account_mail
from accounts import protections
from accounts.models import ApiKey, CoachLink, Invitation, Membership, Organization, User
from accounts.services import api_keys, coaching, sessions
from accounts.services.users import step_up
from audit.services import record
from billing import services as contributions
from documents.services import retention
from integrations import google_oauth
from integrations.errors import OAuthUnavailable
from integrations.models import Connection, Run
from integrations.services import tokens
from mailing.models import ScheduledEmail
from mailing.services.emails import hold_emails
from operations.models import Erasure
from operations.privacy import ledger
from operations.privacy.erasure_plan import is_needed, studios_of
from operations.services import exports
from vault import services as vault
from vault.errors import SealedDataError

logger = logging.getLogger(__name__)

SALT = "operations.erasure.withdraw"
TRY_MAIL_FOR = timedelta(days=1)
Status = Erasure.Status


class TooLate(Exception):
    """It was taken back already, or its day has come."""


class NotErased(Exception):
    """A place outside did not answer, so nothing of the account has gone."""


# --- day 0 -------------------------------------------------------------------------------------------------------------


@transaction.atomic
def ask(user: User, *, actor: User, request: HttpRequest) -> Erasure:
    """Close the account at once and set its day; by staff only for somebody who asked them.

    Raises Refused, StepUpRequired, and ValidationError where a studio or the instance would be left without an owner.
    """
    actor, user = protections.lock(actor, user)
    if actor.pk != user.pk:
        protections.check(actor, user, "delete", request)
    step_up(request)
    under_way = Erasure.objects.filter(account_id=user.pk, status__in=Erasure.OPEN).first()
    if under_way:
        return under_way
    if is_needed(user):
        raise ValidationError(_("The last administrator cannot go. Make somebody else one first."), code="last_admin")
    if studios_of(user)[1]:
        raise ValidationError(_("A studio with other members would be left without an owner."), code="last_owner")
    now = timezone.now()
    by_staff = actor.pk if actor.pk != user.pk else None
    erasure = Erasure.objects.create(account_id=user.pk, requested_at=now, requested_by_id=by_staff, due_at=now + Erasure.GRACE)
    record("erasure.requested", user, actor=actor, request=request, due_at=erasure.due_at)
    _close(user, actor=actor, request=request)
    user.erasure_requested_at = now
    user.save(update_fields=["erasure_requested_at"])
    return erasure


def _close(user: User, *, actor: User, request: HttpRequest) -> None:
    """What ends in the same instant: sessions, keys, coaching, invitations sent, runs, exports; and what is to be paid or sent no more."""
    contributions.end_contributions(user)
    hold_emails(ScheduledEmail.objects.filter(organization__in=studios_of(user)[0]).waiting(), actor=actor, request=request)
    for key in ApiKey.objects.filter(user=user, revoked_at=None):
        api_keys.revoke(key, actor=actor, request=request)
    for link in CoachLink.objects.open().filter(Q(client=user) | Q(coach=user)):
        coaching.end(link, actor=user, request=request)
    Invitation.objects.open().filter(invited_by=user).update(revoked_at=timezone.now())
    mine = Connection.objects.filter(owner=user)
    live = Run.objects.live().filter(pipeline__connection__in=mine)
    live.update(status=Run.Status.CANCELLED, stop_reason="disconnected", lease=None, finished_at=timezone.now())
    exports.drop_all(user)
    sessions.end_all(user, actor=actor, request=request, reason="erasure")


def close_connections(erasure_id: UUID) -> bool:
    """End what is paid, withdraw every grant at Google, delete the tokens, tell the person: day 0, after the network may be asked.

    What Stripe could not end for now, the contributions' own tick ends later.
    """
    erasure = Erasure.objects.filter(pk=erasure_id, status=Status.REQUESTED).first()
    user = User.objects.filter(pk=erasure.account_id).first() if erasure else None
    if erasure is None or user is None:
        return False
    contributions.end_at_stripe(user.pk)
    for connection in Connection.objects.visible_to(user).exclude(status=Connection.Status.REVOKED):
        _end_connection(connection, user)
    if not _tell(erasure, user) and timezone.now() - erasure.requested_at < TRY_MAIL_FOR:
        return False
    return bool(Erasure.objects.filter(pk=erasure.pk, status=Status.REQUESTED).update(status=Status.WAITING))


def _end_connection(connection: Connection, user: User) -> None:
    """First at Google, then here: a process that dies in between asks Google once more, which does no harm."""
    _withdraw_grant(connection.pk, _token_of(connection))
    with transaction.atomic():
        row = Connection.objects.select_for_update().defer("access_token", "refresh_token").get(pk=connection.pk)
        if row.status == Connection.Status.REVOKED:
            return
        tokens.forget_tokens(row, status=Connection.Status.REVOKED)
        row.pipelines.update(next_run_at=None)
        user.consents.filter(withdrawn_at=None).update(withdrawn_at=timezone.now())
        record("connection.revoked", row, actor=user, reason="erasure")


def _token_of(connection: Connection) -> str:
    """What its grant is withdrawn by at Google; empty where there is none, or where another connection lives by the same grant."""
    shared = Connection.objects.usable().of_google_account(connection.provider_subject)
    try:
        token = connection.refresh_token or connection.access_token
    except SealedDataError:
        logger.error("tokens cannot be opened", extra={"connection": str(connection.pk)})
        return ""
    return token if token and not shared.exclude(pk=connection.pk).exists() else ""  # Google withdraws an account's grants together


def _withdraw_grant(connection_id: UUID, token: str) -> None:
    try:
        if token:
            google_oauth.revoke(token)
    except OAuthUnavailable:
        logger.warning("grant not withdrawn", extra={"connection": str(connection_id)})


def withdrawal_url(erasure: Erasure) -> str:
    """The link of the mail; what it says is signed, and good until the last day to take it back."""
    return settings.PUBLIC_URL + reverse("privacy_withdraw", args=[signing.dumps(str(erasure.pk), salt=SALT)])


def _tell(erasure: Erasure, user: User) -> bool:
    context = {
        "name": user.get_short_name(), "due_at": erasure.due_at, "until": erasure.last_day_to_withdraw,
        "url": withdrawal_url(erasure), "by_staff": bool(erasure.requested_by_id),
    }  # fmt: skip
    try:
        with timezone.override(user.timezone):
            send_account_mail("erasure_requested", to=user.email, language=user.language, context=context)
    except (OSError, smtplib.SMTPException) as error:
        logger.warning("mail about an erasure not sent", extra={"error": type(error).__name__})
        return False
    return True


# --- until day 29 ------------------------------------------------------------------------------------------------------


def find(token: str) -> Erasure | None:
    """The erasure that a mailed link names, if it can still be taken back."""
    try:
        pk = UUID(signing.loads(token, salt=SALT, max_age=Erasure.GRACE + timedelta(days=1)))
    except (signing.BadSignature, ValueError):
        return None
    erasure = Erasure.objects.filter(pk=pk, status__in=[Status.REQUESTED, Status.WAITING]).first()
    return erasure if erasure and erasure.last_day_to_withdraw > timezone.now() else None


@transaction.atomic
def withdraw(erasure: Erasure, *, request: HttpRequest | None = None) -> User:
    """Open the account again; what ended on day 0 stays ended. Raises TooLate."""
    row = Erasure.objects.select_for_update().get(pk=erasure.pk)
    user = User.objects.select_for_update(no_key=True).filter(pk=row.account_id).first()
    if row.status not in {Status.REQUESTED, Status.WAITING} or row.last_day_to_withdraw <= timezone.now() or user is None:
        raise TooLate
    row.status, row.withdrawn_at = Status.WITHDRAWN, timezone.now()
    row.save(update_fields=["status", "withdrawn_at"])
    user.erasure_requested_at = None
    user.save(update_fields=["erasure_requested_at"])
    record("erasure.withdrawn", user, request=request)
    return user


# --- day 30 ------------------------------------------------------------------------------------------------------------


def due() -> list[UUID]:
    """What has something to be done now: day 0 not finished, or day 30 come."""
    unfinished = Q(status=Status.REQUESTED)
    ripe = Q(status__in=Erasure.OPEN, due_at__lte=timezone.now())
    return list(Erasure.objects.filter(unfinished | ripe).order_by("due_at").values_list("pk", flat=True))


def carry_on(erasure_id: UUID) -> None:
    """Whatever the row is due for; may be called at any time by any number of processes."""
    erasure = Erasure.objects.filter(pk=erasure_id).first()
    if erasure is None or not erasure.is_open:
        return
    if erasure.due_at <= timezone.now():
        finish(erasure_id)
    elif erasure.status == Status.REQUESTED:
        close_connections(erasure_id)


def finish(erasure_id: UUID) -> bool:
    """Erase for good. Where the ledger cannot be written, nothing goes yet and the next tick tries again."""
    erasure = _begin(erasure_id)
    if erasure is None:
        return False
    user = User.objects.filter(pk=erasure.account_id).first()
    for connection in Connection.objects.filter(owner=user).exclude(status=Connection.Status.REVOKED) if user else ():
        _end_connection(connection, user)  # type: ignore[arg-type]  # its owner is this person
    try:
        ledger.add(erasure.account_id, at=timezone.now())
    except ledger.FAILURES as error:
        logger.error("erasure waits for its ledger", extra={"erasure": str(erasure.pk), "error": type(error).__name__})
        return False
    try:
        for studio in Organization.objects.filter(pk__in=erasure.studios):
            retention.forget_copies(studio)
    except ledger.FAILURES as error:
        logger.error("erasure waits for the object store", extra={"erasure": str(erasure.pk), "error": type(error).__name__})
        return False
    _purge(erasure)
    _destroy_keys(erasure)
    return True


@transaction.atomic
def _begin(erasure_id: UUID) -> Erasure | None:
    """From here on there is no way back; which studios go is written down before the rows that say so are gone."""
    rows = Erasure.objects.select_for_update(skip_locked=True)
    erasure = rows.filter(pk=erasure_id, status__in=Erasure.OPEN, due_at__lte=timezone.now()).first()
    if erasure is None:
        return None
    user = User.objects.filter(pk=erasure.account_id).first()
    if erasure.status != Status.PURGING:
        erasure.status = Status.PURGING
        erasure.studios = [str(studio.pk) for studio in studios_of(user)[0]] if user else []
        erasure.save(update_fields=["status", "studios"])
    return erasure


@transaction.atomic
def _purge(erasure: Erasure) -> None:
    """Every row of the person's, in one transaction: either all are there or none."""
    user = User.objects.select_for_update().filter(pk=erasure.account_id).first()
    if user is None:
        return
    for studio in studios_of(user)[1]:  # its other owners left meanwhile
        _hand_over(studio, user)
    _invitations_of(user).delete()
    for studio in Organization.objects.filter(pk__in={str(studio.pk) for studio in studios_of(user)[0]} & set(erasure.studios)):
        retention.close_studio(studio)
    user.delete()


def _invitations_of(user: User) -> QuerySet[Invitation]:
    """By them and to them."""
    wanted = Q(invited_by=user)
    for address in {user.email, *user.emailaddress_set.values_list("email", flat=True)}:  # type: ignore[attr-defined]  # allauth's, by its foreign key
        wanted |= Q(email__iexact=address)
    return Invitation.objects.filter(wanted)


def _hand_over(studio: Organization, user: User) -> None:
    heir = Membership.objects.in_order().filter(organization=studio).exclude(user=user).first()
    if heir is not None:
        before, heir.role = heir.role, Membership.Role.OWNER
        heir.save(update_fields=["role"])
        who = str(heir.user_id)
        record(
            "member.role_changed", heir, organization_id=studio.pk, reason="erasure",
            user_id=who, from_role=before, to_role=str(heir.role),
        )  # fmt: skip


@transaction.atomic
def _destroy_keys(erasure: Erasure) -> None:
    row = Erasure.objects.select_for_update().get(pk=erasure.pk)
    if row.status != Status.PURGING:
        return
    for studio in row.studios:
        if Organization.objects.filter(pk=studio).exists():  # somebody joined it meanwhile
            continue
        vault.destroy_key(vault.organization(UUID(studio)))
    vault.destroy_key(vault.person(row.account_id))
    row.status, row.finished_at, row.studios = Status.DONE, timezone.now(), []
    row.save(update_fields=["status", "finished_at", "studios"])
    record("erasure.done", row, account_id=str(row.account_id))


def follow_deletion(user: User, actor: User, request: HttpRequest) -> None:
    """Staff delete an account at once, in the transaction that calls this: the next tick writes it into the ledger, so that no restored
    backup brings it back. Google is asked after the commit, once: the tokens are gone by then."""
    row = Erasure.objects.select_for_update().filter(account_id=user.pk, status__in=Erasure.OPEN).first()
    row = row or Erasure(account_id=user.pk, requested_by_id=actor.pk)
    row.status, row.due_at = Status.PURGING, timezone.now()
    row.save()
    record("erasure.requested", user, actor=actor, request=request, due_at=row.due_at)
    _invitations_of(user).delete()
    for connection in Connection.objects.visible_to(user).exclude(status=Connection.Status.REVOKED):
        transaction.on_commit(partial(_withdraw_grant, connection.pk, _token_of(connection)), robust=True)


def replay() -> int:
    """After a restore, before the instance opens: erase whoever the ledger names and the backup brought back; how many.

    Raises NotErased.
    """
    count, now = 0, timezone.now()
    for account_id in ledger.entries():
        if not User.objects.filter(pk=account_id).exists():
            vault.destroy_key(vault.person(account_id))
            continue
        with transaction.atomic():
            erasure = Erasure.objects.filter(account_id=account_id, status__in=Erasure.OPEN).first()
            erasure = erasure or Erasure(account_id=account_id)
            erasure.due_at = now
            erasure.save()
            User.objects.filter(pk=account_id).update(erasure_requested_at=now)
        if not finish(erasure.pk):
            raise NotErased
        count += 1
    return count
