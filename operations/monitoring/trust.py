"""What the instance's word rests on: secrets, the sealed log and its witnesses outside, backups."""

from collections.abc import Iterator
from datetime import datetime

from django.db import connection

from audit.models import AuditSeal
from audit.seal import heads, rows
from operations import known_secrets
from operations.backups import shelf
from operations.backups.models import Backup
from operations.monitoring.gauges import Reading, reading

# by the index in the order of sealing; the oldest of what is settled, which no running transaction can still slip in before
UNSEALED = "SELECT recorded_at FROM audit_activity WHERE (tx, id) > (%s, %s) ORDER BY tx, id LIMIT 1"


def secrets(now: datetime) -> Iterator[Reading]:
    """Ages only."""
    ages = [secret.age(now).total_seconds() for secret in known_secrets.inventory(now)]
    yield reading("secrets_overdue", sum(age > known_secrets.DUE.total_seconds() for age in ages))
    yield reading("secret_oldest_seconds", max(ages, default=0))


def seals(now: datetime) -> Iterator[Reading]:
    last = AuditSeal.objects.order_by("-number").values_list("to_tx", "to_id").first() or rows.BEGINNING
    with connection.cursor() as cursor:
        cursor.execute(UNSEALED, [last[0], last[1]])
        oldest = cursor.fetchone()
    yield reading("seal_lag_seconds", max((now - oldest[0]).total_seconds(), 0) if oldest else 0)


def anchors(now: datetime) -> Iterator[Reading]:
    """Places by number, as AUDIT_HEADS lists them: an address may say too much for a metric."""
    for number, lag in enumerate(heads.lags()):
        name = lag.target if lag.target == heads.LOG else str(number)
        yield reading("head_lag_seconds", max((now - lag.oldest_missing_at).total_seconds(), 0) if lag.oldest_missing_at else 0, name)
    yield reading("head_places", len(heads.addresses()))


def backups(now: datetime) -> Iterator[Reading]:
    """Age and size only where there is one."""
    status = Backup.Status
    whole = list(Backup.objects.filter(status=status.DONE).order_by("-finished_at").values_list("finished_at", "size"))
    failed = Backup.objects.filter(status=status.FAILED)
    yield reading("backups_configured", int(shelf.is_configured()))
    yield reading("backups_whole", len(whole))
    finished_at, size = whole[0] if whole else (None, 0)
    yield reading("backups_failed", (failed.filter(asked_at__gt=finished_at) if finished_at else failed).count())
    if finished_at:
        yield reading("backup_age_seconds", max((now - finished_at).total_seconds(), 0))
        yield reading("backup_size_bytes", size)
