"""`/api/v1/activity-logs`: who did what, for those whom the matrix lets see it."""

from datetime import timedelta
from typing import Any

from django.urls import path
from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from aaperture.lib.api.filters import Filter, choice, identity, instant
from aaperture.lib.api.pagination import CursorPages
from aaperture.lib.api.views import ApiView
from accounts.models import User
from audit.actions import ACTIONS
from audit.models import Activity
from audit.services import as_record
from operations import key_api, maintenance_api


class NewestFirst(CursorPages):
    ordering = ("-recorded_at", "-id")

    def check_position(self, position: str) -> None:
        try:
            found = parse_datetime(position)
        except ValueError:
            found = None
        if found is None or found.utcoffset() != timedelta(0):  # ours are in UTC; PostgreSQL takes no offset above 15 hours
            raise NotFound("There is no such page.")


class ActivitySerializer(serializers.Serializer):
    id = serializers.UUIDField()
    user_id = serializers.UUIDField(allow_null=True)
    username = serializers.CharField(allow_blank=True, help_text="The e-mail address, while there is such an account.")
    action = serializers.CharField()
    target_type = serializers.CharField(allow_blank=True)
    target_id = serializers.CharField(allow_blank=True)
    details = serializers.DictField()
    ip_address = serializers.CharField(allow_blank=True)
    user_agent = serializers.CharField(allow_blank=True)
    timestamp = serializers.DateTimeField()


class ActivityLogs(ApiView):
    serializer_class = ActivitySerializer
    pagination_class = NewestFirst
    operations = {"GET": "audit.view_activity"}
    filters = {
        "action": choice("action", ACTIONS),
        "user_id": identity("actor_id", "Who did it."),
        "target_id": Filter("target_id", "On what.", {"type": "string", "maxLength": 64}),
        "since": instant("recorded_at__gte"),
        "until": instant("recorded_at__lt"),
    }

    @extend_schema(responses=ActivitySerializer(many=True))
    def get(self, request: Request) -> Response:
        """The activity log, newest first, paged by cursor."""
        page: list[Activity] = self.paginate_queryset(self.filter_queryset(Activity.objects.all())) or []
        names = dict(User.objects.filter(pk__in={row.actor_id for row in page if row.actor_id}).values_list("pk", "email"))
        return self.get_paginated_response([self._row(row, names) for row in page])

    def _row(self, row: Activity, names: dict[Any, str]) -> dict[str, Any]:
        told = as_record(row, username=names.get(row.actor_id, ""))
        return told | {"target_type": row.target_type, "target_id": row.target_id}


urlpatterns = [path("v1/activity-logs", ActivityLogs.as_view(), name="activity_logs"), *key_api.urlpatterns, *maintenance_api.urlpatterns]
