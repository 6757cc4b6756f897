"""The log's own record of what went into the archive: signed, so that nobody explains a missing month by inventing one."""

from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any

from django.db import connection
from django.db.models import Sum

from audit.models import AuditArchive, AuditSeal
from audit.seal import chain
from audit.seal.chain import Seal
from audit.seal.findings import Kind, Report


def statement(record: AuditArchive) -> dict[str, Any]:
    """What is signed."""
    return {
        "kind": str(record.kind),
        "last_seal": record.last_seal,
        "made_at": record.made_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "manifest": bytes(record.manifest_hash).hex(),
        "month": f"{record.month:%Y-%m}",
        "rows": record.rows,
        "seals": record.seals,
    }


def _digest(record: AuditArchive) -> bytes:
    return sha256(chain.as_text(statement(record)).encode()).digest()


def add(
    kind: AuditArchive.Kind, month: date, *, rows: int, seals: int, last_seal: int, manifest_hash: bytes, now: datetime
) -> AuditArchive:
    key = chain.current_key()
    record = AuditArchive(kind=kind, month=month, rows=rows, seals=seals, last_seal=last_seal, manifest_hash=manifest_hash, made_at=now)
    record.public_key, record.proof = chain.public_bytes(key), chain.sign(key, chain.PAPER_PREFIX, _digest(record))
    record.save(force_insert=True)
    return record


def is_genuine(record: AuditArchive) -> bool:
    return chain.is_signed(bytes(record.public_key), chain.PAPER_PREFIX, _digest(record), bytes(record.proof))


def months_online() -> list[date]:
    """The months that have a partition in the log, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
            " WHERE inhparent = 'public.audit_activity'::regclass AND relname ~ '_[0-9]{4}_[0-9]{2}$' ORDER BY relname"
        )
        return [date(int(name[-7:-3]), int(name[-2:]), 1) for (name,) in cursor.fetchall()]


def latest(kind: AuditArchive.Kind) -> dict[date, AuditArchive]:
    """The newest record of a kind for each month."""
    return {record.month: record for record in AuditArchive.objects.filter(kind=kind).order_by("last_seal")}


class Archived:
    """Which seals' rows are in the archive and no longer in the log."""

    def __init__(self) -> None:
        self.records = latest(AuditArchive.Kind.ARCHIVED)
        self.offline = self.records.keys() - set(months_online())

    def holds(self, seal: Seal) -> bool:
        return seal.month in self.offline and seal.number <= self.records[seal.month].last_seal

    def check(self, report: Report, keys: set[bytes], *, is_whole: bool) -> None:
        """That the records are ours, and cover every row that was sealed in their months."""
        for month in sorted(self.offline):
            record = self.records[month]
            name = f"{month:%Y-%m}"
            report.archived[name] = record.rows
            if bytes(record.public_key) not in keys or not is_genuine(record):
                report.find(Kind.ARCHIVE_FORGED, f"{name}: the month is gone, and this record of its archive is not ours")
            if is_whole:
                covered = AuditSeal.objects.filter(month=month, number__lte=record.last_seal).aggregate(rows=Sum("count"))["rows"]
                if covered != record.rows:
                    report.find(Kind.ARCHIVE_FORGED, f"{name}: {record.rows} rows were archived, {covered} were sealed")
