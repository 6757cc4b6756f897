"""Alerts per day, stacked by severity: SVG made on the server, the numbers again as a table for screen readers."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

from django.db.models import Count
from django.db.models.functions import TruncDate
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from audit.detectors import RANKED
from audit.models import SecurityAlert

DAYS = 14
WIDTH, PLOT, MARGIN, TOP = 380, 110, 12, 18
Counts = dict[date, Counter[str]]


def chart() -> SafeString | None:
    """Of the last fourteen days; None when nothing was opened in them."""
    counts = _counts()
    if not counts:
        return None
    today = timezone.localdate()
    days = [today - timedelta(days=n) for n in reversed(range(DAYS))]
    highest = max(sum(one.values()) for one in counts.values())
    step = (WIDTH - 2 * MARGIN) / DAYS
    bars: list[Any] = []
    labels: list[Any] = []
    for n, day in enumerate(days):
        x, y = MARGIN + n * step, float(TOP + PLOT)
        for severity in RANKED:
            if number := counts.get(day, Counter())[severity.value]:
                height = PLOT * number / highest
                y -= height
                bars.append((severity.value, round(x + step * 0.15, 1), round(y, 1), round(step * 0.7, 1), round(height, 1)))
        middle = round(x + step / 2, 1)
        if total := sum(counts.get(day, Counter()).values()):
            labels.append(("value", middle, round(y - 5, 1), total))
        if (DAYS - 1 - n) % 3 == 0:
            labels.append(("label", middle, TOP + PLOT + 18, date_format(day, "j N")))
    marks = format_html_join("", '<rect class="severity-{}" x="{}" y="{}" width="{}" height="{}"/>', bars)
    texts = format_html_join("", '<text class="{}" x="{}" y="{}" text-anchor="middle">{}</text>', labels)
    return _figure(marks + texts, days, counts)


def _counts() -> Counts:
    first = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS - 1)
    opened = SecurityAlert.objects.filter(opened_at__gte=first).order_by()
    counts: Counts = {}
    for day, severity, number in opened.annotate(day=TruncDate("opened_at")).values_list("day", "severity").annotate(n=Count("pk")):
        counts.setdefault(day, Counter())[severity] += number
    return counts


def _figure(marks: str, days: list[date], counts: Counts) -> SafeString:
    legend = format_html_join(
        "", '<li><span class="severity-key severity-{}" aria-hidden="true"></span> {}</li>', ((one.value, one.label) for one in RANKED)
    )
    heads = format_html_join("", '<th scope="col">{}</th>', ((one.label,) for one in RANKED))
    rows = format_html_join(
        "",
        '<tr><th scope="row">{}</th>{}</tr>',
        (
            (date_format(day), format_html_join("", "<td>{}</td>", ((counts.get(day, Counter())[one.value],) for one in RANKED)))
            for day in days
        ),
    )
    return format_html(
        '<figure class="chartbox"><svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-labelledby="alerts-title alerts-desc">'
        '<title id="alerts-title">{title}</title><desc id="alerts-desc">{description}</desc>{marks}'
        '<line class="axis" x1="0" y1="{axis}" x2="{width}" y2="{axis}"/></svg>'
        '<ul class="chart-legend">{legend}</ul><div class="vh"><table><caption>{title}</caption>'
        '<thead><tr><th scope="col">{day}</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div></figure>',
        width=WIDTH, height=TOP + PLOT + 26, axis=TOP + PLOT + 0.5, title=_("Alerts per day"), marks=marks, legend=legend,
        description=_("How many alerts were opened on each of the last fourteen days, by severity."), day=_("Day"), heads=heads, rows=rows,
    )  # fmt: skip
