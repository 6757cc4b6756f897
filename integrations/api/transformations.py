"""Transformations: the instance's own, so the matrix alone decides."""

from typing import Any
from uuid import UUID

from django.db.models import ProtectedError
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from aaperture.lib.api.answers import plain
from aaperture.lib.api.errors import Conflict
from aaperture.lib.api.pagination import NumberedPages
from aaperture.lib.api.serializers import Changes, Strict
from aaperture.lib.api.views import ApiView
from accounts.api.users import actor_of
from integrations import steps as chain
from integrations import trial
from integrations.models import Transformation
from integrations.services import definitions

MOST_STEPS = 20


class StepsField(serializers.ListField):
    """`[{"do": "classify"}, …, {"do": "redact"}]` for mail, `[…, {"do": "map", "fields": {…}}]` for records."""

    child = serializers.DictField()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_length=1, max_length=MOST_STEPS, help_text='Like [{"do": "classify"}, {"do": "redact"}].', **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        try:
            chain.validate(value)
        except (ValueError, TypeError) as error:
            raise serializers.ValidationError(str(error)) from None
        return value


class TransformationSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    version = serializers.IntegerField()
    steps = serializers.ListField(child=serializers.DictField())
    created_at = serializers.DateTimeField()


class VersionSerializer(serializers.Serializer):
    number = serializers.IntegerField()
    steps = serializers.ListField(child=serializers.DictField())
    note = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()


class NewTransformation(Strict):
    name = serializers.CharField(max_length=80)
    steps = StepsField()
    note = serializers.CharField(max_length=200, required=False, allow_blank=True, help_text="What you say of this version.")


class TransformationChanges(Changes):
    name = serializers.CharField(max_length=80, required=False)
    steps = StepsField(required=False)
    note = serializers.CharField(max_length=200, required=False, allow_blank=True)


class Sample(Strict):
    """Something of your own making, to try a transformation on: a mail, or `record`, a JSON object. It is not stored."""

    bounds = {"minProperties": 1}

    sender = serializers.CharField(max_length=320, required=False)
    subject = serializers.CharField(max_length=300, allow_blank=True, required=False)
    text = serializers.CharField(max_length=10_000, allow_blank=True, required=False)
    record = serializers.DictField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        mail = {"sender", "subject", "text"}
        if "record" in attrs and mail & set(attrs):
            raise serializers.ValidationError("Give a mail or a record, not both.")
        if "record" not in attrs and mail - set(attrs):
            raise serializers.ValidationError({name: ["This is needed of a mail."] for name in sorted(mail - set(attrs))})
        return attrs


class StepToldSerializer(serializers.Serializer):
    do = serializers.CharField()
    outcome = serializers.ChoiceField(choices=[trial.WENT_ON, trial.DROPPED, trial.FAILED])
    output = serializers.DictField(help_text="What the step found or left.")


class SampleResult(serializers.Serializer):
    kept = serializers.BooleanField()
    label = serializers.CharField(allow_blank=True)  # type: ignore[assignment]  # a field of the answer; DRF has an attribute of that name
    reasons = serializers.ListField(child=serializers.CharField())
    steps = StepToldSerializer(many=True, help_text="Step by step, as far as it got.")


class Queued(serializers.Serializer):
    runs = serializers.IntegerField(help_text="How many runs were asked for or were under way already.")


class Base(ApiView):
    serializer_class: Any = TransformationSerializer

    def one(self, pk: UUID) -> Transformation:
        return get_object_or_404(Transformation, pk=pk)

    def saved(self, transformation: Transformation, request: Request, status: int = 200, *, note: str = "") -> Response:
        try:
            definitions.save_transformation(transformation, actor=actor_of(request), request=plain(request), note=note)
        except definitions.NameTaken:
            raise Conflict("There is one of that name already.") from None
        except definitions.KindChanged:
            raise Conflict("Pipelines use it, and these steps are for something else.", code="in_use") from None
        return Response(TransformationSerializer(transformation).data, status=status)


class Transformations(Base):
    pagination_class = NumberedPages
    operations = {"GET": "integrations.view_transformation", "POST": "integrations.add_transformation"}
    orderings = {"name": "name", "-created_at": "-created_at"}
    answers = (409,)

    @extend_schema(responses=TransformationSerializer(many=True))
    def get(self, request: Request) -> Response:
        """All of them."""
        return self.listed(Transformation.objects.all())

    @extend_schema(request=NewTransformation, responses={201: TransformationSerializer})
    def post(self, request: Request) -> Response:
        """Make one."""
        given = self.validated(request, NewTransformation)
        note = given.pop("note", "")
        return self.saved(Transformation(**given), request, 201, note=note)


class TransformationDetail(Base):
    operations = {
        "GET": "integrations.view_transformation",
        "PATCH": "integrations.change_transformation",
        "DELETE": "integrations.delete_transformation",
    }
    answers = (409,)

    def get(self, request: Request, pk: UUID) -> Response:
        """One of them."""
        return Response(TransformationSerializer(self.one(pk)).data)

    @extend_schema(request=TransformationChanges, responses=TransformationSerializer)
    def patch(self, request: Request, pk: UUID) -> Response:
        """Change it; other steps make another version."""
        transformation, changes = self.one(pk), self.validated(request, TransformationChanges)
        note = changes.pop("note", "")
        for name, value in changes.items():
            setattr(transformation, name, value)
        return self.saved(transformation, request, note=note)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: UUID) -> Response:
        """Delete one that no pipeline uses."""
        try:
            definitions.delete_transformation(self.one(pk), actor=actor_of(request), request=plain(request))
        except ProtectedError:
            raise Conflict("A pipeline uses it.", code="in_use") from None
        return Response(status=204)


class TransformationVersions(Base):
    serializer_class = VersionSerializer
    pagination_class = NumberedPages
    operations = {"GET": "integrations.view_transformation"}

    @extend_schema(responses=VersionSerializer(many=True))
    def get(self, request: Request, pk: UUID) -> Response:
        """Every version as it was saved, the newest first."""
        return self.listed(self.one(pk).versions.order_by("-number"))


class TryTransformation(Base):
    operations = {"POST": "integrations.test_transformation"}

    @extend_schema(request=Sample, responses=SampleResult)
    def post(self, request: Request, pk: UUID) -> Response:
        """Try it on a mail or a record of your own making, and see what each step makes of it; nothing is stored."""
        given, steps = self.validated(request, Sample), self.one(pk).steps
        try:
            found = trial.try_record(steps, given["record"]) if "record" in given else trial.try_mail(steps, **given)
        except ValueError as error:
            raise serializers.ValidationError({"non_field_errors": [str(error)]}) from None
        return Response(SampleResult(found).data)


class RunTransformation(Base):
    operations = {"POST": "integrations.execute_transformation"}

    @extend_schema(request=None, responses={202: Queued})
    def post(self, request: Request, pk: UUID) -> Response:
        """Run the instance's pipelines that use it. Members' own are left alone."""
        using = self.one(pk).pipelines.select_related("connection")
        count = definitions.execute_for_instance(using, actor=actor_of(request), request=plain(request))
        return Response({"runs": count}, status=202)
