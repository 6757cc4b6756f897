"""Secrets that are too old become an alert."""

from datetime import datetime

from django.utils import timezone

from audit.alerts import services as alerts
from audit.detectors import Severity
from operations import known_secrets

KIND = "secrets_overdue"


def look_at_secrets(now: datetime | None = None) -> int:
    """Meet new secrets, report those past their ninety days, severely from the hundred and eightieth on; returns how many are overdue."""
    now = now or timezone.now()
    known_secrets.observe(now)
    overdue = known_secrets.overdue_secrets(now)
    if overdue:
        oldest = max(secret.age(now) for secret in overdue)
        severity = Severity.HIGH if oldest > 2 * known_secrets.DUE else Severity.MEDIUM
        alerts.report(KIND, severity=severity, count=len(overdue), oldest_days=oldest.days)
    return len(overdue)
