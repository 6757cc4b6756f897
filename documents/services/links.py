"""Client links: made, opened, taken back."""

import hashlib
import secrets
from datetime import timedelta

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import User
from audit.services import record
from documents.models import ClientLink, Contract, Invoice, Quote
from studio.services.timeline import add_entry

DAYS = 90
AnyDocument = Quote | Contract | Invoice


def token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


@transaction.atomic
def make_link(document: AnyDocument, *, days: int = DAYS, actor: User | None, request: HttpRequest | None = None) -> tuple[ClientLink, str]:
    """The link and its token, which nothing keeps: whoever needs it again makes another."""
    token = secrets.token_urlsafe(32)
    link = ClientLink.objects.create(
        organization_id=document.organization_id, token_hash=token_hash(token), expires_at=timezone.now() + timedelta(days=days),
        created_by=actor, **{_field(document): document},
    )  # fmt: skip
    record("client_link.created", document, actor=actor, request=request, organization_id=document.organization_id, link_id=str(link.pk))
    return link, token


def link_with(token: str) -> ClientLink | None:
    """The usable link with this token; None for an unknown, expired or revoked one alike."""
    found = ClientLink.objects.usable().filter(token_hash=token_hash(token))
    return found.select_related("quote__project", "contract__project", "invoice__project").first()


@transaction.atomic
def opened(link: ClientLink, *, request: HttpRequest | None = None) -> None:
    """The first time it stands in the project's timeline; later ones only move `last_opened_at`."""
    now = timezone.now()
    first = ClientLink.objects.filter(pk=link.pk, first_opened_at=None).update(first_opened_at=now, last_opened_at=now)
    if not first:
        ClientLink.objects.filter(pk=link.pk).update(last_opened_at=now)
        return
    document = link.document
    record("client_link.opened", document, request=request, organization_id=link.organization_id, link_id=str(link.pk))
    if document.project:
        url_name = f"documents:{_field(document)}"
        add_entry(document.project, "document.opened", url_name=url_name, target_id=document.pk, number=document.number)


@transaction.atomic
def revoke_links(document: AnyDocument, *, actor: User, request: HttpRequest | None = None) -> int:
    """End every usable link of a document; how many there were."""
    count = ClientLink.objects.usable().filter(**{_field(document): document}).update(revoked_at=timezone.now())
    if count:
        record("client_link.revoked", document, actor=actor, request=request, organization_id=document.organization_id, count=count)
    return count


def _field(document: AnyDocument) -> str:
    return str(document._meta.model_name)
