"""Charts as SVG made on the server: no script, colours from the style sheet, the numbers again as a table for screen readers."""

from collections.abc import Sequence
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
    return _figure(key, title, description, columns, points, height=PLOT + 48, marks=axis + marks)


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
    return _figure(key, title, description, columns, points, height=len(points) * ROW, marks=marks)


def _figure(
    key: str, title: str, description: str, columns: tuple[str, str], points: Sequence[Point], *, height: int, marks: str
) -> SafeString:
    rows = format_html_join("", '<tr><th scope="row">{}</th><td>{}</td></tr>', ((point.name, point.value) for point in points))
    return format_html(
        '<figure class="chartbox"><svg class="chart" viewBox="0 0 {width} {height}" role="img"'
        ' aria-labelledby="{key}-title {key}-desc"><title id="{key}-title">{title}</title><desc id="{key}-desc">{description}</desc>'
        '{marks}</svg><div class="vh"><table><caption>{title}</caption><thead><tr><th scope="col">{first}</th>'
        '<th scope="col">{second}</th></tr></thead><tbody>{rows}</tbody></table></div></figure>',
        key=key, title=title, description=description, marks=marks, rows=rows, width=WIDTH, height=height,
        first=columns[0], second=columns[1],
    )  # fmt: skip
