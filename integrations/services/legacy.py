"""Taking over Gmail grants that an earlier system kept as Fernet tokens: opened, sealed anew, never written as Fernet."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from audit.services import record
from integrations.google_oauth import GMAIL_READONLY
from integrations.models import Connection
from integrations.services.pipelines import ensure_pipeline
from vault.legacy import open_fernet


class UnusableRow(ValueError):
    """What is wrong with one row of the file, in words that hold no value of it."""


@transaction.atomic
def import_grant(row: dict[str, Any]) -> Connection:
    """One row: `user` (our account's e-mail), `account_email`, `provider_subject`, `refresh_token` (Fernet), `scopes`.

    Raises UnusableRow for a row that lacks something and SealedDataError for a token no key of `FERNET_KEYS` opens.
    """
    missing = [name for name in ("user", "account_email", "provider_subject", "refresh_token", "scopes") if not row.get(name)]
    if missing:
        raise UnusableRow(f"lacks {', '.join(missing)}")
    user = User.objects.filter(email__iexact=str(row["user"])).first()
    if user is None:
        raise UnusableRow("names a user who has no account here")
    if GMAIL_READONLY not in row["scopes"]:
        raise UnusableRow("does not grant reading mail")
    token = open_fernet(str(row["refresh_token"]))
    connection, created = Connection.objects.get_or_create(
        owner=user, provider=Connection.Provider.GMAIL, provider_subject=str(row["provider_subject"])
    )
    if not created:
        raise UnusableRow("is connected already")
    connection.account_email = str(row["account_email"])
    connection.refresh_token, connection.renewable = token, True
    connection.expires_at = timezone.now()  # no access token came along: the first use fetches one
    connection.granted_scopes = sorted(row["scopes"])
    connection.status = Connection.Status.ACTIVE
    connection.save()
    record("connection.connected", connection, actor=user, scopes=connection.granted_scopes, cause="import")
    ensure_pipeline(connection)
    return connection
