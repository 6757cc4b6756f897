"""When a month leaves the log, and when its archive goes.

Partitions are months, so a month goes as a whole: once its last day is `AUDIT_ONLINE_DAYS` old. A row is therefore online for
30 to 61 days, never less than promised. Its archive goes `AUDIT_ARCHIVE_DAYS` later.

Each step can be killed: files without a manifest are no archive and are written again, a month with a record but still online
is dropped by the next run, and nothing is dropped before its archive was read back and verified.
"""

import logging
from datetime import date, datetime, timedelta
from time import monotonic

import psycopg
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from aaperture.lib.alone import alone
from audit.models import AuditArchive, AuditSeal
from audit.seal import archive_records, archives, sealing
from audit.seal.archives import NotWhatWasSealed
from audit.seal.places import FAILURES, Place
from audit.services import record

logger = logging.getLogger(__name__)

LOCK = 0x5EA3
KIND = AuditArchive.Kind


def leaves_on(month: date) -> date:
    """The first day on which the month may go."""
    return _after(month) + timedelta(days=settings.AUDIT_ONLINE_DAYS)


def expires_on(month: date) -> date:
    """The first day on which its archive may go."""
    return leaves_on(month) + timedelta(days=settings.AUDIT_ARCHIVE_DAYS)


def _after(month: date) -> date:
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def keep(*, now: datetime | None = None) -> list[date]:
    """Archive and drop what is due, remove archives that are due; returns the months that left the log."""
    now = now or timezone.now()
    where = archives.archive_place()
    if where is None:
        return []
    gone = []
    with alone(LOCK) as is_ours:
        if is_ours:
            gone = [month for month in archive_records.months_online() if leaves_on(month) <= now.date() and _let_go(month, where, now)]
            _remove_expired(where, now)
    return gone


def _let_go(month: date, where: Place, now: datetime) -> bool:
    try:
        sealing.seal_pending()
        if not _is_archived(month):
            _archive(month, where, now)
        return drop(month)
    except NotWhatWasSealed as error:
        logger.critical("a month of the activity log is not what was sealed", extra={"month": archives.name_of(month), "seal": str(error)})
    except (*FAILURES, DatabaseError, psycopg.Error) as error:
        logger.warning("a month of the activity log stays", extra={"month": archives.name_of(month), "error": type(error).__name__})
    return False


def _is_archived(month: date) -> bool:
    record_of = archive_records.latest(KIND.ARCHIVED).get(month)
    last = AuditSeal.objects.filter(month=month).order_by("-number").values_list("number", flat=True).first()
    return record_of is not None and record_of.last_seal == (last or 0)


def _archive(month: date, where: Place, now: datetime) -> None:
    """Write, read back and verify, then put on record. Raises NotWhatWasSealed."""
    began = monotonic()
    said, digest = archives.write(month, where, now=now)
    report = archives.verify_in(where, archives.name_of(month))
    if not report.is_intact or report.rows != said["rows"]:
        raise NotWhatWasSealed(str(report.findings[:1]))
    with transaction.atomic():
        archive_records.add(
            KIND.ARCHIVED, month, rows=said["rows"], seals=said["seals"], last_seal=said["last_seal"], manifest_hash=digest, now=now
        )
        record("audit.archived", month=archives.name_of(month), rows=said["rows"], seals=said["seals"])
    logger.info("month archived", extra={"month": archives.name_of(month), "rows": said["rows"], "seconds": round(monotonic() - began, 1)})


def drop(month: date) -> bool:
    """Detach and drop an archived month; the database's function looks again whether it may. Raises OperationalError if it is in use."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT audit_drop_month(%s)", [month])
        dropped = bool(cursor.fetchone()[0])
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_forget_leaves(%s)", [month])
    return dropped


def _remove_expired(where: Place, now: datetime) -> None:
    """Files first, then the record: after a kill the next run deletes what is already gone, and says so once."""
    removed, online = archive_records.latest(KIND.REMOVED), set(archive_records.months_online())
    for month, made in archive_records.latest(KIND.ARCHIVED).items():
        known = removed.get(month)
        if expires_on(month) > now.date() or month in online or (known is not None and known.last_seal >= made.last_seal):
            continue
        name = archives.name_of(month)
        for file in (archives.MANIFEST, archives.ROWS, archives.SEALS):
            where.delete(f"{name}/{file}")
        with transaction.atomic():
            archive_records.add(
                KIND.REMOVED, month, rows=made.rows, seals=made.seals, last_seal=made.last_seal,
                manifest_hash=bytes(made.manifest_hash), now=now,
            )  # fmt: skip
            record("audit.archive_removed", month=name, rows=made.rows)
