"""Bars two by two: their scale is round, nothing is drawn below the axis, and the table says the numbers as they are."""

import re

import pytest

from aaperture.lib.charts import Pair, paired_bars


def drawn(*values: tuple[float, float]) -> str:
    pairs = [Pair(f"{n}", f"month {n}", pair, (f"<{pair[0]}>", f"<{pair[1]}>")) for n, pair in enumerate(values)]
    return paired_bars("money", title="T", description="D", columns=("Month", "In", "Out"), pairs=pairs, scale=lambda value: f"{value} €")


@pytest.mark.parametrize(
    ("highest", "scale"),
    [
        (0, ["0", "1"]), (3, ["0", "1", "2", "3"]), (8.5, ["0", "5", "10"]), (41, ["0", "20", "40", "60"]),
        (7_300, ["0", "2000", "4000", "6000", "8000"]), (1_000_000, ["0", "500000", "1000000"]),
    ],
)  # fmt: skip
def test_the_scale_is_round_and_reaches_the_highest(highest, scale):
    assert re.findall(r">(\d+) €<", drawn((0, highest))) == scale


def test_what_went_back_has_no_bar_and_stands_in_the_table():
    picture = drawn((100, 50), (-40, 0))
    heights = [float(height) for height in re.findall(r'<rect [^>]*height="([\d.-]+)"', picture)]
    assert heights == [150.0, 75.0, 0, 0] and len(re.findall('class="bar-2"', picture)) == 2
    assert "<td>&lt;-40&gt;</td>" in picture and picture.count("<tr>") == 3
