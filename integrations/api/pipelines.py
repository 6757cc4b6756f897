"""Pipelines: what is read, what is done to it, and when."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError as Invalid
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from aaperture.lib.api.answers import plain
from aaperture.lib.api.errors import Conflict
from aaperture.lib.api.filters import flag, identity
from aaperture.lib.api.pagination import NumberedPages
from aaperture.lib.api.serializers import Strict
from aaperture.lib.api.views import ApiView
from aaperture.lib.nudge import nudge
from accounts.api.users import actor_of
from accounts.models import User
from integrations.api import scope
from integrations.api.runs import RunSerializer, run_row
from integrations.connectors import CONNECTORS
from integrations.errors import IntegrationError, NotConnected
from integrations.models import Connection, Pipeline, Run, Transformation, TransformationVersion, validate_schedule
from integrations.schedule import next_after
from integrations.services import definitions, dry_runs, pipelines
from integrations.tasks import execute_run

VIEW = "integrations.view_pipeline"
OWNERS = frozenset({"enabled", "schedule"})  # of their own pipeline
STAFF_OF_MEMBERS = frozenset({"enabled", "schedule", "max_messages", "max_seconds", "max_per_day"})  # when and how much, never what is read


class PipelineSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    belongs_to = scope.BelongsTo()
    connection = serializers.UUIDField()
    transformation = serializers.UUIDField()
    version = serializers.IntegerField(help_text="Of the transformation: the one that it runs.")
    is_pinned = serializers.BooleanField(help_text="Whether it stays with that version when there are newer ones.")
    destination = serializers.CharField()
    enabled = serializers.BooleanField()
    schedule = serializers.CharField(allow_blank=True)
    next_run_at = serializers.DateTimeField(allow_null=True)
    max_messages = serializers.IntegerField()
    max_seconds = serializers.IntegerField()
    max_per_day = serializers.IntegerField(allow_null=True)
    keep_days = serializers.IntegerField(help_text="For which a row of its dataset is kept after it was last seen.")
    created_at = serializers.DateTimeField()


class Definition(Strict):
    """What may be said of a pipeline; `connection` and `destination` when it is made only."""

    name = serializers.CharField(max_length=80, required=False)
    transformation = serializers.UUIDField(required=False)
    enabled = serializers.BooleanField(required=False)
    schedule = serializers.CharField(max_length=200, required=False, allow_blank=True, help_text="In UTC, like 03:00,15:00.")
    max_messages = serializers.IntegerField(min_value=1, max_value=1_000_000, required=False)
    max_seconds = serializers.IntegerField(min_value=1, max_value=86_400, required=False)
    max_per_day = serializers.IntegerField(min_value=1, max_value=100_000_000, required=False, allow_null=True)
    version = serializers.IntegerField(
        min_value=1, required=False, allow_null=True, help_text="Stay with this version of the transformation; null: always the newest."
    )
    keep_days = serializers.IntegerField(min_value=1, max_value=3650, required=False)

    def validate_schedule(self, value: str) -> str:
        try:
            validate_schedule(value)
        except Invalid as error:
            raise serializers.ValidationError(error.messages) from None
        return value

    def validate_transformation(self, value: UUID) -> Transformation:
        found = Transformation.objects.filter(pk=value).first()
        if found is None:
            raise serializers.ValidationError("There is no such transformation.")
        return found


class PipelineChanges(Definition):
    bounds = {"minProperties": 1}


class NewPipeline(Definition):
    name = serializers.CharField(max_length=80)
    transformation = serializers.UUIDField()
    connection = serializers.UUIDField()
    destination = serializers.CharField(max_length=64, required=False, help_text="One of those this instance has.")
    for_me = serializers.BooleanField(required=False, help_text="What it keeps goes to your own board or contacts.")

    def validate_connection(self, value: UUID) -> Connection:
        found = Connection.objects.filter(pk=value, owner=None, provider__in=CONNECTORS).first()
        if found is None:
            raise serializers.ValidationError("The instance has no such connection.")
        return found

    def validate_destination(self, value: str) -> str:
        if value not in settings.PIPELINE_DESTINATIONS:
            raise serializers.ValidationError("There is no such destination.")
        return value


def _pinned(pipeline: Pipeline, number: int | None) -> TransformationVersion | None:
    """That version of its transformation. Raises ValidationError."""
    if number is None:
        return None
    found = pipeline.transformation.versions.filter(number=number).first()
    if found is None:
        raise serializers.ValidationError({"version": ["There is no such version of this transformation."]})
    return found


def row(pipeline: Pipeline, user: User) -> dict[str, Any]:
    names = (
        "id",
        "name",
        "destination",
        "enabled",
        "schedule",
        "next_run_at",
        "max_messages",
        "max_seconds",
        "max_per_day",
        "keep_days",
        "created_at",
        "version",
    )
    found = {name: getattr(pipeline, name) for name in names}
    found |= {
        "connection": pipeline.connection_id,
        "transformation": pipeline.transformation_id,
        "is_pinned": pipeline.pinned_id is not None,
    }
    return found | {"belongs_to": scope.whose(user, pipeline.connection.owner_id)}


class Base(ApiView):
    serializer_class: Any = PipelineSerializer

    def seen(self, user: User) -> Any:
        return scope.seen_by(
            user, Pipeline.objects.select_related("connection", "transformation", "pinned"), owner="connection__owner", permission=VIEW
        )

    def one(self, request: Request, pk: UUID) -> Pipeline:
        return scope.one(self.seen(actor_of(request)), pk)

    def answer(self, pipeline: Pipeline, user: User, status: int = 200) -> Response:
        return Response(PipelineSerializer(row(pipeline, user)).data, status=status)


class Pipelines(Base):
    pagination_class = NumberedPages
    operations = {"POST": "integrations.add_pipeline"}
    filters = {"enabled": flag("enabled"), "connection": identity("connection")}
    orderings = {"-created_at": "-created_at", "name": "name", "next_run_at": "next_run_at"}
    parameters = frozenset({"belongs_to"})

    @extend_schema(responses=PipelineSerializer(many=True), parameters=[scope.PARAMETER])
    def get(self, request: Request) -> Response:
        """Your pipelines; for staff all."""
        user = actor_of(request)
        rows = scope.narrowed(user, self.seen(user), owner="connection__owner", asked=request.query_params.get("belongs_to"))
        return self.listed(rows, lambda pipeline: PipelineSerializer(row(pipeline, user)).data)

    @extend_schema(request=NewPipeline, responses={201: PipelineSerializer})
    def post(self, request: Request) -> Response:
        """A pipeline over a connection of the instance's."""
        given, user = self.validated(request, NewPipeline), actor_of(request)
        number, recipient = given.pop("version", None), user if given.pop("for_me", False) else None
        pipeline = Pipeline(**given, recipient=recipient)
        pipeline.pinned = _pinned(pipeline, number)
        if pipeline.enabled:
            pipeline.next_run_at = next_after(pipeline.schedule, pipeline.created_at)
        pipeline.clean()
        definitions.save_pipeline(pipeline, fields=sorted(given), actor=user, request=plain(request))
        return self.answer(pipeline, user, 201)


class PipelineDetail(Base):
    def get(self, request: Request, pk: UUID) -> Response:
        """One pipeline."""
        return self.answer(self.one(request, pk), actor_of(request))

    @extend_schema(request=PipelineChanges, responses=PipelineSerializer)
    def patch(self, request: Request, pk: UUID) -> Response:
        """Change it. Of your own: whether and when it runs; of a member's, staff set when and how much, never what is read."""
        pipeline, user = self.one(request, pk), actor_of(request)
        self._may_change(pipeline, user, set())
        changes = self.validated(request, PipelineChanges)
        self._may_change(pipeline, user, set(changes))
        changes = self._with_version(pipeline, changes)
        changed = sorted(name for name, value in changes.items() if getattr(pipeline, name) != value)
        for name in changed:
            setattr(pipeline, name, changes[name])
        if {"transformation", "pinned"} & set(changed):
            pipeline.clean()
        if {"schedule", "enabled"} & set(changed):
            pipeline.next_run_at = next_after(pipeline.schedule, timezone.now()) if pipeline.enabled else None
            changed.append("next_run_at")
        if changed:
            definitions.save_pipeline(pipeline, fields=changed, actor=user, request=plain(request))
        return self.answer(pipeline, user)

    def _with_version(self, pipeline: Pipeline, changes: dict[str, Any]) -> dict[str, Any]:
        """The version by its number within the transformation that it will run; another transformation begins with its newest."""
        if "version" not in changes and "transformation" not in changes:
            return changes
        number = changes.pop("version", None)
        pipeline.transformation, kept = changes.get("transformation", pipeline.transformation), pipeline.transformation
        found = changes | {"pinned": _pinned(pipeline, number)}
        pipeline.transformation = kept
        return found

    def _may_change(self, pipeline: Pipeline, user: User, names: set[str]) -> None:
        owner, staff = pipeline.connection.owner_id, user.has_perm("integrations.change_pipeline")
        allowed: frozenset[str] | set[str] = OWNERS if owner == user.pk else frozenset()
        if staff:
            allowed = names if owner is None else allowed | STAFF_OF_MEMBERS
        if not (staff or owner == user.pk) or not names <= allowed:
            raise PermissionDenied("You may not change that.", code="forbidden")

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: UUID) -> Response:
        """Delete one of the instance's, with its runs."""
        pipeline, user = self.one(request, pk), actor_of(request)
        if pipeline.connection.owner_id is not None or not user.has_perm("integrations.delete_pipeline"):
            raise PermissionDenied("You may not do this.", code="forbidden")
        definitions.delete_pipeline(pipeline, actor=user, request=plain(request))
        return Response(status=204)


class RunPipeline(Base):
    serializer_class = RunSerializer
    answers = (409,)

    @extend_schema(request=None, responses={202: RunSerializer})
    def post(self, request: Request, pk: UUID) -> Response:
        """Run it now. When a run is under way already, that one is answered."""
        pipeline, user = self.one(request, pk), actor_of(request)
        try:
            run = pipelines.start_run(pipeline, actor=user, trigger=Run.Trigger.MANUAL, request=plain(request))
        except NotConnected:
            raise Conflict("Its connection is not connected.", code="not_connected") from None
        nudge(execute_run, run.pk)
        return Response(RunSerializer(run_row(Run.objects.select_related("pipeline__connection").get(pk=run.pk), user)).data, status=202)


class DryRunResult(serializers.Serializer):
    complete = serializers.BooleanField(help_text="Whether the source had no more.")
    read = serializers.IntegerField()
    kept = serializers.IntegerField()
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    unreadable = serializers.IntegerField()
    not_storable = serializers.IntegerField()
    dropped = serializers.DictField(child=serializers.IntegerField(), help_text="By step, or by label of mail.")


class DryRunPipeline(Base):
    serializer_class = DryRunResult
    answers = (409,)

    @extend_schema(request=None, responses=DryRunResult)
    def post(self, request: Request, pk: UUID) -> Response:
        """What a run would do: the real source is read, up to 500 records or 20 mails, and nothing is written."""
        pipeline, user = self.one(request, pk), actor_of(request)
        if pipeline.connection.owner_id is not None:
            raise PermissionDenied("You may not do this.", code="forbidden")
        try:
            found = dry_runs.dry_run(pipeline, actor=user, request=plain(request))
        except IntegrationError as error:
            raise Conflict("Its source cannot be read at the moment.", code=error.code) from None
        return Response(DryRunResult(found).data)


class CancelPipeline(Base):
    serializer_class = RunSerializer
    answers = (409,)

    @extend_schema(request=None, responses=RunSerializer)
    def post(self, request: Request, pk: UUID) -> Response:
        """Stop the run under way."""
        pipeline, user = self.one(request, pk), actor_of(request)
        pipelines.require_execute(pipeline, user)
        run = pipeline.runs.live().select_related("pipeline__connection").first()
        if run is None:
            raise Conflict("No run is under way.", code="not_running")
        cancelled = pipelines.cancel_run(run, actor=user, request=plain(request))
        return Response(RunSerializer(run_row(cancelled, user)).data)
