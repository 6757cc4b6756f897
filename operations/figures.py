"""The figures on the console's first page: counts only, and only of what the reader may list."""

from datetime import date, datetime, timedelta
from typing import NamedTuple

from django.db.models import Count, Q
from django.db.models.functions import TruncDate
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from aaperture.lib.charts import Point, bar_chart
from accounts.models import User
from audit.models import Activity
from integrations.models import Connection, Run
from tracker.models import Opportunity

DAYS = 14


class Figure(NamedTuple):
    label: str
    value: int
    note: str
    url: str


def figures_for(user: User) -> list[Figure]:
    """One query each; a figure whose list `user` may not open is left out."""
    since = timezone.now() - timedelta(days=1)
    makers = {
        "accounts.view_user": _people,
        "integrations.view_connection": _connections,
        "integrations.view_run": lambda: _runs(since),
        "tracker.view_opportunitycount": _opportunities,
        "audit.view_activity": lambda: _activity(since),
    }
    return [make() for permission, make in makers.items() if user.has_perm(permission)]


def _people() -> Figure:
    week_ago = timezone.now() - timedelta(days=7)
    count = User.objects.aggregate(active=Count("pk", filter=Q(is_active=True)), new=Count("pk", filter=Q(created_at__gte=week_ago)))
    note = _("%(n)d new this week") % {"n": count["new"]}
    return Figure(_("Active accounts"), count["active"], note, reverse("admin:accounts_user_changelist"))


def _connections() -> Figure:
    status = Connection.Status
    ailing = Q(status__in=[status.NEEDS_REAUTH, status.ERROR])
    count = Connection.objects.aggregate(working=Count("pk", filter=Q(status=status.ACTIVE)), ailing=Count("pk", filter=ailing))
    note = _("%(n)d need attention") % {"n": count["ailing"]}
    return Figure(_("Working connections"), count["working"], note, reverse("admin:integrations_connection_changelist"))


def _runs(since: datetime) -> Figure:
    recent = Run.objects.filter(queued_at__gte=since)
    count = recent.aggregate(every=Count("pk"), failed=Count("pk", filter=Q(status=Run.Status.FAILED)))
    note = _("%(n)d failed") % {"n": count["failed"]}
    return Figure(_("Runs in 24 hours"), count["every"], note, reverse("admin:integrations_run_changelist"))


def _opportunities() -> Figure:
    week_ago = timezone.now() - timedelta(days=7)
    kept = Opportunity.objects.filter(merged_into=None)
    count = kept.aggregate(every=Count("pk"), new=Count("pk", filter=Q(created_at__gte=week_ago)))
    note = _("%(n)d new this week") % {"n": count["new"]}
    return Figure(_("Opportunities"), count["every"], note, reverse("admin:tracker_opportunitycount_changelist"))


def _activity(since: datetime) -> Figure:
    recent = Activity.objects.filter(recorded_at__gte=since)
    count = recent.aggregate(every=Count("pk"), refused=Count("pk", filter=Q(action="user.login.failed")))
    note = _("%(n)d refused sign-ins") % {"n": count["refused"]}
    return Figure(_("Activity in 24 hours"), count["every"], note, reverse("admin:audit_activity_changelist"))


def runs_chart(user: User) -> SafeString | str:
    """Runs of each of the last days; "" without any, or for somebody who may not see runs."""
    if not user.has_perm("integrations.view_run"):
        return ""
    today = timezone.localdate()
    days = [today - timedelta(days=n) for n in reversed(range(DAYS))]
    recent = Run.objects.filter(queued_at__date__gte=days[0]).order_by()
    counts: dict[date, int] = dict(recent.annotate(day=TruncDate("queued_at")).values_list("day").annotate(Count("pk")))
    if not counts:
        return ""
    return bar_chart(
        "runs-per-day",
        title=_("Runs per day"),
        description=_("How many times a mailbox was read on each of the last fourteen days."),
        columns=(_("Day"), _("Runs")),
        points=[Point(date_format(day, "j N"), date_format(day, "DATE_FORMAT"), counts.get(day, 0)) for day in days],
    )
