"""Turning Google's answer into a connection."""

from contextlib import suppress
from dataclasses import dataclass

from django.db import transaction
from django.http import HttpRequest

from accounts.models import Consent, User
from audit.services import record
from integrations import google
from integrations.errors import AccountMismatch, OAuthUnavailable, ScopesMissing
from integrations.flows import Flow
from integrations.models import Connection
from integrations.services.pipelines import ensure_pipeline

PURPOSE = "gmail.read"
TEXT_VERSION = "2026-11"


@dataclass(frozen=True)
class Grant:
    answer: google.TokenAnswer
    identity: google.Identity


def complete_grant(user: User, flow: Flow, *, code: str, redirect_uri: str, request: HttpRequest) -> Connection:
    """Exchange the code, check everything, and keep the connection with its shipped pipeline.

    Raises OAuthRefused, OAuthUnavailable, IdTokenInvalid, ScopesMissing or AccountMismatch; then nothing is stored.
    """
    answer = google.exchange_code(code=code, verifier=flow.verifier, redirect_uri=redirect_uri)
    grant = Grant(answer, google.verify_id_token(answer.id_token, nonce=flow.nonce))
    if google.GMAIL_READONLY not in answer.scopes:
        _give_back(grant)
        raise ScopesMissing
    if flow.connection_id and not _same_account(user, flow, grant):
        _give_back(grant)
        raise AccountMismatch
    return _keep(user, flow, grant, request)


def _same_account(user: User, flow: Flow, grant: Grant) -> bool:
    return Connection.objects.visible_to(user).filter(pk=flow.connection_id, provider_subject=grant.identity.subject).exists()


def _give_back(grant: Grant) -> None:
    """Withdraw a grant we cannot use. Google withdraws all of an account's at once, so not under a live connection."""
    if Connection.objects.usable().filter(provider_subject=grant.identity.subject).exists():
        return
    with suppress(OAuthUnavailable):  # then the access token, which we forget, ends by itself within the hour
        google.revoke(grant.answer.refresh_token or grant.answer.access_token)


@transaction.atomic
def _keep(user: User, flow: Flow, grant: Grant, request: HttpRequest) -> Connection:
    made, _created = Connection.objects.get_or_create(
        owner=user, provider=Connection.Provider.GMAIL, provider_subject=grant.identity.subject
    )
    row = Connection.objects.select_for_update().get(pk=made.pk)
    row.account_email = grant.identity.email
    row.access_token, row.expires_at = grant.answer.access_token, grant.answer.expires_at
    row.refresh_token = (grant.answer.refresh_token or None) if flow.keep else None
    row.renewable = bool(row.refresh_token)
    row.granted_scopes = sorted(grant.answer.scopes)
    row.status, row.error_code = Connection.Status.ACTIVE, ""
    row.save()
    Consent.objects.create(user=user, purpose=PURPOSE, text_version=flow.text_version, scopes=row.granted_scopes)
    record("consent.granted", row, actor=user, request=request, purpose=PURPOSE, text_version=flow.text_version)
    record("connection.connected", row, actor=user, request=request, scopes=row.granted_scopes, kept=row.renewable)
    ensure_pipeline(row)
    return row
