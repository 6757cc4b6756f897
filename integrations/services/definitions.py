"""What the console and the API change about pipelines and transformations, with its activity record."""

from collections.abc import Iterable

from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils.translation import gettext

from accounts.models import User
from audit.services import record
from integrations.errors import NotConnected
from integrations.models import Pipeline, Run, Transformation, TransformationVersion
from integrations.services import pipelines
from integrations.steps import kind_of


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


class NameTaken(Exception):
    """There is a transformation of that name already."""


class KindChanged(ValueError):
    """Pipelines run it on mail, and the new steps are for records, or the other way round."""


class SavedMeanwhile(Exception):
    """Somebody else has saved a newer version than the one these steps were made from."""


def save_transformation(
    row: Transformation, *, actor: User, request: HttpRequest | None = None, note: str = "", based_on: int | None = None
) -> Transformation:  # fmt: skip
    """Write name and steps; other steps make another version, which never changes.

    `based_on` is the version that somebody began to edit. Raises NameTaken, KindChanged, SavedMeanwhile.
    """
    try:
        with transaction.atomic():
            return _save(row, actor=actor, request=request, note=note, based_on=based_on)
    except IntegrityError:
        raise NameTaken from None


def _save(row: Transformation, *, actor: User, request: HttpRequest | None, note: str, based_on: int | None) -> Transformation:
    adding = row._state.adding
    before = None if adding else Transformation.objects.select_for_update().get(pk=row.pk)
    if before is not None:
        if based_on is not None and based_on != before.version:
            raise SavedMeanwhile
        if kind_of(before.steps) != kind_of(row.steps) and before.pipelines.filter(pinned=None).exists():
            raise KindChanged
        row.version = before.version + (before.steps != row.steps)
    row.save()
    if before is None or before.version != row.version:
        keep_version(row, note=note, actor=actor)
    name = "transformation.created" if adding else "transformation.updated"
    record(name, row, actor=actor, request=request, version=row.version)
    return row


def keep_version(row: Transformation, *, note: str = "", actor: User | None = None) -> TransformationVersion:
    return TransformationVersion.objects.create(
        transformation=row, number=row.version, steps=row.steps, note=note.strip()[:200], created_by=actor
    )  # fmt: skip


def restore_version(version: TransformationVersion, *, actor: User, request: HttpRequest | None = None) -> Transformation:
    """The steps of an earlier version as the newest one. Raises KindChanged."""
    row = Transformation.objects.get(pk=version.transformation_id)
    row.steps = version.steps
    note = gettext("Version %(n)d again") % {"n": version.number}
    return save_transformation(row, actor=actor, request=request, note=note)


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
