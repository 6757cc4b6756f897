"""What the pages of a quote, a contract and an invoice have in common: the paper itself, the client's link, who agreed."""

from typing import Any

from accounts.models import Membership
from documents.markdown import as_html
from documents.models import ClientLink, Invoice
from documents.printing import as_words
from documents.services.papers import AnyDocument, acceptance_of, paper
from studio.panels import urls_of

MOST_LINKS = 5


def common(document: AnyDocument, mine: Membership, *, may_edit: bool) -> dict[str, Any]:
    kind = str(document._meta.model_name)
    acceptance = acceptance_of(document)
    content = paper(document, acceptance)
    links = ClientLink.objects.usable().filter(**{kind: document}).order_by("-created_at")
    return {
        "document": document,
        "kind": kind,
        "may_edit": may_edit,
        "paper": as_words(content) if content else None,
        "paper_text": as_html(content["text"]) if content and kind == "contract" else "",
        "links": list(links[:MOST_LINKS]),
        "can_link": bool(document.content) and not (isinstance(document, Invoice) and document.kind == Invoice.Kind.CREDIT_NOTE),
        "acceptance": acceptance,
        "panels": urls_of(kind, document.pk),
        "mine": mine,
    }
