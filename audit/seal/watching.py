"""The instance watches its own log: it verifies it twice a day, looks all the time whether it is sealed, and raises alerts."""

import logging

from django.db import connection
from django.utils import timezone

from audit.alerts.services import report as raise_alert
from audit.detectors import Severity
from audit.models import AuditSeal
from audit.seal import heads, rows
from audit.seal.findings import Report
from audit.seal.verification import LATE, verify

logger = logging.getLogger(__name__)

ALERT, LATE_ALERT = "chain_broken", "sealing_late"


def verify_and_report() -> Report:
    """What an operator's `verify_audit` would find; the alert says how much and of which kinds, the command names the rows."""
    report = verify(heads=heads.addresses())
    if not report.is_intact:
        kinds = sorted({finding.kind.name.lower() for finding in report.findings})
        logger.critical("the activity log is not what was sealed", extra={"findings": len(report.findings), "kinds": kinds})
        raise_alert(ALERT, severity=Severity.CRITICAL, count=len(report.findings), kinds=kinds)
    return report


def notice_late() -> bool:
    """Whether rows wait for a sealer longer than they may: none runs, or somebody keeps it from its work."""
    last = AuditSeal.objects.order_by("-number").values_list("to_tx", "to_id").first() or rows.BEGINNING
    with connection.cursor() as cursor:
        cursor.execute("SELECT recorded_at FROM audit_activity WHERE (tx, id) > (%s, %s) ORDER BY tx, id LIMIT 1", last)
        oldest = cursor.fetchone()
    is_late = oldest is not None and oldest[0] < timezone.now() - LATE
    if is_late:
        raise_alert(LATE_ALERT, severity=Severity.HIGH)
    return is_late
