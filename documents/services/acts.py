"""The act of agreeing: who wrote which words, about exactly what, from where."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from accounts.models import User
from documents.models import Acceptance, ClientLink, Contract, Quote
from documents.services.errors import NotPossible

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
    if act.link and ClientLink.objects.usable().select_for_update().filter(pk=act.link.pk).first() is None:
        raise NotPossible("link")
    return Acceptance.objects.create(
        organization_id=document.organization_id, quote=quote, contract=contract, content_digest=document.content_digest, name=act.name,
        words=act.words, options=list(options), gross=gross, address=act.address, agent=act.agent, link=act.link,
        recorded_by=act.recorded_by,
    )  # fmt: skip
