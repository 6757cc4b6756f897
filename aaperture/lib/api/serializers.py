"""Serializers that take nothing they do not know."""

from typing import Any

from rest_framework import serializers


class Strict(serializers.Serializer):
    """A field nobody asked for is an error, not something to pass over: it is a misspelling or an attempt."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            writable = {name for name, field in self.fields.items() if not field.read_only}
            unknown = sorted(str(name)[:80] for name in data if name not in writable)
            if unknown:
                raise serializers.ValidationError({name: ["There is no such field here."] for name in unknown})
        return super().to_internal_value(data)

    def validate_at_least_one(self, values: dict[str, Any]) -> dict[str, Any]:
        if not values:
            raise serializers.ValidationError("Name at least one field to change.")
        return values


class ErrorSerializer(serializers.Serializer):
    """The shape of every error."""

    detail = serializers.CharField(help_text="What is wrong, in one sentence.")
    code = serializers.CharField(help_text="The same, for programs.")
    request_id = serializers.CharField(help_text="To quote when asking for help.")


class InvalidSerializer(ErrorSerializer):
    errors = serializers.DictField(required=False, help_text="By field, where fields were wrong.")
