"""A backup as an operation: asked for once, made by one process at a time, on record.

Killed in the middle, it leaves volumes without a manifest, which are no backup; the next tick, or the next call, sweeps them away
and begins anew, since nobody can go on with a snapshot that died with its process.
"""

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from time import monotonic
from typing import Any
from uuid import UUID

import psycopg
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from aaperture.lib.alone import alone
from accounts.models import User
from accounts.protections import DENIED, Refused
from accounts.services.users import step_up
from audit.seal.places import Place
from audit.services import record
from operations.backups import frames, objects, shelf, stream
from operations.backups.frames import BackupDamaged
from operations.backups.models import Backup
from operations.backups.snapshot import Snapshot, snapshot

logger = logging.getLogger(__name__)

PERMISSION = "operations.backup_restore"
LOCK = 0xBAC0
MOST_ATTEMPTS = 3
TELL_EVERY = 1.0  # seconds
REMEMBERED_FOR = timedelta(days=365)
FAILURES = (*shelf.FAILURES, DatabaseError, psycopg.Error, shelf.NoShelf, frames.BackupKeyMissing)
Status, Trigger = Backup.Status, Backup.Trigger
Progress = Callable[[int, int], None]


class BusyElsewhere(Exception):
    """Another process is at it."""


def ask(actor: User | None = None, request: HttpRequest | None = None, *, trigger: str = Trigger.MANUAL) -> Backup:
    """The backup that is asked for, or the one under way. Without `actor` it is the clock, or the operator at the command line.

    Raises Refused, StepUpRequired, and ValidationError where none is configured.
    """
    if actor is not None:
        if not actor.is_active or not actor.has_perm(PERMISSION):
            raise Refused(DENIED)
        step_up(request)
    if not shelf.is_configured():
        raise ValidationError(_("Backups are not configured: BACKUPS says where they go, BACKUP_KEY encrypts them."), code="not_configured")
    try:
        with transaction.atomic():
            asked = Backup.objects.create(trigger=trigger, asked_by=actor.pk if actor else None)
            record("backup.requested", asked, actor=actor, request=request, trigger=str(trigger))
            return asked
    except IntegrityError:  # the partial unique index decides, not a look before
        return Backup.objects.latest("asked_at")


def open_backups() -> list[UUID]:
    """What waits for a worker, or was left by one that died; nothing while one is at it."""
    waiting = list(Backup.objects.filter(status__in=Backup.LIVE).values_list("pk", flat=True))
    if not waiting:
        return []
    with alone(LOCK) as is_ours:
        return waiting if is_ours else []


def carry_out(backup_id: UUID, *, progress: Progress = lambda _done, _total: None) -> Backup | None:
    """Make it, put it on record, let old ones go. None when it is over. Raises BusyElsewhere."""
    with alone(LOCK) as is_ours:
        if not is_ours:
            raise BusyElsewhere
        row = _begin(backup_id)
        if row is None:
            return Backup.objects.filter(pk=backup_id).first()
        try:
            where = shelf.shelf()
            shelf.sweep_unfinished(where)
            said = make(where, row.name, progress=_telling(row, progress))
        except FAILURES as error:  # not the message: it may name the store's account
            _fail(row, type(error).__name__)
            return row
        _finish(row, said)
        let_go(where)
    return row


def _begin(backup_id: UUID) -> Backup | None:
    row = Backup.objects.filter(pk=backup_id, status__in=Backup.LIVE).first()
    if row is None:
        return None
    if row.attempts >= MOST_ATTEMPTS:
        _fail(row, "Interrupted")
        return None
    row.status, row.started_at, row.attempts = Status.RUNNING, timezone.now(), row.attempts + 1
    row.name = shelf.new_name(row.started_at)
    row.done = row.total = 0
    row.save(update_fields=["status", "started_at", "attempts", "name", "done", "total"])
    return row


def _telling(row: Backup, progress: Progress) -> Progress:
    told = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal told
        progress(done, total)
        if monotonic() - told >= TELL_EVERY:
            Backup.objects.filter(pk=row.pk).update(done=done, total=total)
            told = monotonic()

    return tell


@transaction.atomic
def _fail(row: Backup, error: str) -> None:
    row.status, row.error, row.finished_at = Status.FAILED, error[:64], timezone.now()
    row.save(update_fields=["status", "error", "finished_at"])
    record("backup.failed", row, actor=_asker(row), error=row.error)
    logger.error("backup failed", extra={"backup": str(row.pk), "error": row.error})


@transaction.atomic
def _finish(row: Backup, said: dict[str, Any]) -> None:
    row.status, row.finished_at = Status.DONE, timezone.now()
    row.rows, row.objects_count, row.size = said["rows"], said["objects"], said["size"]
    row.save(update_fields=["status", "finished_at", "rows", "objects_count", "size"])
    record("backup.made", row, actor=_asker(row), backup=row.name, rows=row.rows, objects=row.objects_count, size=row.size)


def _asker(row: Backup) -> User | None:
    return User.objects.filter(pk=row.asked_by).first() if row.asked_by else None


# --- making one --------------------------------------------------------------------------------------------------------


def make(where: Place, name: str, *, progress: Progress = lambda _done, _total: None) -> dict[str, Any]:
    """Write a whole backup and return its manifest. Memory does not grow with it: a block, a frame, a part of an upload."""
    volumes = shelf.Volumes(where, name)
    try:
        sealer = frames.Sealer(volumes, f"backup|{name}")
        packer = stream.Packer(sealer)
        with snapshot() as now:
            said = {"format": 1, "name": name, "made_at": timezone.now().isoformat(), **now.facts()}
            said["tables"] = _tables(now, packer, progress)
        said["objects"], object_bytes = _objects(packer)
        packer.close()
        sealer.close()
        volumes.close()
    except BaseException as error:
        volumes.abandon(error)
        raise
    said["rows"] = sum(table["rows"] for table in said["tables"])
    said |= {"volumes": volumes.facts, "size": sum(fact["size"] for fact in volumes.facts), "object_bytes": object_bytes}
    shelf.write_manifest(where, name, said)
    return said


def _tables(now: Snapshot, packer: stream.Packer, progress: Progress) -> list[dict[str, Any]]:
    total, done, found = now.estimated_rows(), 0, []

    def counted(pieces: Iterator[tuple[bytes, int]]) -> Iterator[tuple[bytes, int]]:
        nonlocal done
        for piece, rows in pieces:
            done += rows
            progress(done, max(total, done))
            yield piece, rows

    for table in now.tables():
        facts = packer.member({"table": table.name, "columns": table.columns}, counted(now.copy(table)))
        found.append({"name": table.name, **facts})
    return found


def _objects(packer: stream.Packer) -> tuple[int, int]:
    if not objects.is_configured():
        return 0, 0
    where, count, size = objects.bucket(), 0, 0
    for name in objects.kept(where):
        found = objects.reading(where, name)
        if found is not None:
            about, pieces = found
            size += packer.member(about, ((piece, 0) for piece in pieces))["size"]
            count += 1
    return count, size


# --- afterwards --------------------------------------------------------------------------------------------------------


def let_go(where: Place) -> list[str]:
    """Remove what is older than `BACKUP_DAYS`, and rows of long ago; the names that went."""
    now, gone = timezone.now(), []
    for name in shelf.expired(where, now):
        shelf.remove(where, name)
        with transaction.atomic():
            row = Backup.objects.filter(name=name).first()
            Backup.objects.filter(name=name).update(status=Status.REMOVED)
            record("backup.removed", row, backup=name)
        gone.append(name)
    Backup.objects.exclude(status__in=[*Backup.LIVE, Status.DONE]).filter(asked_at__lt=now - REMEMBERED_FOR).delete()
    return gone


def is_under_way() -> bool:
    """Whether a process is making one."""
    with alone(LOCK) as is_ours:
        return not is_ours


def tidy() -> int:
    """Remove what killed processes left, and what is past its days; how many."""
    if not shelf.is_configured():
        return 0
    with alone(LOCK) as is_ours:
        if not is_ours:
            return 0
        where = shelf.shelf()
        left = shelf.sweep_unfinished(where)
        look_at_shelf()
        return len(left) + len(let_go(where))


def look_at_shelf() -> list[str]:
    """Rows for backups that lie there unknown (after a restore, or from another host), none left as whole that went; the names."""
    where = shelf.shelf()
    names = shelf.whole(where)
    Backup.objects.filter(status=Status.DONE).exclude(name__in=names).update(status=Status.REMOVED)
    known = set(Backup.objects.filter(status=Status.DONE).values_list("name", flat=True))
    for name in set(names) - known:
        try:
            said = shelf.manifest(where, name)
        except BackupDamaged:
            continue
        when = shelf.made_at(name)
        values = {"rows": said["rows"], "objects_count": said["objects"], "size": said["size"], "status": Status.DONE}
        found = {"trigger": Trigger.FOUND, "asked_at": when, "started_at": when, "finished_at": when}
        Backup.objects.update_or_create(name=name, defaults=values, create_defaults={**values, **found})
    return names
