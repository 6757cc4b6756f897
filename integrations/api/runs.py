"""Runs: how far, how they ended, and what happened on the way."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from aaperture.lib.api.answers import plain
from aaperture.lib.api.filters import choice, identity, instant
from aaperture.lib.api.pagination import NumberedPages
from aaperture.lib.api.views import ApiView
from accounts.api.users import actor_of
from accounts.models import User
from integrations.api import scope
from integrations.models import Run, RunEvent
from integrations.progress import Progress
from integrations.services import pipelines

VIEW = "integrations.view_run"


class RunSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    pipeline = serializers.UUIDField()
    connection = serializers.UUIDField()
    belongs_to = scope.BelongsTo()
    status = serializers.ChoiceField(choices=Run.Status.values)
    trigger = serializers.CharField()
    transformation_version = serializers.IntegerField(allow_null=True, help_text="Of the steps that it ran.")
    stop_reason = serializers.CharField(allow_blank=True)
    percent = serializers.IntegerField()
    counts = serializers.DictField(child=serializers.IntegerField())
    queued_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class RunEventSerializer(serializers.ModelSerializer):
    class Meta:
        model = RunEvent
        fields = ["id", "at", "level", "code", "text"]
        read_only_fields = fields


def run_row(run: Run, user: User) -> dict[str, Any]:
    told = Progress(run).as_json()
    names = ("id", "trigger", "transformation_version", "queued_at")
    found = {name: getattr(run, name) for name in names} | {"pipeline": run.pipeline_id}
    kept = ("connection", "status", "stop_reason", "percent", "counts", "started_at", "finished_at")
    found |= {name: told[name] for name in kept}
    return found | {"belongs_to": scope.whose(user, run.pipeline.connection.owner_id)}


class Base(ApiView):
    serializer_class: Any = RunSerializer

    def seen(self, user: User) -> Any:
        rows = Run.objects.select_related("pipeline__connection")
        return scope.seen_by(user, rows, owner="pipeline__connection__owner", permission=VIEW)

    def one(self, request: Request, pk: UUID) -> Run:
        return scope.one(self.seen(actor_of(request)), pk)

    def answer(self, run: Run, user: User) -> Response:
        return Response(RunSerializer(run_row(run, user)).data)


class Runs(Base):
    pagination_class = NumberedPages
    filters = {
        "status": choice("status", Run.Status.values),
        "trigger": choice("trigger", Run.Trigger.values),
        "pipeline": identity("pipeline"),
        "since": instant("queued_at__gte"),
        "until": instant("queued_at__lt"),
    }
    orderings = {"-queued_at": "-queued_at"}
    parameters = frozenset({"belongs_to"})

    @extend_schema(responses=RunSerializer(many=True), parameters=[scope.PARAMETER])
    def get(self, request: Request) -> Response:
        """Runs of your pipelines; for staff of all, with counts only."""
        user = actor_of(request)
        rows = scope.narrowed(user, self.seen(user), owner="pipeline__connection__owner", asked=request.query_params.get("belongs_to"))
        return self.listed(rows, lambda run: RunSerializer(run_row(run, user)).data)


class RunDetail(Base):
    def get(self, request: Request, pk: UUID) -> Response:
        """One run."""
        return self.answer(self.one(request, pk), actor_of(request))


class RunEvents(Base):
    serializer_class = RunEventSerializer
    pagination_class = NumberedPages
    filters = {"level": choice("level", RunEvent.Level.values)}

    @extend_schema(responses=RunEventSerializer(many=True))
    def get(self, request: Request, pk: UUID) -> Response:
        """What happened during a run: codes and numbers, never content."""
        return self.listed(self.one(request, pk).events.order_by("at", "id"))


class CancelRun(Base):
    @extend_schema(request=None, responses=RunSerializer)
    def post(self, request: Request, pk: UUID) -> Response:
        """Stop it; what was found until then is kept. One that has ended is answered as it is."""
        run, user = self.one(request, pk), actor_of(request)
        return self.answer(pipelines.cancel_run(run, actor=user, request=plain(request)), user)
