"""`/api/v1/admin/cleanups` and `/api/v1/admin/backups`: the same operations as on the console, for the same roles."""

from typing import Any

from django.core.exceptions import ValidationError
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from aaperture.lib.api.answers import plain
from aaperture.lib.api.errors import Conflict
from aaperture.lib.api.pagination import NumberedPages
from aaperture.lib.api.views import ApiView
from aaperture.lib.nudge import nudge
from accounts.api.users import actor_of
from operations.backups.models import Backup
from operations.maintenance.cleanups import CLEANUPS, dry_run
from operations.maintenance.models import CleanupRun
from operations.services import backups, maintenance
from operations.tasks import clean_up, make_backup


class CleanupRunSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.ChoiceField(choices=list(CLEANUPS))
    trigger = serializers.ChoiceField(choices=CleanupRun.Trigger.values)
    status = serializers.ChoiceField(choices=CleanupRun.Status.values)
    asked_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="How many of what went.")


class CleanupSerializer(serializers.Serializer):
    name = serializers.ChoiceField(choices=list(CLEANUPS))
    schedule = serializers.CharField(allow_blank=True, help_text="Times of day in UTC; empty: by hand only.")
    next_run_at = serializers.DateTimeField(allow_null=True)
    latest = CleanupRunSerializer(allow_null=True)


class AskedCleanupSerializer(serializers.Serializer):
    name = serializers.ChoiceField(choices=list(CLEANUPS))
    dry_run = serializers.BooleanField(default=False, help_text="Count what would go, and change nothing.")


class DryRunSerializer(serializers.Serializer):
    name = serializers.ChoiceField(choices=list(CLEANUPS))
    counts = serializers.DictField(child=serializers.IntegerField())


class BackupSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField(allow_blank=True, help_text="What `manage.py restore` takes; made when the backup begins.")
    trigger = serializers.ChoiceField(choices=Backup.Trigger.values)
    status = serializers.ChoiceField(choices=Backup.Status.values)
    asked_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    percent = serializers.IntegerField()
    rows = serializers.IntegerField()
    objects = serializers.IntegerField(source="objects_count")
    size = serializers.IntegerField(help_text="Bytes.")
    error = serializers.CharField(allow_blank=True)


class Cleanups(ApiView):
    operations = {"GET": maintenance.PERMISSION, "POST": maintenance.PERMISSION}
    pagination_class = None
    critical = True

    @extend_schema(responses=CleanupSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The six cleanups, when each runs next, and what came of it last."""
        newest = {run.name: run for run in CleanupRun.objects.order_by("name", "-asked_at").distinct("name")}
        jobs = maintenance.jobs()
        told: list[dict[str, Any]] = [
            {"name": name, "schedule": jobs[name].schedule, "next_run_at": jobs[name].next_run_at, "latest": newest.get(name)}
            for name in CLEANUPS
        ]
        return Response(CleanupSerializer(told, many=True).data)

    @extend_schema(request=AskedCleanupSerializer, responses={200: DryRunSerializer, 202: CleanupRunSerializer})
    def post(self, request: Request) -> Response:
        """Run a cleanup in the background, or join the one of this name under way; with `dry_run`, only count."""
        asked = self.validated(request, AskedCleanupSerializer)
        if asked["dry_run"]:
            return Response({"name": asked["name"], "counts": dry_run(asked["name"])})
        run = maintenance.ask(asked["name"], actor_of(request), plain(request))
        nudge(clean_up, run.pk)
        return Response(CleanupRunSerializer(run).data, status=202)


class Backups(ApiView):
    operations = {"GET": backups.PERMISSION, "POST": backups.PERMISSION}
    serializer_class = BackupSerializer
    pagination_class = NumberedPages
    critical = True
    answers = (409,)

    @extend_schema(responses=BackupSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Backups, the newest first. Never one's content: restoring is a command on the host."""
        return self.listed(Backup.objects.order_by("-asked_at", "-id"))

    @extend_schema(request=None, responses={202: BackupSerializer})
    def post(self, request: Request) -> Response:
        """Make a backup in the background, or join the one under way. With a step-up."""
        try:
            asked = backups.ask(actor_of(request), plain(request))
        except ValidationError as error:
            raise Conflict(" ".join(error.messages)) from None
        nudge(make_backup, asked.pk)
        return Response(BackupSerializer(asked).data, status=202)


urlpatterns = [
    path("v1/admin/cleanups", Cleanups.as_view(), name="cleanups"),
    path("v1/admin/backups", Backups.as_view(), name="backups"),
]
