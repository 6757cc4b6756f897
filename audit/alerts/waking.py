"""Wakes a worker for what cannot wait for the next tick; services may not know tasks."""

from aaperture.lib.nudge import nudge
from audit.alerts.models import SecurityAlert
from audit.models import Activity


def look_at_once(activity: Activity) -> None:
    from audit.tasks import detect  # which imports services, which import this

    nudge(detect, activity.pk)


def mail_at_once(alert: SecurityAlert) -> None:
    from audit.tasks import mail_alerts

    nudge(mail_alerts, alert.pk)
