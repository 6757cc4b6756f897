"""From a document's content (`documents.content`) to what is printed: labels, amounts and dates as the client's language writes them."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from babel.dates import format_date
from babel.numbers import format_currency, format_decimal
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from documents.markdown import as_blocks
from documents.payment_code import epc_qr
from documents.pdf.compiling import pdf

Content = Mapping[str, Any]


def digest(content: Content) -> str:
    """SHA-256 of the content in canonical JSON (sorted keys, no spaces, UTF-8), in hex: what the activity log keeps of it."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()


def as_pdf(content: Content) -> bytes:
    """PDF/A-3a where our fonts have every character, tagged always. The same content gives the same bytes."""
    made_at = datetime.combine(date.fromisoformat(content["dated_on"]), datetime.min.time(), UTC)
    with translation.override(content["language"]):
        if content["kind"] == "contract":
            return pdf("contract", _contract(content), made_at=made_at)
        sheet = _sheet(content)
        code = (sheet["payment"] or {}).pop("qr", "")
        return pdf("sheet", sheet, made_at=made_at, code=code)


def as_words(content: Content, *, due: Decimal | None = None) -> dict[str, Any]:
    """The same for a page: every text ready to show, in the client's language; how to pay says what is `due`, if that is another sum."""
    with translation.override(content["language"]):
        if content["kind"] == "contract":
            return _contract(content)
        words = _sheet(content)
        if due is not None:
            words["payment"] = _payment(content, due)
    for line in words["lines"]:  # a narrow page names each cell
        line["labelled"] = list(zip(words["columns"], line["cells"], strict=True))
    return words


class Writing:
    """Numbers and dates of one document, as its language and currency write them."""

    def __init__(self, content: Content) -> None:
        self.language: str = content["language"]
        self.currency: str = content["currency"]

    def money(self, amount: str | Decimal) -> str:
        return format_currency(Decimal(amount), self.currency, locale=self.language)

    def price(self, amount: str) -> str:
        """Up to four decimals, at least two."""
        return format_currency(Decimal(amount), self.currency, format=None, locale=self.language, decimal_quantization=False)

    def number(self, number: str) -> str:
        return format_decimal(Decimal(number).normalize(), locale=self.language, decimal_quantization=False)

    def percent(self, rate: str) -> str:
        return f"{self.number(rate)}\N{NARROW NO-BREAK SPACE}%" if self.language == "fr" else f"{self.number(rate)}%"

    def day(self, day: str | None) -> str:
        return format_date(date.fromisoformat(day), format="long", locale=self.language) if day else ""

    def days(self, first: date, last: date) -> str:
        if last <= first:
            return self.day(first.isoformat())
        with translation.override(self.language):
            return _("%(first)s to %(last)s") % {"first": self.day(first.isoformat()), "last": self.day(last.isoformat())}


HEADINGS = {
    "quote": lambda: _("Quote"),
    "standard": lambda: _("Invoice"),
    "deposit": lambda: _("Deposit invoice"),
    "balance": lambda: _("Balance invoice"),
    "credit_note": lambda: _("Credit note"),
}
TOTALS = {"quote": lambda: _("Total"), "credit_note": lambda: _("Total credited")}


def _sheet(content: Content) -> dict[str, Any]:
    writing = Writing(content)
    heading = HEADINGS[content["kind"]]()
    after = [[_("Deposit to be paid"), writing.money(content["deposit"])]] if content.get("deposit") else []
    return {
        "title": f"{heading} {content['number']}",
        "heading": heading,
        "number": content["number"],
        "language": content["language"],
        "subject": content.get("subject", ""),
        "facts": _facts(content, writing),
        "seller": _seller(content),
        "client": {"name": content["client"]["name"], "address": _client_lines(content)},
        "labels": {"subject": _("Subject"), "client": _("Client"), "description": _("Description")},
        **_table(content, writing),
        "sums": _sums(content, writing),
        "total": [TOTALS.get(content["kind"], lambda: _("Total to pay"))(), writing.money(content["totals"]["gross"])],
        "after": after,
        "payment": _payment(content, Decimal(content["totals"]["gross"])),
        "notes": [part for part in content.get("notes", "").split("\n\n") if part.strip()],
        "signature": _room_to_sign(content),
        "mentions": content["mentions"],
        "footer": content["seller"]["footer"],
    }


def _facts(content: Content, writing: Writing) -> list[list[str]]:
    facts = [
        [_("Date"), writing.day(content["dated_on"])],
        [_("Valid until"), writing.day(content.get("valid_until"))],
        [_("Date of service"), writing.day(content.get("service_on"))],
        [_("Due on"), writing.day(content.get("due_on"))],
        [_("Refers to"), content.get("refers_to", "")],
        [_("Your reference"), content.get("client_reference", "")],
    ]
    return [fact for fact in facts if fact[1]]


def _seller(content: Content) -> dict[str, Any]:
    seller = content["seller"]
    return {"name": seller["name"], "address": seller["address"], "contact": [line for line in (seller["email"], seller["phone"]) if line]}


def _client_lines(content: Content) -> list[str]:
    client = content["client"]
    identifiers = [f"{label} {value}" for label, value in client.get("identifiers", [])]
    return [*client["address"], *identifiers]


def _table(content: Content, writing: Writing) -> dict[str, Any]:
    discounted = any(Decimal(line["discount"]) for line in content["lines"])
    columns = [pgettext("column of an invoice", "Qty"), _("Unit price")]
    columns += [_("Discount")] if discounted else []
    columns += [_("VAT"), _("Amount incl. VAT") if content["vat_included"] else _("Amount excl. VAT")]
    lines = []
    for line in content["lines"]:
        quantity = f"{writing.number(line['quantity'])} {line['unit']}".strip()
        discount = [writing.percent(line["discount"]) if Decimal(line["discount"]) else ""] if discounted else []
        lines.append(
            {
                "description": line["description"],
                "details": line.get("details", ""),
                "note": _("Option, not part of the total") if line.get("optional") else "",
                "cells": [
                    quantity,
                    writing.price(line["unit_price"]),
                    *discount,
                    writing.percent(line["vat_rate"]),
                    writing.money(line["amount"]),
                ],
            }
        )
    return {"columns": columns, "lines": lines}


def _sums(content: Content, writing: Writing) -> list[list[str]]:
    totals = content["totals"]
    sums = []
    if Decimal(totals["discount"]):
        sums.append([_("Discount"), writing.money(-Decimal(totals["discount"]))])
    for deducted in content.get("deducted", []):
        label = _("Deposit invoiced by %(number)s") % {"number": deducted["number"]}
        gross = Decimal(deducted["gross"])
        taken = gross if content["vat_included"] else Decimal(deducted.get("net", gross))  # so that it adds up with the lines
        if taken != gross:
            label = _("%(deposit)s (%(amount)s incl. VAT)") % {"deposit": label, "amount": writing.money(gross)}
        sums.append([label, writing.money(-taken)])
    sums.append([_("Total excl. VAT"), writing.money(totals["net"])])
    for rate in totals["by_rate"]:
        label = _("VAT %(rate)s on %(amount)s") % {"rate": writing.percent(rate["rate"]), "amount": writing.money(rate["net"])}
        sums.append([label, writing.money(rate["vat"])])
    return sums


def _payment(content: Content, due: Decimal) -> dict[str, Any] | None:
    payment = content.get("payment")
    if not payment or content["kind"] in {"quote", "credit_note"} or due <= 0:
        return None
    facts = [
        ["IBAN", payment["iban"]],
        ["BIC", payment["bic"]],
        [_("Account holder"), payment["holder"]],
        [_("Reference"), content["number"]],
    ]
    if due != Decimal(content["totals"]["gross"]):
        facts.append([_("Amount"), Writing(content).money(due)])
    code = ""
    if content["currency"] == "EUR":
        code = epc_qr(
            holder=payment["holder"],
            iban=payment["iban"],
            bic=payment["bic"],
            amount=due,
            remittance=content["number"],
        ).decode()
    return {
        "heading": _("Payment by bank transfer"),
        "facts": [fact for fact in facts if fact[1]],
        "qr": code,
        "qr_alt": _("QR code with the details of this transfer, for a banking application"),
    }


def _room_to_sign(content: Content) -> dict[str, str] | None:
    if content["kind"] != "quote":
        return None
    heading, acceptance = _("Accepted by the client"), content.get("acceptance")
    if not acceptance:
        return {"heading": heading, "text": _("Date, name and signature, with the words “Bon pour accord”")}
    writing = Writing(content)
    said = [_("Accepted by %(name)s on %(day)s with the words “%(words)s”.") % {**acceptance, "day": writing.day(acceptance["on"])}]
    if acceptance.get("options"):
        said.append(_("With the options: %(options)s.") % {"options": ", ".join(acceptance["options"])})
    if acceptance.get("gross"):
        said.append(_("Total agreed: %(amount)s.") % {"amount": writing.money(acceptance["gross"])})
    if acceptance.get("deposit"):
        said.append(_("Deposit to be paid: %(amount)s.") % {"amount": writing.money(acceptance["deposit"])})
    return {"heading": heading, "text": " ".join(said)}


def _contract(content: Content) -> dict[str, Any]:
    writing = Writing(content)
    seller, client, acceptance = content["seller"], content["client"], content.get("acceptance")
    legal_name, *numbers = seller["footer"]
    agreed = _("Accepted online on %(day)s with the words “%(words)s”") if acceptance else _("Date, name and signature")
    if acceptance:
        agreed = agreed % {"day": writing.day(acceptance["on"]), "words": acceptance["words"]}
    return {
        "title": content["subject"],
        "number": content["number"],
        "language": content["language"],
        "digest": hashlib.sha256(content["text"].encode()).hexdigest(),
        "seller": {"name": seller["name"]},
        "blocks": as_blocks(content["text"]),
        "parties": [
            {"role": _("The photographer"), "name": legal_name, "lines": [*seller["address"], *numbers]},
            {"role": _("The client"), "name": client["name"], "lines": _client_lines(content)},
        ],
        "signatures": [
            {"role": _("The photographer"), "name": seller["name"], "text": writing.day(content["dated_on"])},
            {"role": _("The client"), "name": acceptance["name"] if acceptance else client["name"], "text": agreed},
        ],
    }
