"""What a pipeline with the destination `dataset` keeps: one's own, or the instance's by the matrix."""

from typing import Any
from uuid import UUID

from django.db.models import Q
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from aaperture.lib.api.answers import plain
from aaperture.lib.api.filters import instant
from aaperture.lib.api.pagination import NumberedPages
from accounts.api.users import actor_of
from accounts.models import User
from integrations.api import scope
from integrations.api.pipelines import Base
from integrations.services import datasets

VIEW = "integrations.view_datasetrow"
DELETE = "integrations.delete_pipeline"


class RowSerializer(serializers.Serializer):
    id = serializers.CharField(source="item_id", help_text="What the source calls it.")
    data = serializers.DictField()  # type: ignore[assignment]  # a field of the answer; DRF has a property of that name
    stored_at = serializers.DateTimeField()
    seen_at = serializers.DateTimeField(help_text="When a run last found it, to the day.")


class Emptied(serializers.Serializer):
    deleted = serializers.IntegerField()


class Rows(Base):
    """Of a member's dataset staff do not learn that it exists: unlike its pipeline, it is content."""

    serializer_class: Any = RowSerializer
    pagination_class = NumberedPages
    filters = {"since": instant("stored_at__gte"), "until": instant("stored_at__lt")}

    def seen(self, user: User) -> Any:
        return super().seen(user).filter(Q(connection__owner=None) | Q(connection__owner=user))

    @extend_schema(responses=RowSerializer(many=True))
    def get(self, request: Request, pk: UUID) -> Response:
        """The rows of a pipeline's dataset, newest first."""
        pipeline = self.one(request, pk)
        scope.require(actor_of(request), pipeline.connection.owner_id, VIEW)
        return self.listed(pipeline.rows.order_by("-stored_at", "-id"))

    @extend_schema(responses={200: Emptied})
    def delete(self, request: Request, pk: UUID) -> Response:
        """Empty the dataset. The next run reads what its source has, from the beginning."""
        pipeline, user = self.one(request, pk), actor_of(request)
        scope.require(user, pipeline.connection.owner_id, DELETE)
        return Response({"deleted": datasets.empty(pipeline, actor=user, request=plain(request))})
