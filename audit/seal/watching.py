"""The instance verifies its own log twice a day, and raises an alert when it is not what was sealed."""

import logging

from audit.alerts.services import report as raise_alert
from audit.detectors import Severity
from audit.seal import heads
from audit.seal.findings import Report
from audit.seal.verification import verify

logger = logging.getLogger(__name__)

ALERT = "chain_broken"


def verify_and_report() -> Report:
    """What an operator's `verify_audit` would find; the alert says how much and of which kinds, the command names the rows."""
    report = verify(heads=heads.addresses())
    if not report.is_intact:
        kinds = sorted({finding.kind.name.lower() for finding in report.findings})
        logger.critical("the activity log is not what was sealed", extra={"findings": len(report.findings), "kinds": kinds})
        raise_alert(ALERT, severity=Severity.CRITICAL, count=len(report.findings), kinds=kinds)
    return report
