"""Cleanups as operations: asked for, carried out by one process at a time, counted and on record.

The row is the queue. Each sweep works in short transactions and may be done twice, so a process that dies is followed by the next tick.
"""

import logging
from typing import Any
from uuid import UUID

import psycopg
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone

from aaperture.lib.alone import alone
from accounts.models import User
from accounts.protections import DENIED, Refused
from audit.seal.places import FAILURES
from audit.services import record
from integrations.schedule import next_after
from operations.backups.models import Backup
from operations.maintenance.cleanups import ALL, BACKUP, CLEANUPS, JOBS, members
from operations.maintenance.models import CleanupRun, MaintenanceJob
from operations.services import backups

logger = logging.getLogger(__name__)

PERMISSION = "operations.run_cleanup"
LOCK = 0xC1EA
MOST_ATTEMPTS = 3
Status, Trigger = CleanupRun.Status, CleanupRun.Trigger


class BusyElsewhere(Exception):
    """Another process is at it."""


def _require(actor: User | None, permission: str) -> None:
    if actor is not None and not (actor.is_active and actor.has_perm(permission)):
        raise Refused(DENIED)


def ask(name: str, actor: User | None = None, request: HttpRequest | None = None, *, trigger: str = Trigger.MANUAL) -> CleanupRun:
    """The cleanup that is asked for, or the one of this name under way. Raises Refused, KeyError for a name that is none."""
    _require(actor, PERMISSION)
    if name not in CLEANUPS:
        raise KeyError(name)
    try:
        with transaction.atomic():
            run = CleanupRun.objects.create(name=name, trigger=trigger, asked_by=actor.pk if actor else None)
            record("cleanup.requested", run, actor=actor, request=request, cleanup=name, trigger=str(trigger))
            return run
    except IntegrityError:  # the partial unique index decides, not a look before
        return CleanupRun.objects.filter(name=name).latest("asked_at")


def open_runs() -> list[UUID]:
    """What waits for a worker, or was left by one that died; nothing while one is at it."""
    waiting = list(CleanupRun.objects.filter(status__in=CleanupRun.LIVE).order_by("asked_at").values_list("pk", flat=True))
    if not waiting:
        return []
    with alone(LOCK) as is_ours:
        return waiting if is_ours else []


def carry_out(run_id: UUID) -> CleanupRun | None:
    """Sweep, count, put on record. None when it is over. Raises BusyElsewhere."""
    with alone(LOCK) as is_ours:
        if not is_ours:
            raise BusyElsewhere
        run = CleanupRun.objects.filter(pk=run_id, status__in=CleanupRun.LIVE).first()
        if run is None:
            return None
        run.status, run.started_at, run.attempts = Status.RUNNING, run.started_at or timezone.now(), run.attempts + 1
        run.save(update_fields=["status", "started_at", "attempts"])
        if run.attempts > MOST_ATTEMPTS:
            _finish(run, Status.FAILED)
            return run
        outcomes = [_clean(name, run) for name in members(run.name)]
        _finish(run, Status.DONE if all(outcomes) else Status.FAILED)
    return run


def _clean(name: str, run: CleanupRun) -> bool:
    """One cleanup, on record with its counts; what fails is told and keeps nothing else from being swept."""
    counts: dict[str, Any] = {}
    failed = []
    for key, (_words, sweep) in CLEANUPS[name].sweeps.items():
        try:
            counts[key] = sweep.remove()
        except (*FAILURES, DatabaseError, psycopg.Error) as error:
            logger.error("sweep failed", extra={"cleanup": name, "sweep": key, "error": type(error).__name__})
            failed.append(key)
    run.counts = run.counts | {key: run.counts.get(key, 0) + count for key, count in counts.items()}  # with those of a process that died
    with transaction.atomic():
        run.save(update_fields=["counts"])
        if failed:
            record("cleanup.failed", run, actor=_asker(run), cleanup=name, sweeps=failed)
        record(name, run, actor=_asker(run), **counts)
    return not failed


@transaction.atomic
def _finish(run: CleanupRun, status: str) -> None:
    run.status, run.finished_at = status, timezone.now()
    run.save(update_fields=["status", "finished_at"])
    if run.name == ALL:
        record(ALL, run, actor=_asker(run), **run.counts)


def _asker(run: CleanupRun) -> User | None:
    return User.objects.filter(pk=run.asked_by).first() if run.asked_by else None


# --- schedule ----------------------------------------------------------------------------------------------------------


def jobs() -> dict[str, MaintenanceJob]:
    """Every job with its schedule; those that are new get the usual one."""
    known = MaintenanceJob.objects.in_bulk()
    now = timezone.now()
    new = {name: usual for name, usual in JOBS.items() if name not in known}
    missing = [MaintenanceJob(name=name, schedule=usual, next_run_at=next_after(usual, now)) for name, usual in new.items()]
    if missing:
        MaintenanceJob.objects.bulk_create(missing, ignore_conflicts=True)
        known = MaintenanceJob.objects.in_bulk()
    return {name: known[name] for name in JOBS}


@transaction.atomic
def set_schedule(name: str, schedule: str, *, actor: User, request: HttpRequest | None = None) -> MaintenanceJob:
    """When a job runs from now on. Raises Refused, ValidationError."""
    _require(actor, backups.PERMISSION if name == BACKUP else PERMISSION)
    jobs()
    job = MaintenanceJob.objects.select_for_update().get(pk=name)
    old, job.schedule = job.schedule, schedule.strip()
    job.clean_fields(exclude=["name", "next_run_at"])
    job.clean()
    job.next_run_at = next_after(job.schedule, timezone.now())
    job.save(update_fields=["schedule", "next_run_at"])
    if job.schedule != old:
        record("maintenance.scheduled", job, actor=actor, request=request, job=name, old=old, new=job.schedule)
    return job


def tick() -> None:
    """Ask for what is due. Of several clocks one has the row."""
    jobs()
    for name in MaintenanceJob.objects.filter(next_run_at__lte=timezone.now()).values_list("pk", flat=True):
        _claim(name)


@transaction.atomic
def _claim(name: str) -> None:
    now = timezone.now()
    job = MaintenanceJob.objects.select_for_update(skip_locked=True).filter(pk=name, next_run_at__lte=now).first()
    if job is None:
        return
    job.next_run_at = next_after(job.schedule, now)
    job.save(update_fields=["next_run_at"])
    if name != BACKUP:
        ask(name, trigger=Trigger.SCHEDULE)
        return
    try:
        with transaction.atomic():
            backups.ask(trigger=Backup.Trigger.SCHEDULE)
    except ValidationError:
        logger.warning("no backup: none is configured")
