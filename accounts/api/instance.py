"""The instance's settings, and the developer role in production."""

from datetime import datetime

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from aaperture.lib.api.answers import plain
from aaperture.lib.api.serializers import Changes, Strict
from aaperture.lib.api.views import ApiView
from accounts.api.users import actor_of
from accounts.models import InstanceSettings
from accounts.services import developers, instance

NEEDED = "accounts.change_instancesettings"


class SettingsSerializer(Changes):
    registration_open = serializers.BooleanField(required=False)
    premium_for = serializers.ChoiceField(choices=InstanceSettings.Premium.values, required=False)
    dev_role_hours = serializers.IntegerField(
        min_value=1, max_value=developers.LONGEST, required=False, help_text="Changed by administrators only."
    )
    dev_role_until = serializers.DateTimeField(read_only=True, allow_null=True)
    updated_at = serializers.DateTimeField(read_only=True, allow_null=True)


class StrictBoolean(serializers.BooleanField):
    """`true` or `false`, not the words that stand for them elsewhere: this opens a door."""

    def to_internal_value(self, data: object) -> bool:
        if not isinstance(data, bool):
            raise ValidationError("Must be true or false.")
        return data


class WholeNumber(serializers.IntegerField):
    def to_internal_value(self, data: object) -> int:
        if isinstance(data, float) and data.is_integer():  # to JSON, 24.0 and 24 are one number
            data = int(data)
        if isinstance(data, bool) or not isinstance(data, int):
            raise ValidationError("Must be a whole number.")
        return super().to_internal_value(data)


class DevRoleRequest(Strict):
    allow = StrictBoolean()
    duration_hours = WholeNumber(min_value=1, max_value=developers.LONGEST, required=False)


class DevRoleAnswer(serializers.Serializer):
    allow = serializers.BooleanField()
    expires_at = serializers.DateTimeField(allow_null=True)


class Settings(ApiView):
    serializer_class = SettingsSerializer
    operations = {"GET": NEEDED, "PATCH": NEEDED}
    critical = True

    def get(self, request: Request) -> Response:
        """The settings that staff may change while the instance runs."""
        return Response(SettingsSerializer(InstanceSettings.current()).data)

    def patch(self, request: Request) -> Response:
        """Change some of them. Some are for administrators only."""
        changes = self.validated(request)
        return Response(SettingsSerializer(instance.change_settings(actor_of(request), changes, plain(request))).data)


class DevRoleInProduction(ApiView):
    operations = {"PUT": NEEDED}
    critical = True

    @extend_schema(request=DevRoleRequest, responses=DevRoleAnswer)
    def put(self, request: Request) -> Response:
        """Admit developers in production for some hours, or stop it. Administrators only, with a step-up."""
        given = self.validated(request, DevRoleRequest)
        actor, inner = actor_of(request), plain(request)
        if given["allow"]:
            until: datetime | None = developers.admit(actor, given.get("duration_hours"), inner)
        else:
            developers.stop(actor, inner)
            until = developers.admitted_until()
        return Response({"allow": until is not None, "expires_at": until})
