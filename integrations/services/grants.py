"""Turning Google's answer into a connection."""

from contextlib import suppress
from dataclasses import dataclass

from django.db import transaction
from django.http import HttpRequest

from accounts.models import Consent, User
from audit.services import record
from integrations import google_oauth
from integrations.errors import AccountMismatch, OAuthUnavailable, ScopesMissing
from integrations.flows import Flow
from integrations.grant_kinds import GMAIL, KINDS, tell_followers
from integrations.models import Connection
from integrations.services.pipelines import ensure_pipeline

PURPOSE, TEXT_VERSION = GMAIL.purpose, GMAIL.text_version


@dataclass(frozen=True)
class Grant:
    answer: google_oauth.TokenAnswer
    identity: google_oauth.Identity


def complete_grant(user: User, flow: Flow, *, code: str, redirect_uri: str, request: HttpRequest) -> Connection:
    """Exchange the code, check everything, and keep the connection: a mailbox with its shipped pipeline.

    Raises OAuthRefused, OAuthUnavailable, IdTokenInvalid, ScopesMissing or AccountMismatch; then nothing is stored.
    """
    answer = google_oauth.exchange_code(code=code, verifier=flow.verifier, redirect_uri=redirect_uri)
    grant = Grant(answer, google_oauth.verify_id_token(answer.id_token, nonce=flow.nonce))
    if not KINDS[flow.provider].is_enough(answer.scopes):
        _give_back(grant)
        raise ScopesMissing
    if flow.connection_id and not _same_account(user, flow, grant):
        _give_back(grant)
        raise AccountMismatch
    return _keep(user, flow, grant, request)


def _same_account(user: User, flow: Flow, grant: Grant) -> bool:
    known = Connection.objects.visible_to(user).filter(provider=flow.provider, provider_subject=grant.identity.subject)
    return known.filter(pk=flow.connection_id).exists()


def _give_back(grant: Grant) -> None:
    """Withdraw a grant we cannot use. Google withdraws all of an account's at once, so not under a live connection."""
    if Connection.objects.usable().of_google_account(grant.identity.subject).exists():
        return
    with suppress(OAuthUnavailable):  # then the access token, which we forget, ends by itself within the hour
        google_oauth.revoke(grant.answer.refresh_token or grant.answer.access_token)


@transaction.atomic
def _keep(user: User, flow: Flow, grant: Grant, request: HttpRequest) -> Connection:
    kind = KINDS[flow.provider]
    made, _created = Connection.objects.get_or_create(owner=user, provider=kind.provider, provider_subject=grant.identity.subject)
    row = Connection.objects.select_for_update().get(pk=made.pk)
    row.account_email = grant.identity.email
    row.access_token, row.expires_at = grant.answer.access_token, grant.answer.expires_at
    row.refresh_token = (grant.answer.refresh_token or None) if flow.keep else None
    row.renewable = bool(row.refresh_token)
    row.granted_scopes = sorted(grant.answer.scopes)
    row.status, row.error_code = Connection.Status.ACTIVE, ""
    row.save()
    Consent.objects.create(user=user, purpose=kind.purpose, text_version=flow.text_version, scopes=row.granted_scopes)
    record("consent.granted", row, actor=user, request=request, purpose=kind.purpose, text_version=flow.text_version)
    record("connection.connected", row, actor=user, request=request, scopes=row.granted_scopes, kept=row.renewable)
    if kind is GMAIL:
        ensure_pipeline(row)
    tell_followers(row)
    return row
