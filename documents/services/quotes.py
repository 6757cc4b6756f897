"""Quotes: drafted, made ready, sent, answered, revised."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import Organization, User
from audit.services import record
from documents.content import quote_content
from documents.models import Acceptance, Quote, QuoteLine
from documents.services.acts import Act, accept, freeze
from documents.services.errors import NotPossible
from documents.services.identities import complete_identity, identity_of
from documents.services.links import revoke_links
from documents.services.sheets import DERIVED, LINE_FIELDS, SHEET_FIELDS, made_lines, reckon, require_whole, take
from documents.services.telling import tell
from documents.zones import today_in

FIELDS = (*SHEET_FIELDS, "valid_until", "deposit_percent", "deposit_amount")
Status = Quote.Status


@transaction.atomic
def create_quote(
    organization: Organization, *, fields: dict[str, Any], lines: Sequence[dict[str, Any]], actor: User, request: HttpRequest | None = None
) -> Quote:
    """A draft. Raises NotPossible("discount") when the discount exceeds the lines."""
    quote = Quote(organization=organization, created_by=actor)
    take(quote, fields, FIELDS)
    rows = made_lines(QuoteLine, {"quote": quote}, lines)
    reckon(quote, rows)
    quote.save(force_insert=True)
    QuoteLine.objects.bulk_create(rows)
    tell(quote, "quote.created", actor=actor, request=request)
    return quote


@transaction.atomic
def edit_quote(
    quote: Quote, *, fields: dict[str, Any], lines: Sequence[dict[str, Any]], actor: User, request: HttpRequest | None = None
) -> Quote:
    """A draft only, made ready or not; it keeps a number that it has. Raises NotPossible("sent"), NotPossible("discount")."""
    quote = _locked(quote)
    if not quote.is_draft:
        raise NotPossible("sent")
    changed = take(quote, fields, FIELDS)
    rows = made_lines(QuoteLine, {"quote": quote}, lines)
    reckon(quote, rows)
    quote.content, quote.content_digest = None, ""
    quote.save(update_fields=[*changed, *DERIVED, "content", "content_digest"])
    quote.lines.all().delete()
    QuoteLine.objects.bulk_create(rows)
    if "contact" in changed:
        revoke_links(quote, actor=actor, request=request)  # whoever has them is not the client any more
    record("quote.updated", quote, actor=actor, request=request, organization_id=quote.organization_id, fields=sorted(changed))
    return quote


@transaction.atomic
def make_ready(quote: Quote, *, actor: User | None, request: HttpRequest | None = None) -> Quote:
    """Give a draft its number, its date and its content, so that it can be read as it will go out. Nothing to do the second time.

    Raises Incomplete when the client, the lines or the studio's identity are wanting, NotPossible("accepted_before") when the client
    has accepted what it revises.
    """
    quote = _locked(quote)
    if not quote.is_draft:
        return quote
    if quote.revises_id and Quote.objects.select_for_update().get(pk=quote.revises_id).status == Status.ACCEPTED:
        raise NotPossible("accepted_before")
    if quote.content:
        return quote
    lines = list(quote.lines.all())
    require_whole(quote, lines)
    identity = complete_identity(quote.organization_id)
    content = partial(quote_content, lines=lines)
    freeze(quote, content, identity=identity, days=identity.quote_days, actor=actor, request=request)
    return quote


@transaction.atomic
def mark_sent(quote: Quote, *, actor: User | None, request: HttpRequest | None = None) -> Quote:
    """From now on it is with the client and does not change; what it revises is superseded. Nothing to do the second time."""
    quote = make_ready(quote, actor=actor, request=request)
    if not quote.is_draft:
        return quote
    quote.status, quote.sent_at = Status.SENT, timezone.now()
    quote.save(update_fields=["status", "sent_at"])
    if quote.revises_id:
        _supersede(quote.revises_id, actor=actor, request=request)
    tell(quote, "quote.sent", actor=actor, request=request, number=quote.number, digest=quote.content_digest)
    return quote


@transaction.atomic
def accept_quote(quote: Quote, act: Act, *, options: Sequence[int] = (), request: HttpRequest | None = None) -> Acceptance:
    """The client agrees, with the optional lines at these positions. Raises NotPossible with the state it is in instead of `sent`."""
    quote = _locked(quote)
    if quote.state != Status.SENT:
        raise NotPossible(quote.state)
    lines = list(quote.lines.all())
    taken = [line for line in lines if line.optional and line.position in set(options)]
    for line in taken:
        line.optional = False
    QuoteLine.objects.bulk_update(taken, ["optional"])
    reckon(quote, lines)
    quote.save(update_fields=DERIVED)
    return accept(quote, act, options=[line.position for line in taken], gross=quote.gross, request=request)


@transaction.atomic
def revise_quote(quote: Quote, *, actor: User, request: HttpRequest | None = None) -> Quote:
    """A new draft with the same lines; the old one holds until the new one is sent. Raises NotPossible for a draft or accepted one."""
    quote = _locked(quote)
    if quote.status in {Status.DRAFT, Status.ACCEPTED}:
        raise NotPossible(quote.status)
    fields = {name: getattr(quote, name) for name in FIELDS if name != "valid_until"}
    lines = [{name: getattr(line, name) for name in LINE_FIELDS} for line in quote.lines.all()]
    new = create_quote(quote.organization, fields=fields, lines=lines, actor=actor, request=request)
    new.revises, new.revision = quote, quote.revision + 1
    new.save(update_fields=["revises", "revision"])
    return new


def _supersede(pk: Any, *, actor: User | None, request: HttpRequest | None) -> None:
    old = Quote.objects.select_for_update().filter(pk=pk, status__in=[Status.SENT, Status.DECLINED]).first()
    if old:
        old.status = Status.SUPERSEDED
        old.save(update_fields=["status"])
        tell(old, "quote.revised", actor=actor, request=request, number=old.number)


def _locked(quote: Quote) -> Quote:
    return Quote.objects.select_for_update(of=("self",)).select_related("contact", "project").get(pk=quote.pk)


def new_quote_fields(organization: Organization) -> dict[str, Any]:
    """What a new quote starts with, from the studio's identity."""
    identity = identity_of(organization.pk)
    return {
        "currency": identity.currency,
        "vat_included": identity.prices_include_vat,
        "deposit_percent": identity.deposit_percent,
        "valid_until": today_in(identity.country) + timedelta(days=identity.quote_days),
    }
