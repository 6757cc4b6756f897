"""What a document says, as plain JSON: made once, when it goes out, and from then on the document itself.

`documents.printing` prints from it and from nothing else, and its digest stands in the activity log. Amounts are text with a point,
days are ISO 8601. Lists keep their order.
"""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any, Protocol

from django.utils import translation
from django.utils.translation import gettext as _

from documents import mentions
from documents.amounts import percent_of
from documents.models import Contract, Identity, Invoice, Quote
from documents.models.sheets import Line, Sheet
from studio.models import Contact

VERSION = 1
REGISTERED = {"FR": "SIRET", "BE": "BCE"}
Content = dict[str, Any]


def quote_content(quote: Quote, lines: Iterable[Line], *, identity: Identity, dated_on: date) -> Content:
    deposit = quote_deposit(quote)
    return {
        **_sheet(quote, lines, identity=identity, dated_on=dated_on, kind="quote"),
        "valid_until": _day(quote.valid_until),
        "service_on": _day(quote.service_on),
        "deposit": f"{deposit:.2f}" if deposit else "",
    }


def quote_deposit(quote: Quote) -> Decimal:
    """What the client is asked to pay first, VAT included; never more than the whole."""
    asked = quote.deposit_amount or percent_of(quote.totals, quote.deposit_percent)
    return min(asked, quote.gross)


class Deducted(Protocol):
    """An earlier invoice's share of this one."""

    @property
    def number(self) -> str: ...
    @property
    def net(self) -> Decimal: ...
    @property
    def gross(self) -> Decimal: ...


def invoice_content(invoice: Invoice, lines: Iterable[Line], *, identity: Identity, deducted: Iterable[Deducted] = ()) -> Content:
    assert invoice.issued_on is not None
    refers_to = invoice.credits.number if invoice.credits else invoice.quote.number if invoice.quote else ""
    return {
        **_sheet(invoice, lines, identity=identity, dated_on=invoice.issued_on, kind=invoice.kind),
        "due_on": _day(invoice.due_on),
        "service_on": _day(invoice.service_on),
        "refers_to": refers_to,
        "deducted": [{"number": other.number, "net": f"{other.net:.2f}", "gross": f"{other.gross:.2f}"} for other in deducted],
        "payment": _payment(identity),
    }


def contract_content(contract: Contract, *, identity: Identity, dated_on: date) -> Content:
    return {
        **_head(contract, identity=identity, dated_on=dated_on, kind="contract"),
        "currency": identity.currency,
        "text": contract.text,
        "valid_until": _day(contract.valid_until),
    }


def _head(document: Quote | Invoice | Contract | Sheet, *, identity: Identity, dated_on: date, kind: str) -> Content:
    with translation.override(document.language):
        return {
            "version": VERSION,
            "kind": kind,
            "number": document.number,
            "dated_on": dated_on.isoformat(),
            "language": document.language,
            "subject": document.subject,
            "seller": _seller(identity),
            "client": _client(document.contact, identity),
        }


def _sheet(sheet: Sheet, lines: Iterable[Line], *, identity: Identity, dated_on: date, kind: str) -> Content:
    sign = -1 if kind == "credit_note" else 1
    return {
        **_head(sheet, identity=identity, dated_on=dated_on, kind=kind),
        "currency": sheet.currency,
        "vat_included": sheet.vat_included,
        "client_reference": sheet.client_reference,
        "notes": sheet.notes,
        "lines": [_line(line, sign, free_of_vat=sheet.reverse_charge) for line in lines],
        "totals": {
            "net": f"{sheet.net:.2f}",
            "vat": f"{sheet.vat:.2f}",
            "gross": f"{sheet.gross:.2f}",
            "discount": f"{sheet.discount_total:.2f}",
            "by_rate": sheet.by_rate,
        },
        "mentions": mentions.mentions(identity.country, _facts(sheet, identity, kind), language=sheet.language, on=dated_on),
    }


def _line(line: Line, sign: int, *, free_of_vat: bool) -> Content:
    return {
        "description": line.description,
        "details": line.details,
        "quantity": f"{line.quantity}",
        "unit": line.unit,
        "unit_price": f"{sign * line.unit_price}",
        "vat_rate": "0" if free_of_vat else f"{line.vat_rate}",
        "discount": f"{line.discount}",
        "amount": f"{sign * line.amount:.2f}",
        "optional": line.optional,
    }


def _seller(identity: Identity) -> Content:
    legal = " ".join(part for part in (identity.legal_name, identity.legal_form) if part)
    numbers = [
        f"{REGISTERED.get(identity.country, _('Company number'))} {identity.company_number}" if identity.company_number else "",
        identity.register,
        f"{_('VAT number')} {identity.vat_number}" if identity.vat_number else "",
    ]
    return {
        "name": identity.legal_name,
        "address": identity.address_lines,
        "country": identity.country,
        "email": identity.email,
        "phone": identity.phone,
        "footer": [legal, " · ".join(number for number in numbers if number)],
    }


def _client(contact: Contact | None, identity: Identity) -> Content:
    assert contact is not None  # `services` refuse to issue without
    abroad = contact.country if contact.country and contact.country != identity.country else ""
    numbers = [
        [REGISTERED.get(contact.country, _("Company number")).replace("SIRET", "SIREN"), contact.company_number],
        [_("VAT number"), contact.vat_number],
    ]
    person = [contact.person_name] if contact.kind == Contact.Kind.COMPANY and contact.company_name and contact.person_name else []
    return {
        "name": contact.name,
        "address": [*person, *contact.address_lines, *([abroad] if abroad else [])],
        "identifiers": [number for number in numbers if number[1]],
    }


def _facts(sheet: Sheet, identity: Identity, kind: str) -> set[str]:
    contact = sheet.contact
    business = contact is not None and contact.kind == Contact.Kind.COMPANY
    facts = {mentions.BUSINESS if business else mentions.CONSUMER}
    facts.add({"quote": mentions.QUOTE, "credit_note": mentions.CREDIT_NOTE}.get(kind, mentions.INVOICE))
    if not identity.charges_vat:
        facts.add(mentions.FRANCHISE)
    if sheet.reverse_charge:
        facts.add(mentions.REVERSE_CHARGE)
    if identity.vat_on_debits:
        facts.add(mentions.VAT_ON_DEBITS)
    return facts


def _payment(identity: Identity) -> Content | None:
    if not identity.iban:
        return None
    return {"iban": identity.iban, "bic": identity.bic, "holder": identity.account_holder or identity.legal_name}


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None
