"""The VAT rates that a studio may put on a line, by its country, as data: today's rates, the usual one first.

A rate that changes is a line here; documents keep the rates they were written with.
"""

from decimal import Decimal

# EU: https://europa.eu/taxation_customs/tedb; the four or five a photographer meets, nought for what is exempt
RATES = {
    "AT": "20 13 10 0", "BE": "21 12 6 0", "BG": "20 9 0", "CH": "8.1 2.6 0", "CY": "19 9 5 0", "CZ": "21 12 0", "DE": "19 7 0",
    "DK": "25 0", "EE": "24 13 9 0", "ES": "21 10 4 0", "FI": "25.5 13.5 10 0", "FR": "20 10 5.5 2.1 0", "GB": "20 5 0", "GR": "24 13 6 0",
    "HR": "25 13 5 0", "HU": "27 18 5 0", "IE": "23 13.5 9 0", "IT": "22 10 5 4 0", "LT": "21 12 5 0", "LU": "17 14 8 3 0",
    "LV": "21 12 5 0", "MC": "20 10 5.5 2.1 0", "MT": "18 12 7 5 0", "NL": "21 9 0", "NO": "25 15 12 0", "PL": "23 8 5 0",
    "PT": "23 13 6 0", "RO": "21 11 0", "SE": "25 12 6 0", "SI": "22 9.5 5 0", "SK": "23 19 5 0",
}  # fmt: skip
ELSEWHERE = "20 0"


def rates(country: str, *, charges_vat: bool = True) -> list[Decimal]:
    """With two decimals, as they are stored; nought alone for a seller who charges none."""
    if not charges_vat:
        return [Decimal("0.00")]
    return [Decimal(rate).quantize(Decimal("0.01")) for rate in RATES.get(country, ELSEWHERE).split()]
