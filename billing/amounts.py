"""Amounts as people write and read them; inside they are whole cents."""

import re
from decimal import Decimal

from django.utils.formats import number_format
from django.utils.translation import get_language

WRITTEN = re.compile(r"[0-9]{1,9}(?:[.,][0-9]{0,2})?")
SYMBOLS = {"eur": "€", "gbp": "£", "usd": "$", "chf": "CHF"}


def shown(cents: int, currency: str) -> str:
    """ "€15", "€2.50"; in French "15 €", "2,50 €"."""
    whole, rest = divmod(cents, 100)
    number = number_format(whole if not rest else Decimal(cents) / 100, decimal_pos=2 if rest else 0, force_grouping=True)
    symbol = SYMBOLS.get(currency, currency.upper())
    if (get_language() or "").startswith("fr"):
        return f"{number}\u00a0{symbol}"
    return f"{symbol}\u00a0{number}" if symbol.isalpha() else f"{symbol}{number}"


def typed(cents: int) -> str:
    """As somebody would write it in a form: "15.00", in French "15,00"."""
    return str(number_format(Decimal(cents) / 100, decimal_pos=2))


def cents_of(text: str) -> int | None:
    """What somebody typed ("12", "12.50", "12,5"), in cents; None for anything else."""
    cleaned = "".join(text.split()).strip("€£$")
    return int(Decimal(cleaned.replace(",", ".")) * 100) if WRITTEN.fullmatch(cleaned) else None
