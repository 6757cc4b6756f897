"""Quotes and invoices for tests, with a word each."""

from decimal import Decimal
from typing import Any

from accounts.models import Organization, User
from documents.models import Identity, Invoice, Quote
from documents.services import acts, identities, invoices, quotes
from studio.models import Project
from tests.studio.trade import make_contact, make_project, studio_of

IDENTITY = {
    "legal_name": "Studio Lumière", "street": "12 rue des Arts", "postcode": "75011", "city": "Paris", "company_number": "12345678900012",
    "vat_number": "FR83404833048", "iban": "FR7630006000011234567890189", "bic": "AGRIFRPP", "email": "bonjour@studio.example",
}  # fmt: skip
LINES: list[dict[str, Any]] = [
    {"description": "Reportage", "details": "Cérémonie et soirée", "unit_price": Decimal(1850), "vat_rate": Decimal(20)},
    {
        "description": "Album 30×30", "quantity": Decimal("2.5"), "unit_price": Decimal("180.1234"), "vat_rate": Decimal("5.5"),
        "discount": Decimal(10),
    },
    {"description": "Drone", "unit_price": Decimal(300), "vat_rate": Decimal(20), "optional": True},
]  # fmt: skip
GROSS = Decimal("2647.57")  # 1,850.00 + 20 % and 405.28 + 5.5 %


def make_identity(organization: Organization, actor: User, **changes: Any) -> Identity:
    return identities.edit_identity(organization, fields=IDENTITY | changes, actor=actor)


def make_job(actor: User) -> Project:
    """A studio that may issue documents, and a project with a client."""
    organization = studio_of(actor)
    make_identity(organization, actor)
    contact = make_contact(organization, street="4 avenue du Parc", postcode="77950", city="Maincy", country="FR")
    return make_project(organization, contact=contact)


def make_quote(project: Project, actor: User, *, lines: list[dict[str, Any]] = LINES, **fields: Any) -> Quote:
    values = {"project": project, "contact": project.contact, "subject": "Mariage", "language": "fr", "deposit_percent": Decimal(30)}
    return quotes.create_quote(project.organization, fields=values | fields, lines=lines, actor=actor)


def accepted_quote(project: Project, actor: User, *, options: tuple[int, ...] = (), **fields: Any) -> Quote:
    quote = quotes.mark_sent(make_quote(project, actor, **fields), actor=actor)
    quotes.accept_quote(quote, acts.Act("Claire Faure", recorded_by=actor), options=options)
    return Quote.objects.get(pk=quote.pk)


def make_invoice(project: Project, actor: User, *, lines: list[dict[str, Any]] = LINES, issued: bool = True, **fields: Any) -> Invoice:
    values = {"project": project, "contact": project.contact, "subject": "Mariage", "language": "fr"}
    invoice = invoices.create_invoice(project.organization, fields=values | fields, lines=lines, actor=actor)
    return invoices.issue_invoice(invoice, actor=actor) if issued else invoice
