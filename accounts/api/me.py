"""Who one is, and what one may do."""

from typing import Any, cast

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from aaperture.lib.api.answers import plain
from aaperture.lib.api.serializers import Changes
from aaperture.lib.api.views import ApiView
from accounts.forms import ProfileForm
from accounts.models import User
from accounts.roles import OPERATIONS, PAGES
from accounts.services import users


class TimeZoneField(serializers.ChoiceField):
    """One of those that the profile page offers."""

    def __init__(self, **kwargs: Any) -> None:
        offered = ProfileForm().fields["timezone"].choices  # type: ignore[attr-defined]  # a field that offers choices
        super().__init__(choices=[name for name, _words in offered], **kwargs)

    def to_representation(self, value: Any) -> Any:
        return value


class MeSerializer(Changes):
    id = serializers.UUIDField(read_only=True)
    email = serializers.EmailField(read_only=True)
    name = serializers.CharField(max_length=150, required=False, allow_blank=True)
    language = serializers.ChoiceField(choices=["en", "fr"], required=False)
    timezone = TimeZoneField(required=False)
    role = serializers.CharField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)


class PermissionsAnswer(serializers.Serializer):
    role = serializers.CharField()
    navigation = serializers.DictField(child=serializers.BooleanField(), help_text="By page of the console.")
    features = serializers.DictField(
        child=serializers.DictField(child=serializers.BooleanField()), help_text="By area, then by operation, as in the matrix."
    )


class Me(ApiView):
    serializer_class = MeSerializer

    def get(self, request: Request) -> Response:
        """Your own account."""
        return Response(MeSerializer(request.user).data)

    def patch(self, request: Request) -> Response:
        """Change your name, language or time zone."""
        changes = self.validated(request)
        user = User.objects.get(pk=cast("User", plain(request).user).pk)
        return Response(MeSerializer(users.update_profile(user, changes=changes, request=plain(request))).data)


class MyPermissions(ApiView):
    @extend_schema(responses=PermissionsAnswer)
    def get(self, request: Request) -> Response:
        """What your role may do: the pages and operations of the matrix."""
        user: Any = request.user
        features: dict[str, dict[str, bool]] = {}
        for (area, operation), (permission, _who) in OPERATIONS.items():
            features.setdefault(area, {})[operation] = user.has_perm(permission)
        navigation = {page.removeprefix("pages."): user.has_perm(page) for page in PAGES}
        return Response({"role": user.role, "navigation": navigation, "features": features})
