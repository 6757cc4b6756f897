"""What waits in tables, what runs, which mail goes out, which alerts are open."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Count, Min, Q, QuerySet, Value
from django.utils.translation import gettext_lazy as _

from audit.detectors import MAILED, RANKED
from audit.models import SecurityAlert
from billing.models import Refund, StripeEvent, Subscription
from integrations.models import Connection, Pipeline, Run
from mailing.models import ScheduledEmail
from operations.models import Backup, CleanupRun, DataExport, Erasure
from operations.monitoring.gauges import Reading, reading
from studio.models import CalendarEvent
from vault.models import KeyRotation

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Queue(NamedTuple):
    """A table whose rows are work: which of them wait, and since when (a column)."""

    name: str
    title: Any
    waiting: Callable[[datetime], QuerySet[Any]]
    since: str


QUEUES = (  # one line for each kind of work
    Queue("runs", _("runs of pipelines"), lambda _now: Run.objects.filter(status=Run.Status.QUEUED), "queued_at"),
    Queue("pipelines", _("pipelines that are due"), Pipeline.objects.due, "next_run_at"),
    Queue("emails", _("e-mails that are due"), ScheduledEmail.objects.due, "due_at"),
    Queue(
        "tokens", _("tokens that have expired"), lambda now: Connection.objects.due_for_refresh(now).filter(expires_at__lt=now),
        "expires_at",
    ),
    Queue("calendar_events", _("sessions to be written to calendars"), CalendarEvent.objects.waiting, "due_at"),
    Queue("stripe_events", _("events of Stripe’s"), StripeEvent.objects.due, "received_at"),
    Queue("refunds", _("refunds to be sent"), lambda now: Refund.objects.filter(status="requested", due_at__lte=now), "requested_at"),
    Queue("ending_subscriptions", _("monthly contributions to be ended"), Subscription.objects.to_be_ended, "end_requested_at"),
    Queue("exports", _("copies of somebody’s data"), lambda _now: DataExport.objects.filter(status__in=DataExport.LIVE), "requested_at"),
    Queue("closures", _("accounts to be closed"), lambda _now: Erasure.objects.filter(status=Erasure.Status.REQUESTED), "requested_at"),
    Queue("erasures", _("erasures that are due"), lambda now: Erasure.objects.filter(status__in=Erasure.OPEN, due_at__lte=now), "due_at"),
    Queue("backups", _("backups"), lambda _now: Backup.objects.filter(status__in=Backup.LIVE), "asked_at"),
    Queue("cleanups", _("cleanups"), lambda _now: CleanupRun.objects.filter(status__in=CleanupRun.LIVE), "asked_at"),
    Queue("key_rotations", _("rotations of the master key"), lambda _now: KeyRotation.objects.filter(finished_at=None), "asked_at"),
)  # fmt: skip


def queues(now: datetime) -> Iterator[Reading]:
    """Depth and age of every queue, in one query."""
    first, *others = [
        queue.waiting(now).order_by().annotate(queue=Value(queue.name)).values("queue").annotate(n=Count("pk"), oldest=Min(queue.since))
        for queue in QUEUES
    ]
    found = {row["queue"]: row for row in first.union(*others, all=True)}
    for queue in QUEUES:
        row = found.get(queue.name, {"n": 0, "oldest": None})
        yield reading("work_waiting", row["n"], queue.name)
        yield reading("work_oldest_seconds", max((now - row["oldest"]).total_seconds(), 0) if row["oldest"] else 0, queue.name)


def runs(now: datetime) -> Iterator[Reading]:
    running = Run.objects.filter(status=Run.Status.RUNNING)
    count = running.aggregate(every=Count("pk"), lost=Count("pk", filter=Q(heartbeat_at__lt=now - Run.LOST_AFTER)))
    yield reading("runs_running", count["every"])
    yield reading("runs_lost", count["lost"])
    recent = dict(Run.objects.filter(queued_at__gte=now - HOUR).order_by().values_list("status").annotate(Count("pk")))
    for status in Run.Status.values:
        yield reading("runs_last_hour", recent.get(status, 0), status)
    yield reading("runs_failed_last_hour", recent.get(Run.Status.FAILED, 0))
    connections = dict(Connection.objects.order_by().values_list("status").annotate(Count("pk")))
    for status in Connection.Status.values:
        yield reading("connections", connections.get(status, 0), status)
    yield reading("connections_failing", connections.get(Connection.Status.ERROR, 0))


def mail(now: datetime) -> Iterator[Reading]:
    """Alerts' mail, and studios' mail whose sender was lost; other account mail goes out within the request that causes it."""
    yield reading("emails_left_behind", ScheduledEmail.objects.left_behind(now).count())
    failed = Q(status=ScheduledEmail.Status.FAILED, send_at__gte=now - DAY)
    wrong = ScheduledEmail.objects.went_wrong().aggregate(
        doubtful=Count("pk", filter=Q(status=ScheduledEmail.Status.UNKNOWN)), failed=Count("pk", filter=failed)
    )
    yield reading("emails_in_doubt", wrong["doubtful"])
    yield reading("emails_failed_last_day", wrong["failed"])
    state = SecurityAlert.Mail
    waiting = Q(mail__in=[state.DUE, state.SENDING])
    told = SecurityAlert.objects.filter(waiting | Q(mail=state.UNKNOWN)).aggregate(
        waiting=Count("pk", filter=waiting), oldest=Min("opened_at", filter=waiting), unknown=Count("pk", filter=Q(mail=state.UNKNOWN))
    )
    yield reading("alert_mails_waiting", told["waiting"])
    yield reading("alert_mail_oldest_seconds", (now - told["oldest"]).total_seconds() if told["oldest"] else 0)
    yield reading("alert_mails_unknown", told["unknown"])


def alerts(_now: datetime) -> Iterator[Reading]:
    found = dict(SecurityAlert.objects.unresolved().order_by().values_list("severity").annotate(Count("pk")))
    for severity in RANKED:
        yield reading("alerts_open", found.get(severity, 0), severity.value)
    yield reading("alerts_severe_open", sum(found.get(severity, 0) for severity in MAILED))
