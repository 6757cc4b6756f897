"""The console's monitoring page: what to do now, every figure with its state, charts where people would rather look."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

from django.contrib.auth.decorators import permission_required
from django.db.models import Count
from django.db.models.functions import TruncHour
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET

from aaperture.lib.charts import Point, bar_chart, funnel
from aaperture.lib.console import console
from aaperture.lib.fragments import part_of
from accounts.admin.ending import operator
from audit.seal import heads
from integrations.models import Connection, Run
from operations import alert_chart, figures
from operations.monitoring import snapshot, stores
from operations.monitoring.gauges import DAY, GAUGES, HOUR, MINUTE, Gauge, Group, Reading, State, Unit, worst
from operations.monitoring.work import QUEUES

TONES = {State.OK: "ok", State.WARN: "warn", State.BAD: "danger", State.UNKNOWN: "danger"}
WORDS = {
    State.OK: gettext_lazy("in order"), State.WARN: gettext_lazy("watch"), State.BAD: gettext_lazy("act"),
    State.UNKNOWN: gettext_lazy("not measured"),
}  # fmt: skip
NOT_MEASURED = gettext_lazy("What it is read from does not answer: see “not measured” in the log of the web server.")
# told by a line beside them, or by a chart
NOT_IN_TABLES = frozenset({"work_waiting", "runs_last_hour", "connections", "alerts_open", "backup_size_bytes"})
PLACES = {
    "log": gettext_lazy("log stream"), "heads": gettext_lazy("heads of the log"), "archive": gettext_lazy("archive of the log"),
    "erasures": gettext_lazy("ledger of erasures"), "backups": gettext_lazy("backups"), "data": gettext_lazy("data"),
}  # fmt: skip
HOURS = 24


class Line(NamedTuple):
    title: str
    value: str
    tone: str
    state: str
    advice: Any
    page: str = ""


def _seconds(value: float) -> str:
    if value < 2 * MINUTE:
        return _("%(n)d s") % {"n": value}
    for size, one, words in ((HOUR, MINUTE, _("%(n)d min")), (2 * DAY, HOUR, _("%(n)d h"))):
        if value < 2 * size:
            return words % {"n": value // one}
    days = int(value // DAY)
    return ngettext("%(n)d day", "%(n)d days", days) % {"n": days}


def told(gauge: Gauge, value: float | None) -> str:
    """A value as people read it."""
    if value is None:
        return "–"
    if gauge.unit is Unit.SECONDS:
        return _seconds(value)
    if gauge.unit is Unit.FLAG:
        return _("yes") if value else _("no")
    if gauge.unit is Unit.BYTES:
        return filesizeformat(value)
    return f"{number_format(100 * value, 1 if value < 0.1 else 0)} %" if gauge.unit is Unit.SHARE else number_format(value)


def _part(reading: Reading) -> str:
    """What a reading is of, in words."""
    name, part = reading.gauge.part, reading.part
    if name == "queue":
        return str({queue.name: queue.title for queue in QUEUES}.get(part, part)) if reading.gauge.name.startswith("work_") else part
    if name == "place":
        addresses = heads.addresses()
        if part.isdecimal() and int(part) <= len(addresses):
            return addresses[int(part) - 1]
        return ", ".join(str(PLACES.get(word, word)) for word in part.split(", "))
    return part


def _lines(readings: list[Reading]) -> Iterator[Line]:
    waiting = {one.part: one.value for one in readings if one.gauge.name == "work_waiting"}
    for one in readings:
        if one.gauge.name in NOT_IN_TABLES:
            continue
        title, value = str(one.gauge.title), told(one.gauge, one.value)
        if one.gauge.name == "work_oldest_seconds" and one.part:
            count = waiting.get(one.part) or 0
            title = _part(one)
            value = _("%(count)s, the oldest for %(age)s") % {"count": number_format(count), "age": value} if count else "0"
        elif one.part:
            title = _("%(what)s: %(value)s") % {"what": title, "value": _part(one)}
        advice = NOT_MEASURED if one.state is State.UNKNOWN and not one.gauge.advice else one.gauge.advice
        is_judged = one.value is None or one.gauge.warn is not None or one.gauge.bad is not None
        yield Line(
            title[:1].upper() + title[1:], value, TONES[one.state], str(WORDS[one.state]) if is_judged else "", advice, one.gauge.page
        )


def _groups(readings: list[Reading]) -> list[dict[str, Any]]:
    found = []
    for group in Group:
        of_group = [one for one in readings if one.gauge.group == group]
        if of_group:
            state = worst(of_group)
            badge = {"tone": TONES[state], "state": WORDS[state]}
            found.append({"key": group.value, "title": group.label, "lines": list(_lines(of_group)), "worst": state, **badge})
    return found


def _to_do(groups: list[dict[str, Any]]) -> list[Line]:
    """What is not in order, the worst first, each advice once."""
    rank = {str(WORDS[state]): state for state in State}
    lines = [line for group in groups for line in group["lines"] if line.state and line.state != str(WORDS[State.OK])]
    once: dict[str, Line] = {}
    for line in sorted(lines, key=lambda line: -rank[line.state]):
        once.setdefault(str(line.advice), line)
    return list(once.values())


def _with_links(request: HttpRequest, lines: list[Line]) -> list[dict[str, Any]]:
    """Each with the page its advice names, if the reader has it."""
    names = {entry["admin_url"]: entry["name"] for app in console.get_app_list(request) for entry in app["models"]}
    found = []
    for line in lines:
        name, _sign, query = line.page.partition("?")
        url = reverse(f"admin:{name}") if name else ""
        link = {"url": f"{url}?{query}" if query else url, "link": names[url]} if url in names else {}
        found.append(line._asdict() | link)
    return found


def state(request: HttpRequest) -> dict[str, Any]:
    user = operator(request)
    groups = _groups(snapshot.take())
    pictures = [*_charts(), *figures.charts_for(user, figures.MONITORING)]
    return {
        "figures": figures.figures_for(user, figures.MONITORING), "charts": pictures, "groups": groups,
        "to_do": _with_links(request, _to_do(groups)), "taken_at": timezone.localtime(),
    }  # fmt: skip


def monitoring_view(request: HttpRequest) -> HttpResponse:
    judged = [gauge for gauge in GAUGES.values() if gauge.advice]
    limits = [(gauge.title, _limits(gauge), gauge.advice) for gauge in judged]
    context = {**console.each_context(request), "title": _("Monitoring"), "limits": limits, **state(request)}
    return TemplateResponse(request, "operations/monitoring.html", context)


def _limits(gauge: Gauge) -> str:
    words = {State.WARN: _("watch: %(value)s"), State.BAD: _("act: %(value)s")}
    sign = "" if gauge.unit is Unit.FLAG else "≤ " if gauge.low else "≥ "
    found = [(State.WARN, gauge.warn), (State.BAD, gauge.bad)]
    return " · ".join(words[state] % {"value": f"{sign}{told(gauge, value)}"} for state, value in found if value is not None)


@require_GET
@permission_required("pages.monitoring", raise_exception=True)
@part_of("admin:operations_monitoring")
def console_monitoring(request: HttpRequest) -> HttpResponse:
    """The same figures anew; the page asks for them every ten seconds."""
    return render(request, "operations/_monitoring.html", state(request))


# --- charts ------------------------------------------------------------------------------------------------------------


def _charts() -> list[figures.Chart]:
    made = [_runs_per_hour(), _connections(), _tables()]
    alerts = alert_chart.chart()
    return [*(chart for chart in made if chart), *([figures.Chart(_("Alerts per day"), alerts)] if alerts else [])]


def _runs_per_hour() -> figures.Chart | None:
    first = timezone.localtime().replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
    recent = Run.objects.filter(queued_at__gte=first).order_by().annotate(hour=TruncHour("queued_at"))
    counts = Counter(dict(recent.values_list("hour").annotate(Count("pk"))))
    if not counts:
        return None
    hours = [first + timedelta(hours=n) for n in range(HOURS)]
    points = [Point(date_format(hour, "H"), date_format(hour, "DATETIME_FORMAT"), counts[hour]) for hour in hours]
    title, description = _("Runs per hour"), _("How many runs were asked for in each of the last 24 hours.")
    columns = (_("Hour"), _("Runs"))
    return figures.Chart(title, bar_chart("runs-per-hour", title=title, description=description, columns=columns, points=points))


def _connections() -> figures.Chart | None:
    counts = dict(Connection.objects.order_by().values_list("status").annotate(Count("pk")))
    points = [Point(str(status.label), str(status.label), counts[status.value]) for status in Connection.Status if status.value in counts]
    title, columns = _("Connections by state"), (_("State"), _("Connections"))
    description = _("How many connections there are in each state.")
    if not points:
        return None
    return figures.Chart(title, funnel("connections", title=title, description=description, columns=columns, points=points))


def _tables() -> figures.Chart:
    sizes = stores.largest_tables()
    unit, title = (2**20, _("Largest tables, in MB")) if sizes[0][1] > 10 * 2**20 else (2**10, _("Largest tables, in kB"))
    points = [Point(name.replace("_", " ", 1), name, round(size / unit)) for name, size in sizes]
    description, columns = _("The largest tables of the database with their indexes."), (_("Table"), _("Size"))
    picture = funnel("tables", title=title, description=description, columns=columns, points=points, left=168)
    return figures.Chart(title, picture)


console.add_page(
    "operations", gettext_lazy("Monitoring"), monitoring_view, route="operations/monitoring/", url_name="operations_monitoring",
    permission="pages.monitoring",
)  # fmt: skip
