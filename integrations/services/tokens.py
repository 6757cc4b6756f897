"""Using, renewing and dropping the tokens of a connection. They are opened only where a call is about to be made."""

import logging
from datetime import timedelta
from smtplib import SMTPException

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from aaperture.lib.account_mail import send_account_mail
from accounts.models import User
from audit.services import record
from billing.services import is_premium
from integrations import google_oauth
from integrations.errors import NotConnected, OAuthRefused, OAuthUnavailable
from integrations.models import REFRESH_AHEAD, Connection, Run
from vault.errors import SealedDataError

logger = logging.getLogger(__name__)

LAST_SECONDS = timedelta(seconds=30)
REFRESH_BATCH = 100


def access_token_for(connection: Connection, *, acting_user: User | None) -> str:
    """A usable access token, renewed when less than five minutes are left. Without `acting_user` the clock asks.

    Raises PermissionDenied for anybody but the owner, NotConnected when only a new grant can help, and
    OAuthUnavailable when Google did not answer.
    """
    _require_owner(connection, acting_user)
    connection = Connection.objects.get(pk=connection.pk)
    if _usable(connection) and not _due(connection):
        return connection.access_token
    return _renew(connection, refused=None)


def secret_for(connection: Connection, *, acting_user: User | None) -> str:
    """What staff gave a connection that nobody authorises, or "". Raises PermissionDenied, NotConnected."""
    _require_owner(connection, acting_user)
    connection = Connection.objects.get(pk=connection.pk)
    if connection.status not in (Connection.Status.ACTIVE, Connection.Status.ERROR):
        raise NotConnected(connection.error_code)
    return connection.secret or ""


def renewed_after_refusal(connection: Connection, *, acting_user: User | None, refused: str) -> str:
    """Another token after Google answered 401 to `refused`, renewed by whoever comes first."""
    _require_owner(connection, acting_user)
    return _renew(connection, refused=refused)


def _require_owner(connection: Connection, acting_user: User | None) -> None:
    """The owner's own requests and background jobs only; staff, and the clock, act for what the instance owns."""
    owns = acting_user is not None and connection.owner_id == acting_user.pk
    runs_for_instance = connection.owner_id is None and (acting_user is None or acting_user.has_perm("integrations.execute_pipeline"))
    if not (owns or runs_for_instance):
        raise PermissionDenied


def _usable(connection: Connection) -> bool:
    return connection.status == Connection.Status.ACTIVE and connection.expires_at is not None


def _due(connection: Connection) -> bool:
    margin = REFRESH_AHEAD if connection.renewable else LAST_SECONDS
    return connection.expires_at is None or connection.expires_at < timezone.now() + margin


def _renew(connection: Connection, *, refused: str | None) -> str:
    """Refresh under the row lock: whoever waited for the lock finds the new token and asks Google nothing."""
    with transaction.atomic():
        row = Connection.objects.select_for_update().get(pk=connection.pk)
        if not _usable(row):
            raise NotConnected(row.error_code)
        current = row.access_token
        if not _due(row) and (refused is None or current != refused):
            return current
        try:
            if not row.renewable:
                raise OAuthRefused("grant_ended")
            answer = google_oauth.refresh(row.refresh_token)
        except OAuthRefused as error:
            code = error.code
            mark_needs_reauth(row, code=code)
        else:
            _keep(row, answer)
            return answer.access_token
    raise NotConnected(code)


def _keep(row: Connection, answer: google_oauth.TokenAnswer) -> None:
    row.access_token, row.expires_at = answer.access_token, answer.expires_at
    fields = ["access_token", "expires_at"]
    if answer.refresh_token:  # Google may rotate it
        row.refresh_token = answer.refresh_token
        fields.append("refresh_token")
    row.save(update_fields=fields)
    record("connection.token_refreshed", row, actor=row.owner, expires_at=answer.expires_at)


@transaction.atomic
def mark_needs_reauth(connection: Connection, *, code: str) -> None:
    """The grant is gone: forget the tokens, keep every cursor, and tell the owner once."""
    row = Connection.objects.select_for_update().get(pk=connection.pk)
    if row.status != Connection.Status.ACTIVE:
        return
    forget_tokens(row, status=Connection.Status.NEEDS_REAUTH, code=code)
    record("connection.needs_reauth", row, reason=code)
    if row.owner is not None:
        owner = row.owner
        transaction.on_commit(lambda: _tell(owner, row))


def forget_tokens(row: Connection, *, status: str, code: str = "") -> None:
    """Delete both tokens, and the secret, of a locked row and say why; of one that ends, also what was brought and not read yet."""
    row.access_token = row.refresh_token = row.secret = None
    row.renewable, row.expires_at = False, None
    row.status, row.error_code = status, code
    row.save(update_fields=["access_token", "refresh_token", "secret", "renewable", "expires_at", "status", "error_code"])
    if status == Connection.Status.REVOKED:
        row.files.all().delete()
        row.deliveries.all().delete()


def _tell(owner: User, row: Connection) -> None:
    context = {
        "name": owner.get_short_name(),
        "account": row.account_email,
        "is_calendar": row.provider == Connection.Provider.GOOGLE_CALENDAR,
        "url": settings.PUBLIC_URL.rstrip("/") + reverse("integrations:connections"),
    }
    try:
        send_account_mail("connection_needs_reauth", to=owner.email, language=owner.language, context=context)
    except (OSError, SMTPException) as error:
        logger.warning("mail about a connection not sent", extra={"error": type(error).__name__})


@transaction.atomic
def drop_unless_premium(connection: Connection) -> bool:
    """After a scan: who is not premium keeps no token of a mailbox here. True when tokens were dropped."""
    if connection.provider != Connection.Provider.GMAIL:  # without its token a calendar could do nothing; other sources are no mailbox
        return False
    row = Connection.objects.select_for_update().get(pk=connection.pk)
    if row.owner is None or row.status != Connection.Status.ACTIVE or is_premium(row.owner):
        return False
    if Run.objects.live().filter(pipeline__connection=row).exists():
        return False
    forget_tokens(row, status=Connection.Status.PAUSED, code="token_not_kept")
    record("connection.paused", row, reason="token_not_kept")
    return True


def refresh_due() -> int:
    """Renew what is about to expire, before anybody waits for it; return how many were renewed."""
    renewed = 0
    for connection in Connection.objects.due_for_refresh(timezone.now()).select_related("owner")[:REFRESH_BATCH]:
        if drop_unless_premium(connection):
            continue
        try:
            _renew(connection, refused=None)
            renewed += 1
        except NotConnected:
            continue
        except OAuthUnavailable:
            logger.warning("token refresh put off", extra={"connection": str(connection.pk)})
        except SealedDataError:  # one person's lost or altered key must not keep the others from being renewed
            logger.error("tokens cannot be opened", extra={"connection": str(connection.pk)})
    return renewed
