"""`/api/v1/admin/keys`: the ring's state, and its rotation. Administrators only, with a step-up."""

from typing import Any

from django.core.exceptions import ValidationError
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from aaperture.lib.api.answers import plain
from aaperture.lib.api.errors import Conflict
from aaperture.lib.api.views import ApiView
from aaperture.lib.nudge import nudge
from accounts.api.users import actor_of
from operations import key_usage, known_secrets
from operations.services.key_rotation import PERMISSION, ask_for_rotation
from operations.tasks import rotate_keys
from vault.models import KeyRotation


class KeySerializer(serializers.Serializer):
    id = serializers.CharField(source="kid")
    first = serializers.BooleanField(source="is_first", help_text="Whether it wraps what is new.")
    configured = serializers.BooleanField(source="in_ring", help_text="Whether `ENCRYPTION_KEYS` has it.")
    since = serializers.DateTimeField(allow_null=True)
    persons = serializers.IntegerField(help_text="Data keys of people that it wraps.")
    organizations = serializers.IntegerField()
    instance = serializers.IntegerField()
    signs = serializers.BooleanField(help_text="Whether the activity log could not be verified without it.")
    retired_at = serializers.DateTimeField(allow_null=True)
    removable = serializers.BooleanField(source="is_removable", help_text="Whether it may be taken out of `ENCRYPTION_KEYS`.")


class RotationSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    to = serializers.CharField(source="kid")
    asked_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    outcome = serializers.ChoiceField(choices=["", *KeyRotation.Outcome.values])
    done = serializers.IntegerField()
    total = serializers.IntegerField()


class SecretSerializer(serializers.Serializer):
    name = serializers.CharField()
    part = serializers.CharField(allow_blank=True)
    configured_in = serializers.ChoiceField(source="source", choices=["environment", "file", "key service", "instance", "console"])
    since = serializers.DateTimeField()
    due_on = serializers.DateTimeField()
    overdue = serializers.BooleanField()
    count = serializers.IntegerField(source="how_many")


class KeysSerializer(serializers.Serializer):
    keys = KeySerializer(many=True)
    rotation = RotationSerializer(allow_null=True, help_text="The latest one.")
    next = serializers.ChoiceField(choices=[step.value for step in key_usage.Step], help_text="What there is to do now.")
    secrets = SecretSerializer(many=True)


def _told(rotation: KeyRotation | None) -> dict[str, Any] | None:
    if rotation is None:
        return None
    total = sum(rotation.before.values())
    done, total = key_usage.progress(rotation) if rotation.finished_at is None else (total, total)
    return RotationSerializer({**vars(rotation), "done": done, "total": total}).data


def _state() -> dict[str, Any]:
    uses, latest = key_usage.key_uses(), key_usage.latest_rotation()
    return {
        "keys": KeySerializer(uses, many=True).data, "rotation": _told(latest), "next": key_usage.next_step(uses, latest).value,
        "secrets": SecretSerializer(known_secrets.inventory(), many=True).data,
    }  # fmt: skip


class Keys(ApiView):
    operations = {"GET": PERMISSION}

    @extend_schema(responses=KeysSerializer)
    def get(self, request: Request) -> Response:
        """The master keys with what depends on each, the latest rotation, and the ages of all secrets. Never a value."""
        return Response(_state())


class KeysRotate(ApiView):
    operations = {"POST": PERMISSION}
    critical = True
    answers = (409,)

    @extend_schema(request=None, responses={202: RotationSerializer})
    def post(self, request: Request) -> Response:
        """Start wrapping every data key by the first key of `ENCRYPTION_KEYS`, or join the rotation that is under way. With a step-up."""
        try:
            asked = ask_for_rotation(actor_of(request), plain(request))
        except ValidationError as error:
            raise Conflict(" ".join(error.messages)) from None
        nudge(rotate_keys, asked.pk)
        return Response(_told(asked), status=202)


urlpatterns = [
    path("v1/admin/keys", Keys.as_view(), name="keys"),
    path("v1/admin/keys/rotate", KeysRotate.as_view(), name="keys_rotate"),
]
