"""What others brought here, and the runs that take it in."""

from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from billing.services import is_premium
from integrations.models import Connection, Pipeline, Run
from integrations.services import deliveries, pipelines, uploads

REST = timedelta(minutes=5)  # after a run that failed, used up its day or was stopped: that is not put right, or taken back, within seconds


def queue_waiting(connection_id: UUID | None = None) -> list[UUID]:
    """Queue a run of every enabled pipeline for which something waits and that is not at it; which runs wait now."""
    waiting = Pipeline.objects.filter(pk__in=deliveries.waiting_pipelines() | uploads.waiting_pipelines(), enabled=True)
    waiting = waiting.filter(connection__status=Connection.Status.ACTIVE).select_related("connection__owner")
    if connection_id is not None:
        waiting = waiting.filter(connection_id=connection_id)
    pipelines_by_id = {pipeline.pk: pipeline for pipeline in waiting}
    newest = {run.pipeline_id: run for run in Run.objects.filter(pipeline__in=pipelines_by_id).newest_per_pipeline()}
    queued = []
    for pk, pipeline in pipelines_by_id.items():
        if _rests(newest.get(pk)) or not _entitled(pipeline):
            continue
        run, created = pipelines.queue_run(pipeline, trigger=Run.Trigger.ARRIVAL)
        queued += [run.pk] if created else []
    return queued


def _rests(run: Run | None) -> bool:
    if run is None or run.is_live:
        return run is not None
    gave_up = run.status in (Run.Status.FAILED, Run.Status.CANCELLED) or run.stop_reason in ("day_cap", "steps_too_slow")
    return gave_up and run.finished_at is not None and run.finished_at > timezone.now() - REST


def _entitled(pipeline: Pipeline) -> bool:
    owner = pipeline.connection.owner
    return owner is None or is_premium(owner)


def sweep() -> int:
    """Delete what nobody took in for too long, and what was; how many."""
    return uploads.sweep() + deliveries.sweep()
