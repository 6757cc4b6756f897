"""Charts as SVG made on the server: no script, colours from the style sheet, the numbers again as a table for screen readers."""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH = 380
ROW = 34
PLOT = 150
MARGIN = 12


class Point(NamedTuple):
    """One bar: what stands at the axis, what a screen reader is told, how many."""

    label: str
    name: str
    value: int


def bar_chart(key: str, *, title: str, description: str, columns: tuple[str, str], points: Sequence[Point]) -> SafeString:
    """Upright bars, side by side; `key` makes ids unique on the page, `columns` heads the table of numbers."""
    highest = max((point.value for point in points), default=0) or 1
    step = (WIDTH - 2 * MARGIN) / max(len(points), 1)
    every = max(1, round(len(points) / 6))  # labels would run into each other
    bars = []
    for n, point in enumerate(points):
        height = round(PLOT * point.value / highest)
        x, middle = round(MARGIN + (n + 0.15) * step, 1), round(MARGIN + (n + 0.5) * step, 1)
        label = point.label if (len(points) - 1 - n) % every == 0 else ""
        bars.append((x, 20 + PLOT - height, round(step * 0.7, 1), height, middle, 14 + PLOT - height, point.value or "", 40 + PLOT, label))
    marks = format_html_join(
        "",
        '<rect class="bar" x="{0}" y="{1}" width="{2}" height="{3}" rx="3"/>'
        '<text class="value" x="{4}" y="{5}" text-anchor="middle">{6}</text>'
        '<text class="label" x="{4}" y="{7}" text-anchor="middle">{8}</text>',
        bars,
    )
    axis = format_html('<line class="axis" x1="0" y1="{0}" x2="{1}" y2="{0}"/>', 20.5 + PLOT, WIDTH)
    return _figure(key, title, description, columns, _told(points), height=PLOT + 48, marks=axis + marks)


class Pair(NamedTuple):
    """Two bars of one month: what stands at the axis, what a screen reader is told, the two values, and the two in words."""

    label: str
    name: str
    values: tuple[float, float]
    words: tuple[str, str]


def paired_bars(
    key: str, *, title: str, description: str, columns: tuple[str, str, str], pairs: Sequence[Pair], scale: Callable[[int], str]
) -> SafeString:
    """Upright bars two by two, with lines of a scale behind them; `columns` heads the table and names the two, `scale` writes a value."""
    left, step = 44, (WIDTH - 44) / max(len(pairs), 1)
    highest = max((value for pair in pairs for value in pair.values), default=0)
    tick = _tick(highest)
    top = max(tick * math.ceil(highest / tick), 1)
    lines = [(round(20.5 + PLOT * (1 - value / top), 1), scale(value)) for value in range(0, top + 1, tick)]
    bars, labels = [], []
    for n, pair in enumerate(pairs):
        for side, value in enumerate(pair.values):
            x, height = left + (n + 0.1 + 0.4 * side) * step, max(0, round(PLOT * value / top, 1))
            bars.append(("bar" if side else "bar-2", round(x, 1), round(20 + PLOT - height, 1), round(step * 0.36, 1), height))
        if (len(pairs) - 1 - n) % 2 == 0:
            labels.append((round(left + (n + 0.5) * step, 1), 40 + PLOT, pair.label))
    grid = format_html_join(
        "",
        '<line class="grid" x1="{0}" y1="{2}" x2="{1}" y2="{2}"/><text class="label" x="{3}" y="{4}" text-anchor="end">{5}</text>',
        ((left, WIDTH, y, left - 6, y + 4, words) for y, words in lines),
    )
    marks = format_html_join("", '<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="2"/>', bars)
    texts = format_html_join("", '<text class="label" x="{}" y="{}" text-anchor="middle">{}</text>', labels)
    rows = [(pair.name, *pair.words) for pair in pairs]
    return _figure(key, title, description, columns, rows, height=PLOT + 48, marks=grid + marks + texts)


def _tick(highest: float) -> int:
    """A round step (1, 2 or 5 and noughts) that reaches `highest` in two to five of them."""
    step = 1
    for factor in itertools.cycle((2, 2.5, 2)):
        if highest <= 4 * step:
            return step
        step = round(step * factor)
    return step


def funnel(
    key: str, *, title: str, description: str, columns: tuple[str, str], points: Sequence[Point], left: int = 92
) -> SafeString:  # fmt: skip
    """Lying bars, one below the other, each as long as its share of the largest; `left` is the room of the names."""
    highest = max((point.value for point in points), default=0) or 1
    right = 44
    bars = []
    for n, point in enumerate(points):
        length = max(2, round((WIDTH - left - right) * point.value / highest))
        y = n * ROW
        bars.append((0, y + 21, point.label, left, y + 5, length, 22, left + length + 8, point.value))
    marks = format_html_join(
        "",
        '<text class="label" x="{0}" y="{1}">{2}</text><rect class="bar" x="{3}" y="{4}" width="{5}" height="{6}" rx="4"/>'
        '<text class="value" x="{7}" y="{1}">{8}</text>',
        bars,
    )
    return _figure(key, title, description, columns, _told(points), height=len(points) * ROW, marks=marks)


def _told(points: Sequence[Point]) -> list[tuple[str, int]]:
    return [(point.name, point.value) for point in points]


def _figure(
    key: str, title: str, description: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, height: int, marks: str
) -> SafeString:
    """`rows` of the table: a name, and as many values as `columns` has after the first."""
    heads = format_html_join("", '<th scope="col">{}</th>', ((column,) for column in columns))
    body = format_html_join(
        "", '<tr><th scope="row">{}</th>{}</tr>', ((row[0], format_html_join("", "<td>{}</td>", ((v,) for v in row[1:]))) for row in rows)
    )
    return format_html(
        '<figure class="chartbox"><svg class="chart" viewBox="0 0 {width} {height}" role="img"'
        ' aria-labelledby="{key}-title {key}-desc"><title id="{key}-title">{title}</title><desc id="{key}-desc">{description}</desc>'
        '{marks}</svg><div class="vh"><table><caption>{title}</caption><thead><tr>{heads}</tr></thead>'
        "<tbody>{body}</tbody></table></div></figure>",
        key=key, title=title, description=description, marks=marks, heads=heads, body=body, width=WIDTH, height=height,
    )  # fmt: skip
