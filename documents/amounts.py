"""What a document's lines come to, to the cent: per line, per VAT rate and in all. Pure; nothing here knows a model.

The rounding is that of EN 16931 (BR-CO-10 … BR-CO-17): a line's amount is rounded, VAT is reckoned once per rate on the sum of its lines.
Where prices include VAT it is the other way round: the client pays the sum of the printed prices, and VAT is taken out of it.
Whatever is spread over rates (a discount, a deposit) is spread by largest remainder, so that the parts add up to the whole.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Self

CENT = Decimal("0.01")
ZERO = Decimal("0.00")
HUNDRED = Decimal(100)


def rounded(amount: Decimal) -> Decimal:
    """To the cent, halves away from zero, as invoices are."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP) + ZERO  # never -0.00


@dataclass(frozen=True)
class Line:
    """Quantity × price, less a discount in per cent, at a VAT rate in per cent."""

    quantity: Decimal
    unit_price: Decimal
    vat_rate: Decimal
    discount: Decimal = ZERO

    @property
    def amount(self) -> Decimal:
        return rounded(self.quantity * self.unit_price * (HUNDRED - self.discount) / HUNDRED)


@dataclass(frozen=True)
class Amounts:
    """One rate's share of a document, or all of it. `gross == net + vat`, always."""

    net: Decimal = ZERO
    vat: Decimal = ZERO

    @property
    def gross(self) -> Decimal:
        return self.net + self.vat

    def __add__(self, other: Self) -> "Amounts":
        return Amounts(self.net + other.net, self.vat + other.vat)

    def __neg__(self) -> "Amounts":
        return Amounts(ZERO - self.net, ZERO - self.vat)


@dataclass(frozen=True)
class Totals:
    """Amounts by VAT rate, highest rate first; `discount` is what was taken off the sum of the lines."""

    by_rate: Mapping[Decimal, Amounts] = field(default_factory=dict)
    discount: Decimal = ZERO

    @property
    def net(self) -> Decimal:
        return sum((amounts.net for amounts in self.by_rate.values()), ZERO)

    @property
    def vat(self) -> Decimal:
        return sum((amounts.vat for amounts in self.by_rate.values()), ZERO)

    @property
    def gross(self) -> Decimal:
        return self.net + self.vat

    def __neg__(self) -> "Totals":
        return Totals({rate: -amounts for rate, amounts in self.by_rate.items()}, ZERO - self.discount)

    def minus(self, others: Iterable["Totals"]) -> "Totals":
        """What is left when parts of it were invoiced already: each rate's net and VAT less theirs, so that all add up to the whole."""
        left = dict(self.by_rate)
        for other in others:
            for rate, amounts in other.by_rate.items():
                left[rate] = left.get(rate, Amounts()) + -amounts
        return Totals(_sorted(left), self.discount)


def totals(lines: Iterable[Line], *, discount: Decimal = ZERO, discount_percent: Decimal = ZERO, vat_included: bool = False) -> Totals:
    """Sums lines, less a discount on the whole: an amount, or per cent (prices and discount both with VAT, or both without).

    Raises ValueError when both are given, or the discount exceeds the sum.
    """
    if discount and discount_percent:
        raise ValueError("A discount is an amount or a percentage, not both.")
    sums: dict[Decimal, Decimal] = {}
    for line in lines:
        sums[line.vat_rate] = sums.get(line.vat_rate, ZERO) + line.amount
    whole = sum(sums.values(), ZERO)
    off = rounded(whole * discount_percent / HUNDRED) if discount_percent else rounded(discount)
    if off and not ZERO <= off <= whole:
        raise ValueError("The discount exceeds the sum of the lines.")
    shares = spread(off, sums) if off else dict.fromkeys(sums, ZERO)
    by_rate = {rate: _with_vat(amount - shares[rate], rate, included=vat_included) for rate, amount in sums.items()}
    return Totals(_sorted(by_rate), off)


def part(whole: Totals, gross: Decimal) -> Totals:
    """A deposit: `gross` of the whole, each rate in proportion. Raises ValueError outside nought … the whole."""
    gross = rounded(gross)
    if not ZERO <= gross <= whole.gross:
        raise ValueError("A deposit lies between nothing and the whole amount.")
    shares = spread(gross, {rate: amounts.gross for rate, amounts in whole.by_rate.items()})
    return Totals({rate: _taken_out(share, whole.by_rate[rate], rate) for rate, share in shares.items()})


def percent_of(whole: Totals, percent: Decimal) -> Decimal:
    return rounded(whole.gross * percent / HUNDRED)


def spread(amount: Decimal, over: Mapping[Decimal, Decimal]) -> dict[Decimal, Decimal]:
    """Divide an amount in proportion to weights of one sign, in whole cents, by largest remainder; the parts add up to it.

    No part exceeds its weight where the amount does not exceed their sum.
    """
    whole = sum(over.values(), ZERO)
    if not whole:
        return dict.fromkeys(over, ZERO)
    cents = int(amount / CENT)
    exact = {key: Decimal(cents) * weight / whole for key, weight in over.items()}
    parts = {key: int(share) for key, share in exact.items()}
    by_remainder = sorted(over, key=lambda key: (exact[key] - parts[key], over[key], key), reverse=True)
    for key in by_remainder[: cents - sum(parts.values())]:
        parts[key] += 1
    return {key: parts[key] * CENT for key in over}


def _with_vat(amount: Decimal, rate: Decimal, *, included: bool) -> Amounts:
    if included:
        vat = rounded(amount * rate / (HUNDRED + rate))
        return Amounts(amount - vat, vat)
    return Amounts(amount, rounded(amount * rate / HUNDRED))


def _taken_out(gross: Decimal, whole: Amounts, rate: Decimal) -> Amounts:
    """VAT within a part, leaving neither net nor VAT of the rest below nought; all of it when the part is the whole."""
    vat = max(min(rounded(gross * rate / (HUNDRED + rate)), whole.vat), gross - whole.net)
    return Amounts(gross - vat, vat)


def _sorted(by_rate: Mapping[Decimal, Amounts]) -> dict[Decimal, Amounts]:
    return dict(sorted(by_rate.items(), reverse=True))
