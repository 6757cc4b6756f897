"""`/api/v1/opportunities`: one's own board. Nobody else's, not even for staff."""

from typing import Any
from uuid import UUID

from django.http import Http404
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from aaperture.lib.api.answers import plain
from aaperture.lib.api.filters import choice, instant, search
from aaperture.lib.api.pagination import NumberedPages
from aaperture.lib.api.serializers import Changes
from aaperture.lib.api.views import ApiView
from accounts.api.users import actor_of
from tracker import services
from tracker.models import Opportunity
from tracker.stages import Ball, Kind, Stage, Task


class OpportunitySerializer(serializers.ModelSerializer):
    contact_email = serializers.CharField(read_only=True)
    last_label = serializers.CharField(read_only=True, help_text="What the latest mail about it was.")
    task = serializers.CharField(read_only=True)

    class Meta:
        model = Opportunity
        fields = [
            "id", "kind", "stage", "company", "role", "contact_name", "contact_email", "ball", "task", "task_text", "task_due_on",
            "notes", "last_label", "last_subject", "first_signal_at", "last_signal_at", "stage_changed_at", "created_at",
        ]  # fmt: skip
        read_only_fields = fields


class OpportunityFields(Changes):
    """What may be written; the rest follows from the mail."""

    kind = serializers.ChoiceField(choices=Kind.values, required=False)
    stage = serializers.ChoiceField(choices=Stage.values, required=False)
    company = serializers.CharField(max_length=200, allow_blank=True, required=False)
    role = serializers.CharField(max_length=200, allow_blank=True, required=False)
    contact_name = serializers.CharField(max_length=200, allow_blank=True, required=False)
    contact_email = serializers.EmailField(max_length=254, allow_blank=True, required=False)
    ball = serializers.ChoiceField(choices=Ball.values, required=False)
    task = serializers.ChoiceField(choices=Task.values, required=False)
    task_text = serializers.CharField(max_length=200, allow_blank=True, required=False)
    task_due_on = serializers.DateField(allow_null=True, required=False)
    notes = serializers.CharField(max_length=10_000, allow_blank=True, required=False)


class Base(ApiView):
    serializer_class = OpportunitySerializer

    def own(self, request: Request) -> Any:
        return Opportunity.objects.visible_to(request.user)

    def one(self, request: Request, pk: UUID) -> Opportunity:
        found = self.own(request).filter(pk=pk).first()
        if found is None:
            raise Http404
        return found


class Opportunities(Base):
    pagination_class = NumberedPages
    filters = {
        "stage": choice("stage", Stage.values),
        "kind": choice("kind", Kind.values),
        "turn": choice("ball", Ball.values, "Whose turn it is."),
        "since": instant("created_at__gte"),
        "q": search(),
    }
    orderings = {"-created_at": "-created_at", "last_signal_at": "last_signal_at", "company": "company", "task_due_on": "task_due_on"}

    @extend_schema(responses=OpportunitySerializer(many=True))
    def get(self, request: Request) -> Response:
        """Your opportunities."""
        return self.listed(self.own(request).defer("search_text"))

    @extend_schema(request=OpportunityFields, responses={201: OpportunitySerializer})
    def post(self, request: Request) -> Response:
        """Add one that no mail told of."""
        fields = self.validated(request, OpportunityFields)
        made = services.add_opportunity(actor_of(request), fields=fields, request=plain(request))
        return Response(OpportunitySerializer(made).data, status=201)


class OpportunityDetail(Base):
    def get(self, request: Request, pk: UUID) -> Response:
        """One of your opportunities."""
        return Response(OpportunitySerializer(self.one(request, pk)).data)

    @extend_schema(request=OpportunityFields, responses=OpportunitySerializer)
    def patch(self, request: Request, pk: UUID) -> Response:
        """Move it to another stage, or change what you know of it."""
        opportunity, fields, user = self.one(request, pk), self.validated(request, OpportunityFields), actor_of(request)
        stage = fields.pop("stage", None)
        try:
            if fields:
                opportunity = services.edit_opportunity(opportunity, fields=fields, actor=user, request=plain(request))
            if stage:
                opportunity = services.move_opportunity(opportunity, to=stage, actor=user, request=plain(request))
        except Opportunity.DoesNotExist:  # deleted or merged since it was read
            raise Http404 from None
        return Response(OpportunitySerializer(opportunity).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: UUID) -> Response:
        """Delete it with its signals, which no rescan brings back."""
        try:
            services.delete_opportunity(self.one(request, pk), actor=actor_of(request), request=plain(request))
        except Opportunity.DoesNotExist:
            raise Http404 from None
        return Response(status=204)


urlpatterns = [
    path("v1/opportunities", Opportunities.as_view(), name="opportunities"),
    path("v1/opportunities/<uuid:pk>", OpportunityDetail.as_view(), name="opportunity"),
]
