"""What happens to quotes and contracts alike: made ready, answered by the client, deleted as a draft.

Agreeing is an act: who wrote which words, about exactly what, from where.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple, cast

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import User
from audit.services import record
from documents.content import Content
from documents.models import Acceptance, ClientLink, Contract, Identity, Quote
from documents.printing import digest
from documents.services.errors import NotPossible
from documents.services.numbering import allot
from documents.services.telling import tell
from documents.zones import today_in

AnyOffer = Quote | Contract
NUMBERED = {"quote": "quote.numbered", "contract": "contract.numbered"}
DELETED = {"quote": "quote.deleted", "contract": "contract.deleted"}
WORDS = "Bon pour accord"


class Act(NamedTuple):
    """By a client at a link, or written down by somebody of the studio (`recorded_by`)."""

    name: str
    words: str = WORDS
    address: str = ""
    agent: str = ""
    link: ClientLink | None = None
    recorded_by: User | None = None


def freeze(
    document: AnyOffer, content: Callable[..., Content], *, identity: Identity, days: int, actor: User | None, request: HttpRequest | None
) -> None:
    """In the caller's transaction: a number unless it has one, today's date, a last day (in `days`, if it is over), and the content."""
    kind = str(document._meta.model_name)
    if not document.number:
        document.number, document.issued_on = allot(identity, kind)
    today = today_in(identity.country)
    document.issued_on = max(document.issued_on or today, today)
    if document.valid_until is None or document.valid_until < today:
        document.valid_until = today + timedelta(days=days)
    document.content = content(document, identity=identity, dated_on=document.issued_on)
    document.content_digest = digest(document.content)
    document.derive_search()
    document.save(update_fields=["number", "issued_on", "valid_until", "content", "content_digest", "search_text"])
    record(NUMBERED[kind], document, actor=actor, request=request, organization_id=document.organization_id, number=document.number)


def accept(
    document: AnyOffer, act: Act, *, options: Sequence[int] = (), gross: Decimal | None = None, request: HttpRequest | None
) -> Acceptance:
    """In the caller's transaction, which holds the row. Raises NotPossible("link") when the link was taken back or ran out meanwhile."""
    _require_usable(act.link)
    kind = str(document._meta.model_name)
    document.status, document.answered_at = document.Status.ACCEPTED, timezone.now()
    document.save(update_fields=["status", "answered_at"])
    acceptance = Acceptance.objects.create(
        **{kind: document}, organization_id=document.organization_id, content_digest=document.content_digest, name=act.name,
        words=act.words, options=list(options), gross=gross, address=act.address, agent=act.agent, link=act.link,
        recorded_by=act.recorded_by,
    )  # fmt: skip
    tell(document, f"{kind}.accepted", actor=act.recorded_by, request=request, number=document.number, digest=document.content_digest)
    return acceptance


@transaction.atomic
def decline(
    document: AnyOffer, *, reason: str, link: ClientLink | None = None, actor: User | None = None, request: HttpRequest | None = None
) -> None:
    """Raises NotPossible with the state it is in instead of `sent` or `expired`, or NotPossible("link") as `accept` does."""
    document = _locked(document)
    if document.status != document.Status.SENT:
        raise NotPossible(document.state)
    _require_usable(link)
    document.status, document.answered_at, document.decline_reason = document.Status.DECLINED, timezone.now(), reason
    document.save(update_fields=["status", "answered_at", "decline_reason"])
    tell(document, f"{document._meta.model_name}.declined", actor=actor, request=request, number=document.number)


@transaction.atomic
def delete_draft(document: AnyOffer, *, actor: User, request: HttpRequest | None = None) -> None:
    """One without a number. Raises NotPossible("numbered")."""
    document = _locked(document)
    if not document.is_draft or document.number:
        raise NotPossible("numbered")
    event = DELETED[str(document._meta.model_name)]
    record(event, document, actor=actor, request=request, organization_id=document.organization_id)
    document.delete()


def _locked(document: AnyOffer) -> AnyOffer:
    rows: Any = type(document).objects.select_for_update(of=("self",)).select_related("project")
    return cast("AnyOffer", rows.get(pk=document.pk))


def _require_usable(link: ClientLink | None) -> None:
    if link and ClientLink.objects.usable().select_for_update().filter(pk=link.pk).first() is None:
        raise NotPossible("link")
