"""What the law wants printed, as dated data: which country's seller, in which case, from when until when, and where it says so.

`documents.content` asks for them on the day of issue; the texts are then part of the issued content and never change again.
A new rule is a line here and a test beside the others. Texts stand here in both languages, not in the translation files:
they are law.
"""

import re
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

ALWAYS = date(1, 1, 1)
FOR_EVER = date(9999, 12, 31)

# what may be true of a document
INVOICE, CREDIT_NOTE, QUOTE = "invoice", "credit_note", "quote"
BUSINESS, CONSUMER = "business", "consumer"  # the client
FRANCHISE, REVERSE_CHARGE, VAT_ON_DEBITS = "franchise", "reverse_charge", "vat_on_debits"  # the seller's scheme; the sale's


class Mention(NamedTuple):
    """`when`: all of these must be true. `country`: the seller's, or "" for every other country of the Union."""

    country: str
    when: frozenset[str]
    texts: dict[str, str]
    source: str
    from_on: date = ALWAYS
    until_on: date = FOR_EVER


def _when(*facts: str) -> frozenset[str]:
    return frozenset(facts)


MENTIONS = (
    # --- France ---
    Mention(
        "FR", _when(FRANCHISE),
        {"fr": "TVA non applicable, article 293 B du CGI.", "en": "VAT not applicable, article 293 B of the French tax code (CGI)."},
        "CGI, annexe II, art. 242 nonies A, I, 12°",
    ),
    Mention(
        "FR", _when(REVERSE_CHARGE, INVOICE),
        {"fr": "Autoliquidation.", "en": "Reverse charge."}, "CGI, annexe II, art. 242 nonies A, I, 13°"
    ),
    Mention(
        "FR", _when(VAT_ON_DEBITS, INVOICE),
        {"fr": "Option pour le paiement de la taxe d’après les débits.", "en": "VAT paid on the basis of debits."},
        "CGI, annexe II, art. 242 nonies A, I, 11° bis (décret n° 2022-1299)", from_on=date(2026, 9, 1),
    ),
    Mention(
        "FR", _when(INVOICE),
        {"fr": "Nature de l’opération : prestation de services.", "en": "Category of operation: supply of services."},
        "CGI, annexe II, art. 242 nonies A, I, 7° bis (décret n° 2022-1299)", from_on=date(2026, 9, 1),
    ),
    Mention(
        "FR", _when(INVOICE, BUSINESS),
        {
            "fr": "Pas d’escompte pour paiement anticipé. En cas de retard de paiement : pénalités au taux de trois fois l’intérêt légal, "
            "et indemnité forfaitaire pour frais de recouvrement de 40 €.",
            "en": "No discount for early payment. Late payment: penalties at three times the French statutory interest rate, "
            "and a fixed recovery fee of €40.",
        },
        "Code de commerce, art. L441-9, L441-10 et D441-5",
    ),
    Mention(
        "FR", _when(QUOTE),
        {
            "fr": "Devis gratuit, à retourner avec la mention « Bon pour accord », la date et la signature.",
            "en": "This quote is free of charge. It is accepted with the words “Bon pour accord”, the date and a signature.",
        },
        "Arrêté du 24 janvier 2017, art. 2",
    ),
    # --- Belgium ---
    Mention(
        "BE", _when(FRANCHISE),
        {
            "fr": "Petite entreprise soumise au régime de la franchise de taxe – TVA non applicable.",
            "en": "Small enterprise under the Belgian exemption scheme – VAT not applicable.",
        },
        "Code de la TVA, art. 56bis; arrêté royal n° 19, art. 7",
    ),
    Mention(
        "BE", _when(REVERSE_CHARGE, INVOICE), {"fr": "Autoliquidation.", "en": "Reverse charge."}, "Arrêté royal n° 1, art. 5, § 1er, 9°bis"
    ),
    Mention(
        "BE", _when(INVOICE, BUSINESS),
        {
            "fr": "En cas de retard de paiement : intérêts au taux légal de la loi du 2 août 2002 et indemnité forfaitaire de 40 €.",
            "en": "Late payment: interest at the statutory rate of the Belgian act of 2 August 2002, and a fixed fee of €40.",
        },
        "Loi du 2 août 2002, art. 5 et 6",
    ),
    # --- elsewhere in the Union ---
    Mention(
        "", _when(FRANCHISE),
        {
            "fr": "Exonération de TVA : régime particulier des petites entreprises (directive 2006/112/CE, article 284).",
            "en": "VAT exempt: special scheme for small enterprises (Directive 2006/112/EC, article 284).",
        },
        "Directive 2006/112/EC, art. 226, 11)",
    ),
    Mention(
        "", _when(REVERSE_CHARGE, INVOICE), {"fr": "Autoliquidation.", "en": "Reverse charge."}, "Directive 2006/112/EC, art. 226, 11a)"
    ),
    Mention(
        "", _when(INVOICE, BUSINESS),
        {
            "fr": "En cas de retard de paiement : intérêts légaux et indemnité forfaitaire de 40 € (directive 2011/7/UE).",
            "en": "Late payment: statutory interest and a fixed recovery fee of €40 (Directive 2011/7/EU).",
        },
        "Directive 2011/7/EU, art. 3 and 6",
    ),
)  # fmt: skip
WITH_OWN = frozenset(mention.country for mention in MENTIONS if mention.country)
BREAKS_BADLY = re.compile(r" (?=[:;!?»€])|(?<=«) ")  # in French no line ends before these


def mentions(country: str, facts: Iterable[str], *, language: str, on: date) -> list[str]:
    """The texts to print for a seller of this country, in the order in which they stand here."""
    known = country if country in WITH_OWN else ""
    true = frozenset(facts)
    return [
        BREAKS_BADLY.sub("\u00a0", mention.texts.get(language, mention.texts["en"]))
        for mention in MENTIONS
        if mention.country == known and mention.when <= true and mention.from_on <= on <= mention.until_on
    ]
