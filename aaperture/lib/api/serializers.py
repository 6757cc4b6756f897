"""Serializers that take nothing they do not know."""

from typing import Any

from rest_framework import serializers


class Strict(serializers.Serializer):
    """A field nobody asked for is an error, not something to pass over: it is a misspelling or an attempt.

    `bounds` goes into the documentation; `minProperties` in it is held to here.
    """

    bounds: dict[str, Any] = {}

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            writable = {name for name, field in self.fields.items() if not field.read_only}
            unknown = sorted(str(name)[:80] for name in data if name not in writable)
            if unknown:
                raise serializers.ValidationError({name: ["There is no such field here."] for name in unknown})
            if len(data) < self.bounds.get("minProperties", 0):
                raise serializers.ValidationError({"non_field_errors": ["Name at least one field."]})
            if len(data) > self.bounds.get("maxProperties", len(data)):
                raise serializers.ValidationError({"non_field_errors": ["Name one field only."]})
        return super().to_internal_value(data)


class Changes(Strict):
    """At least one field to change."""

    bounds = {"minProperties": 1}


class ErrorSerializer(serializers.Serializer):
    """The shape of every error."""

    detail = serializers.CharField(help_text="What is wrong, in one sentence.")
    code = serializers.CharField(help_text="The same, for programs.")
    request_id = serializers.CharField(help_text="To quote when asking for help.")


class InvalidSerializer(ErrorSerializer):
    errors = serializers.DictField(required=False, help_text="By field, where fields were wrong.")  # type: ignore[assignment]  # the name of the answer's field; DRF has a property of that name, of no use here
