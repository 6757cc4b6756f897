"""The client's answer. Agreeing is an act: who wrote which words, about exactly what, from where."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import User
from documents.models import Acceptance, ClientLink, Contract, Quote
from documents.services.errors import NotPossible
from documents.services.telling import tell

WORDS = "Bon pour accord"


class Act(NamedTuple):
    """By a client at a link, or written down by somebody of the studio (`recorded_by`)."""

    name: str
    words: str = WORDS
    address: str = ""
    agent: str = ""
    link: ClientLink | None = None
    recorded_by: User | None = None


def accepted(
    act: Act, *, quote: Quote | None = None, contract: Contract | None = None, options: Sequence[int] = (), gross: Decimal | None = None
) -> Acceptance:
    """In the caller's transaction. Raises NotPossible("link") when the link was taken back or ran out meanwhile."""
    document = quote or contract
    assert document is not None
    _require_usable(act.link)
    return Acceptance.objects.create(
        organization_id=document.organization_id, quote=quote, contract=contract, content_digest=document.content_digest, name=act.name,
        words=act.words, options=list(options), gross=gross, address=act.address, agent=act.agent, link=act.link,
        recorded_by=act.recorded_by,
    )  # fmt: skip


@transaction.atomic
def decline(
    document: Quote | Contract,
    *,
    reason: str,
    link: ClientLink | None = None,
    actor: User | None = None,
    request: HttpRequest | None = None,
) -> None:
    """Raises NotPossible with the state it is in instead of `sent` or `expired`, or NotPossible("link") as `accepted` does."""
    rows: Any = type(document).objects.select_for_update(of=("self",)).select_related("project")
    document = rows.get(pk=document.pk)
    if document.status != document.Status.SENT:
        raise NotPossible(document.state)
    _require_usable(link)
    document.status, document.answered_at, document.decline_reason = document.Status.DECLINED, timezone.now(), reason
    document.save(update_fields=["status", "answered_at", "decline_reason"])
    tell(document, f"{document._meta.model_name}.declined", actor=actor, request=request, number=document.number)


def _require_usable(link: ClientLink | None) -> None:
    if link and ClientLink.objects.usable().select_for_update().filter(pk=link.pk).first() is None:
        raise NotPossible("link")
