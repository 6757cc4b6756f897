"""What the console and the API change about pipelines and transformations, with its activity record."""

from collections.abc import Iterable

from django.db import transaction
from django.http import HttpRequest

from accounts.models import User
from audit.services import record
from integrations.errors import NotConnected
from integrations.models import Pipeline, Run, Transformation
from integrations.services import pipelines


@transaction.atomic
def save_pipeline(pipeline: Pipeline, *, fields: list[str], actor: User, request: HttpRequest | None = None) -> None:
    """Write only the changed fields: the engine moves the cursor of the same row."""
    adding = pipeline._state.adding
    pipeline.save() if adding else pipeline.save(update_fields=fields)
    record("pipeline.created" if adding else "pipeline.updated", pipeline, actor=actor, request=request, fields=fields)


@transaction.atomic
def delete_pipeline(pipeline: Pipeline, *, actor: User, request: HttpRequest | None = None) -> None:
    record("pipeline.deleted", pipeline, actor=actor, request=request)
    pipeline.delete()


@transaction.atomic
def save_transformation(row: Transformation, *, actor: User, request: HttpRequest | None = None) -> None:
    """A change of steps makes a new version."""
    adding = row._state.adding
    if not adding and Transformation.objects.get(pk=row.pk).steps != row.steps:
        row.version += 1
    row.save()
    name = "transformation.created" if adding else "transformation.updated"
    record(name, row, actor=actor, request=request, version=row.version)


@transaction.atomic
def delete_transformation(row: Transformation, *, actor: User, request: HttpRequest | None = None) -> None:
    record("transformation.deleted", row, actor=actor, request=request)
    row.delete()


def execute_for_instance(rows: Iterable[Pipeline], *, actor: User, request: HttpRequest | None = None) -> int:
    """Queue a run of each pipeline the instance owns; the next tick starts them. Members' own are left alone."""
    queued = 0
    for pipeline in rows:
        if pipeline.connection.owner_id is None:
            try:
                pipelines.start_run(pipeline, actor=actor, trigger=Run.Trigger.MANUAL, request=request)
            except NotConnected:
                continue
            queued += 1
    return queued
