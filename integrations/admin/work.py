"""Pipelines at work: how long since each succeeded, what fails, how much comes through, what waits. For those who watch and run them."""

from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Count, IntegerField, Min, Q, QuerySet, Sum
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, TruncDate
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from aaperture.lib.charts import Point, bar_chart
from aaperture.lib.console import console
from integrations.admin.columns import TONES
from integrations.models import Connection, Pipeline, Run
from integrations.wording import STOP_REASONS_FOR_STAFF

MOST = 200
DAYS, WEEK, DAY = 14, timedelta(days=7), timedelta(days=1)
READ = Sum(Cast(KeyTextTransform("read", "counts"), IntegerField()))
ENDED_WELL = (Run.Status.SUCCEEDED, Run.Status.PARTIAL)


class Line(NamedTuple):
    """One pipeline of the instance."""

    pipeline: Pipeline
    newest: Run | None
    tone: str
    why: Any
    succeeded_at: datetime | None
    is_late: bool
    failures: int
    runs: int
    read: int
    per_second: int | None


def work_view(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    lines = _lines(now)
    context = {
        **console.each_context(request), "title": _("Pipelines at work"), "lines": lines, "figures": _figures(now, lines),
        "charts": [chart for chart in (_read_per_day(now), _failures_per_day(now)) if chart],
        "may_run": request.user.has_perm("integrations.execute_pipeline"), "may_edit": request.user.has_perm("pages.pipelines"),
        "members": _of_members(now),
    }  # fmt: skip
    return TemplateResponse(request, "integrations/admin_work.html", context)


def _lines(now: datetime) -> list[Line]:
    rows = Pipeline.objects.filter(connection__owner=None).select_related("connection", "transformation", "pinned")
    pipelines = list(rows.order_by("name")[:MOST])
    runs = Run.objects.filter(pipeline__in=pipelines)
    newest = {run.pipeline_id: run for run in runs.newest_per_pipeline()}
    well = {run.pipeline_id: run for run in runs.filter(status__in=ENDED_WELL).newest_per_pipeline()}
    counted = _counted(runs.filter(queued_at__gte=now - WEEK), now)
    return [_line(one, newest.get(one.pk), well.get(one.pk), counted.get(one.pk, {}), now) for one in pipelines]


def _counted(runs: QuerySet[Run], now: datetime) -> dict[UUID, dict[str, Any]]:
    """Of a week's runs of each pipeline: how many, how many failed; and what the last day's have read."""
    recent = Q(queued_at__gte=now - DAY)
    read = Sum(Cast(KeyTextTransform("read", "counts"), IntegerField()), filter=recent)
    found = runs.order_by().values("pipeline_id").annotate(runs=Count("pk"), failures=Count("pk", filter=Q(status="failed")), read=read)
    return {row["pipeline_id"]: dict(row) for row in found}


def _line(pipeline: Pipeline, newest: Run | None, well: Run | None, counted: dict[str, Any], now: datetime) -> Line:
    succeeded_at = well.finished_at if well else None
    waits_for = pipeline.next_run_at
    late = bool(pipeline.enabled and waits_for and waits_for < now - timedelta(hours=1))
    late = late or bool(newest and newest.status == Run.Status.FAILED) or pipeline.connection.status != Connection.Status.ACTIVE
    why = STOP_REASONS_FOR_STAFF.get(newest.stop_reason, newest.stop_reason) if newest and newest.stop_reason else ""
    tone = TONES.get(newest.status, "") if newest else ""
    return Line(
        pipeline, newest, tone, why, succeeded_at, late, counted.get("failures") or 0, counted.get("runs") or 0, counted.get("read") or 0,
        _speed(well),
    )  # fmt: skip


def _speed(run: Run | None) -> int | None:
    """How many of its things the run read in a second."""
    if run is None or not (run.started_at and run.finished_at):
        return None
    seconds = (run.finished_at - run.started_at).total_seconds()
    read = run.counts.get("read", 0)
    return round(read / seconds) if read and seconds > 0 else None


def _figures(now: datetime, lines: list[Line]) -> dict[str, Any]:
    waiting = Run.objects.filter(status=Run.Status.QUEUED).aggregate(n=Count("pk"), oldest=Min("queued_at"))
    return {
        "waiting": waiting["n"], "oldest": waiting["oldest"], "running": Run.objects.filter(status=Run.Status.RUNNING).count(),
        "failed": Run.objects.filter(queued_at__gte=now - DAY, status=Run.Status.FAILED).count(),
        "due": Pipeline.objects.due(now).count(), "ailing": sum(line.is_late for line in lines),
    }  # fmt: skip


def _of_members(now: datetime) -> dict[str, int]:
    """Members' own pipelines: how many, and how their runs of a day ended; never whose."""
    recent = Run.objects.filter(pipeline__connection__owner__isnull=False, queued_at__gte=now - DAY)
    counts = recent.aggregate(runs=Count("pk"), failed=Count("pk", filter=Q(status=Run.Status.FAILED)))
    return counts | {"pipelines": Pipeline.objects.filter(connection__owner__isnull=False).count()}


def _per_day(rows: QuerySet[Run], value: Any, now: datetime) -> Counter[date]:
    first = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS - 1)
    found = (
        rows.filter(queued_at__gte=first)
        .order_by()
        .annotate(day=TruncDate("queued_at"))
        .values("day")
        .annotate(n=value)
        .values_list("day", "n")
    )
    return Counter({day: n or 0 for day, n in found})


def _chart(key: str, title: str, description: str, unit: str, counts: Counter[date], now: datetime) -> tuple[str, SafeString] | None:
    if not any(counts.values()):
        return None
    days = [timezone.localdate(now) - timedelta(days=n) for n in reversed(range(DAYS))]
    points = [Point(date_format(day, "j N"), date_format(day, "DATE_FORMAT"), counts[day]) for day in days]
    return title, bar_chart(key, title=title, description=description, columns=(_("Day"), unit), points=points)


def _read_per_day(now: datetime) -> Any:
    counts = _per_day(Run.objects.filter(pipeline__connection__owner=None), READ, now)
    description = _("How much the pipelines of the instance have read on each of the last fourteen days.")
    return _chart("read-per-day", _("Read per day"), description, _("Read"), counts, now)


def _failures_per_day(now: datetime) -> Any:
    counts = _per_day(Run.objects.filter(status=Run.Status.FAILED), Count("pk"), now)
    description = _("How many runs failed on each of the last fourteen days.")
    return _chart("failures-per-day", _("Failed runs per day"), description, _("Runs"), counts, now)


console.add_page(
    "integrations", gettext_lazy("Pipelines at work"), work_view, route="integrations/at-work/", url_name="integrations_work",
    permission="pages.monitoring",
)  # fmt: skip
