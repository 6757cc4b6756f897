"""The figures on the console's first page: counts only, and only of what the reader may list."""

from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Count, Min, Q, QuerySet
from django.db.models.functions import TruncDate
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from aaperture.lib.charts import Point, bar_chart, funnel
from accounts.models import User
from accounts.roles import Role
from audit.models import Activity
from integrations.models import Connection, Pipeline, Run
from operations.services import access_reviews
from tracker.models import Opportunity, Signal

DAYS = 14


class Figure(NamedTuple):
    label: str
    value: int
    note: str
    url: str


MONITORING = frozenset({"integrations.view_connection", "integrations.view_run", "operations.view_monitoring"})


def figures_for(user: User, only: frozenset[str] | None = None) -> list[Figure]:
    """One query each; a figure whose permission `user` has not, or that is not among `only`, is left out."""
    since = timezone.now() - timedelta(days=1)
    makers = {
        "accounts.view_user": _people,
        "integrations.view_connection": lambda: _connections(has_list=user.has_perm("pages.connectors")),
        "integrations.view_run": lambda: _runs(since),
        "tracker.view_opportunitycount": _opportunities,
        "operations.view_monitoring": _queue,
        "operations.view_analytics": _mail,
        "audit.view_activity": lambda: _activity(since),
    }
    return [make() for permission, make in makers.items() if (only is None or permission in only) and user.has_perm(permission)]


def _people() -> Figure:
    week_ago = timezone.now() - timedelta(days=7)
    count = User.objects.aggregate(active=Count("pk", filter=Q(is_active=True)), new=Count("pk", filter=Q(created_at__gte=week_ago)))
    note = _("%(n)d new this week") % {"n": count["new"]}
    return Figure(_("Active accounts"), count["active"], note, reverse("admin:accounts_user_changelist"))


def _connections(*, has_list: bool) -> Figure:
    """Executors may be told how many there are; the list is on a page that they have not."""
    status = Connection.Status
    ailing = Q(status__in=[status.NEEDS_REAUTH, status.ERROR])
    count = Connection.objects.aggregate(working=Count("pk", filter=Q(status=status.ACTIVE)), ailing=Count("pk", filter=ailing))
    note = _("%(n)d need attention") % {"n": count["ailing"]}
    return Figure(_("Working connections"), count["working"], note, reverse("admin:integrations_connection_changelist") if has_list else "")


def _runs(since: datetime) -> Figure:
    recent = Run.objects.filter(queued_at__gte=since)
    count = recent.aggregate(every=Count("pk"), failed=Count("pk", filter=Q(status=Run.Status.FAILED)))
    note = _("%(n)d failed") % {"n": count["failed"]}
    return Figure(_("Runs in 24 hours"), count["every"], note, reverse("admin:integrations_run_changelist"))


def _opportunities() -> Figure:
    week_ago = timezone.now() - timedelta(days=7)
    count = Opportunity.objects.for_statistics().aggregate(every=Count("pk"), new=Count("pk", filter=Q(created_at__gte=week_ago)))
    note = _("%(n)d new this week") % {"n": count["new"]}
    return Figure(_("Opportunities"), count["every"], note, reverse("admin:tracker_opportunitycount_changelist"))


def _queue() -> Figure:
    """What waits for a worker, and how long the oldest has waited."""
    waiting = Run.objects.filter(status=Run.Status.QUEUED).aggregate(count=Count("pk"), oldest=Min("queued_at"))
    due = Pipeline.objects.due(timezone.now()).count()
    minutes = int((timezone.now() - waiting["oldest"]).total_seconds() // 60) if waiting["oldest"] else 0
    note = _("oldest waits %(n)d min") % {"n": minutes} if waiting["count"] else _("%(n)d pipelines due") % {"n": due}
    return Figure(_("Runs waiting"), waiting["count"], note, "")


def _mail() -> Figure:
    week_ago = timezone.now() - timedelta(days=7)
    count = Signal.objects.for_statistics().aggregate(every=Count("pk"), new=Count("pk", filter=Q(created_at__gte=week_ago)))
    return Figure(_("Mail kept"), count["every"], _("%(n)d new this week") % {"n": count["new"]}, "")


def _activity(since: datetime) -> Figure:
    recent = Activity.objects.filter(recorded_at__gte=since)
    count = recent.aggregate(every=Count("pk"), refused=Count("pk", filter=Q(action="user.login.failed")))
    note = _("%(n)d refused sign-ins") % {"n": count["refused"]}
    return Figure(_("Activity in 24 hours"), count["every"], note, reverse("admin:audit_activity_changelist"))


class Chart(NamedTuple):
    title: str
    picture: SafeString


def charts_for(user: User, only: frozenset[str] | None = None) -> list[Chart]:
    """What there is to draw and `user` may see; a chart without a single number is left out."""
    makers = {
        "accounts.view_user": _roles_chart,
        "integrations.view_run": _runs_chart,
        "audit.view_activity": _sign_ins_chart,
        "operations.view_analytics": _mail_chart,
    }
    wanted = [make for permission, make in makers.items() if (only is None or permission in only) and user.has_perm(permission)]
    return [chart for make in wanted if (chart := make())]


def _roles_chart() -> Chart | None:
    counts = dict(User.objects.filter(is_active=True).order_by().values_list("role").annotate(Count("pk")))
    points = [Point(str(role.label), str(role.label), counts[role.value]) for role in Role if role.value in counts]
    title = _("Accounts by role")
    columns = (_("Role"), _("Active accounts"))
    return Chart(title, funnel("roles", title=title, description=_("Active accounts of each role."), columns=columns, points=points))


def _runs_chart() -> Chart | None:
    counts = _per_day(Run.objects.all(), "queued_at")
    description = _("How many times a mailbox was read on each of the last fourteen days.")
    return _days_chart("runs-per-day", _("Runs per day"), description, _("Runs"), counts)


def _sign_ins_chart() -> Chart | None:
    counts = _per_day(Activity.objects.filter(action="user.login"), "recorded_at")
    description = _("How many times somebody signed in on each of the last fourteen days.")
    return _days_chart("sign-ins-per-day", _("Sign-ins per day"), description, _("Sign-ins"), counts)


def _mail_chart() -> Chart | None:
    weeks = Signal.objects.for_statistics().per_week(weeks=8)
    if not any(count for _monday, count in weeks):
        return None
    title = _("Mail kept per week")
    points = [Point(date_format(monday, "j N"), date_format(monday, "DATE_FORMAT"), count) for monday, count in weeks]
    description = _("How many relevant mails were received in each of the last eight weeks.")
    return Chart(title, bar_chart("mail-per-week", title=title, description=description, columns=(_("Week of"), _("Mails")), points=points))


def _per_day(rows: QuerySet[Any], field: str) -> dict[date, int]:
    """Counts of the last days, by the reader's days; the bound is an instant, so that an index on `field` serves."""
    first = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS - 1)
    recent = rows.filter(**{f"{field}__gte": first}).order_by()
    return dict(recent.annotate(day=TruncDate(field)).values_list("day").annotate(Count("pk")))


def _days_chart(key: str, title: str, description: str, unit: str, counts: dict[date, int]) -> Chart | None:
    if not counts:
        return None
    today = timezone.localdate()
    days = [today - timedelta(days=n) for n in reversed(range(DAYS))]
    points = [Point(date_format(day, "j N"), date_format(day, "DATE_FORMAT"), counts.get(day, 0)) for day in days]
    return Chart(title, bar_chart(key, title=title, description=description, columns=(_("Day"), unit), points=points))


def review_due(user: User) -> str:
    """The quarter whose access review `user` should see signed off, or ""."""
    return access_reviews.quarter_of(timezone.localdate()) if user.role == Role.ADMIN and access_reviews.is_due() else ""
