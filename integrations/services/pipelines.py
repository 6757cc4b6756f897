"""Pipelines and the queue of their runs. The rows are the queue; tasks only wake up."""

from datetime import timedelta
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import User
from audit.services import record
from billing.services import is_premium
from integrations.errors import NotConnected
from integrations.models import Connection, Pipeline, Run, RunEvent, Transformation
from integrations.schedule import next_after

SHIPPED = "Gmail → opportunities"
MOST_LOSSES = 3
BATCH = 50
TRY_AGAIN = timedelta(minutes=15)


def ensure_pipeline(connection: Connection) -> Pipeline:
    """The shipped pipeline of a Gmail connection, made on the first grant and resumed on later ones."""
    pipeline = connection.pipelines.filter(destination="opportunities").first()
    if pipeline is None:
        transformation = Transformation.objects.filter(name=SHIPPED).latest("version")
        pipeline = Pipeline(name=SHIPPED, connection=connection, transformation=transformation)
        record("pipeline.created", pipeline, actor=connection.owner)
    pipeline.next_run_at = next_after(pipeline.schedule, timezone.now())
    pipeline.save()
    return pipeline


def require_execute(pipeline: Pipeline, user: User) -> None:
    """A personal pipeline is run by its owner alone; an instance's by whoever the matrix allows."""
    owner_id = pipeline.connection.owner_id
    if owner_id != user.pk and not (owner_id is None and user.has_perm("integrations.execute_pipeline")):
        raise PermissionDenied


def start_run(pipeline: Pipeline, *, actor: User, trigger: str, request: HttpRequest | None = None) -> Run:
    """Queue a run by hand; the one under way is returned instead of a second. Raises NotConnected."""
    require_execute(pipeline, actor)
    if pipeline.connection.status != Connection.Status.ACTIVE or pipeline.lacks_person:
        raise NotConnected(pipeline.connection.error_code)
    with transaction.atomic():
        run, created = queue_run(pipeline, trigger=trigger, requested_by=actor)
        if created:
            record("run.queued", run, actor=actor, request=request, trigger=trigger)
    return run


def queue_run(pipeline: Pipeline, *, trigger: str, requested_by: User | None = None) -> tuple[Run, bool]:
    """A queued run and True, or the live one and False: the partial unique index decides, not a look before."""
    try:
        with transaction.atomic():
            return Run.objects.create(pipeline=pipeline, trigger=trigger, requested_by=requested_by), True
    except IntegrityError:
        live = pipeline.runs.live().first()
        return (live, False) if live else queue_run(pipeline, trigger=trigger, requested_by=requested_by)


@transaction.atomic
def cancel_run(run: Run, *, actor: User, request: HttpRequest | None = None) -> Run:
    """Ask a run to stop; a waiting one ends at once, a running one after the page it is at. Either gives up the file it is to read."""
    from integrations.services import uploads

    row = Run.objects.select_for_update().select_related("pipeline__connection").get(pk=run.pk)
    require_execute(row.pipeline, actor)
    if not row.is_live or row.cancel_requested_at:
        return row
    row.cancel_requested_at = timezone.now()
    if row.status == Run.Status.QUEUED:
        row.status, row.stop_reason, row.finished_at = Run.Status.CANCELLED, "cancelled", row.cancel_requested_at
        if file := uploads.held(row.pipeline.connection, row.pipeline):
            file.settle()
    row.save(update_fields=["cancel_requested_at", "status", "stop_reason", "finished_at"])
    record("run.cancelled", row, actor=actor, request=request)
    return row


def tick() -> list[UUID]:
    """Reap the lost, queue the due; return the ids of waiting runs, oldest first, for a worker to be woken with."""
    reap_lost()
    queue_due()
    return list(Run.objects.filter(status=Run.Status.QUEUED).order_by("queued_at").values_list("pk", flat=True)[:BATCH])


@transaction.atomic
def reap_lost() -> int:
    """End runs whose worker fell silent and queue what continues them, a few times at most."""
    now = timezone.now()
    lost = list(Run.objects.lost(now).select_for_update(skip_locked=True, of=("self",)).select_related("pipeline")[:BATCH])
    for run in lost:
        run.status, run.stop_reason, run.finished_at, run.lease = Run.Status.FAILED, "worker_lost", now, None
        run.save(update_fields=["status", "stop_reason", "finished_at", "lease"])
        RunEvent.objects.create(run=run, level=RunEvent.Level.ERROR, code="worker_lost")
        record("run.reaped", run)
        if not run.cancel_requested_at and _losses(run.pipeline) < MOST_LOSSES:
            queue_run(run.pipeline, trigger=Run.Trigger.CONTINUATION, requested_by=run.requested_by)
    return len(lost)


def _losses(pipeline: Pipeline) -> int:
    """How many of the newest runs in a row lost their worker."""
    reasons = list(pipeline.runs.order_by("-queued_at").values_list("stop_reason", flat=True)[:MOST_LOSSES])
    return next((n for n, reason in enumerate(reasons) if reason != "worker_lost"), len(reasons))


@transaction.atomic
def queue_due() -> int:
    """Queue every due pipeline of premium owners, and set when each is due next."""
    now = timezone.now()
    due = Pipeline.objects.due(now).select_for_update(skip_locked=True, of=("self",)).select_related("connection__owner")
    queued = 0
    for pipeline in due[:BATCH]:
        connection = pipeline.connection
        pipeline.next_run_at = next_after(pipeline.schedule, now)
        pipeline.save(update_fields=["next_run_at"])
        entitled = connection.owner is None or is_premium(connection.owner)
        if entitled and connection.status == Connection.Status.ACTIVE and not pipeline.lacks_person:
            queued += queue_run(pipeline, trigger=Run.Trigger.SCHEDULE)[1]
    return queued
