"""What there is to read and to print of a document: its content, once there is one, with what the client agreed to; else a preview."""

from copy import copy
from typing import Any

from documents.content import Content, contract_content, invoice_content, quote_content, quote_deposit
from documents.models import Acceptance, Contract, Invoice, Quote
from documents.services.identities import identity_of
from documents.services.invoices import reckoned
from documents.zones import today_in, zone_in

AnyDocument = Quote | Contract | Invoice
NO_NUMBER = "–"


def paper(document: AnyDocument, acceptance: Acceptance | None = None) -> Content | None:
    """None for a draft without a client: nothing can be printed of it. A draft's own number is not allotted for it."""
    if document.content:
        return with_acceptance(document, acceptance)
    return preview(document) if document.contact else None


def with_acceptance(document: AnyDocument, acceptance: Acceptance | None = None) -> Content:
    """The frozen content, and beside it what was agreed to, looked up unless given; printed together, hashed apart."""
    content: Content = dict(document.content or {})
    acceptance = acceptance or acceptance_of(document)
    if acceptance is None:
        return content
    on = acceptance.accepted_at.astimezone(zone_in(content.get("seller", {}).get("country", ""))).date().isoformat()
    said: dict[str, Any] = {"name": acceptance.name or "", "words": acceptance.words, "on": on}
    if isinstance(document, Quote) and acceptance.options:
        lines = content["lines"]
        said["options"] = [lines[position - 1]["description"] for position in acceptance.options if position <= len(lines)]
        said["gross"], deposit = f"{acceptance.gross:.2f}", f"{quote_deposit(document):.2f}"
        said["deposit"] = deposit if content["deposit"] not in {"", deposit} else ""  # a share of more, with the options
    return {**content, "acceptance": said}


def acceptance_of(document: AnyDocument) -> Acceptance | None:
    if isinstance(document, Invoice) or document.status not in {Quote.Status.ACCEPTED, Contract.Status.VOIDED}:
        return None
    return Acceptance.objects.filter(**{str(document._meta.model_name): document}).first()


def preview(document: AnyDocument) -> Content:
    """How a draft would look if it went out today. Nothing is stored."""
    identity = identity_of(document.organization_id)
    today = today_in(identity.country)
    shown = copy(document)  # the row itself keeps what it has
    shown.number = document.number or NO_NUMBER
    if isinstance(shown, Contract):
        return contract_content(shown, identity=identity, dated_on=today)
    lines: list[Any] = list(shown.lines.all())
    if isinstance(shown, Quote):
        return quote_content(shown, lines, identity=identity, dated_on=today)
    shown.issued_on = today
    return invoice_content(shown, lines, identity=identity, deducted=reckoned(shown, lines))


def file_name(document: AnyDocument) -> str:
    """For the download: the number, or what it is while it has none."""
    return f"{document.number or document._meta.model_name}.pdf"
