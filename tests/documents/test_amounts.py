"""Cents: whatever the lines, rates, discounts and deposits, what the client pays is what they add up to."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.amounts import CENT, ZERO, Amounts, Line, Totals, part, percent_of, rounded, spread, totals

RATES = [Decimal(rate) for rate in ("0", "2.1", "5.5", "6", "10", "20", "21")]
money = st.decimals("0", "99999.99", places=2)
lines = st.lists(
    st.builds(
        Line,
        quantity=st.decimals("0", "500", places=3),
        unit_price=st.decimals("0", "9999.9999", places=4),
        vat_rate=st.sampled_from(RATES),
        discount=st.decimals("0", "100", places=2),
    ),
    min_size=1,
    max_size=12,
)
percent = st.decimals("0", "100", places=2)


def in_cents(amount: Decimal) -> bool:
    return amount == amount.quantize(CENT)


@given(lines, percent, st.booleans())
def test_what_is_paid_is_what_the_lines_less_the_discount_come_to(some, off, included):
    found = totals(some, discount_percent=off, vat_included=included)
    asked = sum((line.amount for line in some), ZERO)
    assert found.discount == rounded(asked * off / 100)
    assert (found.gross if included else found.net) == asked - found.discount
    assert found.gross == sum((amounts.gross for amounts in found.by_rate.values()), ZERO) == found.net + found.vat
    assert all(in_cents(amounts.net) and in_cents(amounts.vat) for amounts in found.by_rate.values())


@given(lines, st.booleans())
def test_vat_is_within_half_a_cent_of_its_rate(some, included):
    for rate, amounts in totals(some, vat_included=included).by_rate.items():
        exact = amounts.gross * rate / (100 + rate) if included else amounts.net * rate / 100
        assert abs(amounts.vat - exact) <= CENT / 2


@given(lines, st.lists(percent, max_size=4), st.booleans())
def test_deposits_and_the_balance_add_up_to_the_quote_rate_by_rate(some, shares, included):
    whole = totals(some, vat_included=included)
    deposits: list[Totals] = []
    for share in shares:
        left = whole.minus(deposits)
        deposits.append(part(left, percent_of(left, share)))
        assert deposits[-1].gross == percent_of(left, share)
    balance = whole.minus(deposits)
    assert balance.gross + sum((deposit.gross for deposit in deposits), ZERO) == whole.gross
    for rate, amounts in whole.by_rate.items():
        invoiced = [each.by_rate[rate] for each in [*deposits, balance]]
        assert sum((one.vat for one in invoiced), ZERO) == amounts.vat
        assert all(one.net >= 0 and one.vat >= 0 for one in invoiced)


few_cents = st.builds(Line, quantity=st.just(Decimal(1)), unit_price=st.decimals("0.01", "0.30", places=2), vat_rate=st.sampled_from(RATES))


@given(st.lists(few_cents, min_size=1, max_size=3), st.lists(st.integers(1, 7), min_size=1, max_size=5), st.booleans())
def test_however_many_deposits_none_takes_more_net_or_vat_than_is_left(some, steps, included):
    left = totals(some, vat_included=included)
    for step in steps * 100:
        deposit = part(left, min(step * CENT, left.gross))
        left = left.minus([deposit])
        assert all(one.net >= 0 and one.vat >= 0 for totals_ in (deposit, left) for one in totals_.by_rate.values())
        if not left.gross:
            break
    assert left.net == left.vat == 0


@given(lines, percent)
def test_a_credit_note_is_the_invoice_with_the_other_sign(some, off):
    invoice = totals(some, discount_percent=off)
    assert ((-invoice).gross, (-invoice).vat, (-invoice).discount) == (-invoice.gross, -invoice.vat, -invoice.discount)
    assert invoice.minus([invoice]).gross == 0


@given(money, st.dictionaries(st.sampled_from(RATES), st.decimals("0.01", "99999.99", places=2), min_size=1))
def test_parts_add_up_and_none_is_off_by_more_than_a_cent(amount, weights):
    parts = spread(amount, weights)
    assert sum(parts.values()) == amount
    whole = sum(weights.values())
    assert all(abs(parts[key] - amount * weights[key] / whole) < CENT for key in weights)
    if amount <= whole:
        assert all(parts[key] <= weights[key] for key in weights)


def test_an_example_by_hand():
    some = [Line(Decimal(3), Decimal("33.33"), Decimal(20)), Line(Decimal(1), Decimal("45.05"), Decimal("5.5"), discount=Decimal(10))]
    found = totals(some, discount=Decimal(10))
    # 99.99 and 40.55 (40.545 rounded) = 140.54, less 10: 7.1147 and 2.8853 → 7.11 and 2.89
    assert found.by_rate == {
        Decimal(20): Amounts(Decimal("92.88"), Decimal("18.58")),
        Decimal("5.5"): Amounts(Decimal("37.66"), Decimal("2.07")),
    }
    assert found.gross == Decimal("151.19")


def test_prices_with_vat_are_paid_as_printed():
    found = totals([Line(Decimal(1), Decimal("99.90"), Decimal(20))] * 3, vat_included=True)
    assert found.by_rate == {Decimal(20): Amounts(Decimal("249.75"), Decimal("49.95"))}


@pytest.mark.parametrize(
    "given", [{"discount": Decimal(11)}, {"discount": Decimal(1), "discount_percent": Decimal(1)}, {"discount": Decimal(-1)}]
)
def test_a_discount_that_makes_no_sense_is_refused(given):
    with pytest.raises(ValueError, match="discount"):
        totals([Line(Decimal(1), Decimal(10), Decimal(20))], **given)


@pytest.mark.parametrize("deposit", ["-0.01", "12.01"])
def test_a_deposit_is_never_more_than_the_whole(deposit):
    with pytest.raises(ValueError, match="deposit"):
        part(totals([Line(Decimal(1), Decimal(10), Decimal(20))]), Decimal(deposit))
