"""Accounts, for those whom the matrix lets manage them; `accounts.protections` judges each single case."""

from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from aaperture.lib.api.answers import plain
from aaperture.lib.api.errors import Unavailable
from aaperture.lib.api.filters import choice, flag
from aaperture.lib.api.pagination import NumberedPages
from aaperture.lib.api.serializers import Changes, Strict
from aaperture.lib.api.views import ApiView
from accounts.api.me import TimeZoneField
from accounts.models import User
from accounts.roles import Role
from accounts.services import users

LANGUAGES = [code for code, _name in settings.LANGUAGES]


class UserSerializer(serializers.ModelSerializer):
    class Meta:
        model = User
        fields = ["id", "email", "name", "role", "language", "timezone", "is_active", "is_primary_admin", "created_at", "last_login"]
        read_only_fields = fields


class NewUser(Strict):
    email = serializers.EmailField(max_length=254)
    name = serializers.CharField(max_length=150, required=False, allow_blank=True)
    role = serializers.ChoiceField(choices=Role.values, default=Role.MEMBER.value)
    language = serializers.ChoiceField(choices=LANGUAGES, default="en")


class UserChanges(Changes):
    name = serializers.CharField(max_length=150, required=False, allow_blank=True)
    language = serializers.ChoiceField(choices=LANGUAGES, required=False)
    timezone = TimeZoneField(required=False)


class NewRole(Strict):
    role = serializers.ChoiceField(choices=Role.values)


def actor_of(request: Request) -> User:
    return cast("User", plain(request).user)


class Users(ApiView):
    serializer_class = UserSerializer
    pagination_class = NumberedPages
    operations = {"GET": "accounts.view_user", "POST": "accounts.add_user"}
    filters = {"role": choice("role", Role.values), "is_active": flag("is_active")}
    orderings = {"-created_at": "-created_at", "email": "email", "name": "name"}
    critical = True

    @extend_schema(responses=UserSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Every account."""
        return self.listed(User.objects.all())

    @extend_schema(request=NewUser, responses={201: UserSerializer})
    def post(self, request: Request) -> Response:
        """Make an account; its owner gets a mail to set a password. A staff role needs a step-up."""
        given = self.validated(request, NewUser)
        try:
            user = users.create_user(actor_of(request), request=plain(request), **given)
        except OSError:  # SMTP: the account stands, its mail can be sent again
            raise Unavailable("The account was made, but its mail could not be sent.", code="mail_failed") from None
        return Response(UserSerializer(user).data, status=201)


class OneUser(ApiView):
    serializer_class = UserSerializer
    critical = True
    queryset: QuerySet[User] = User.objects.all()

    def user(self, pk: UUID) -> User:
        return get_object_or_404(User, pk=pk)


class UserDetail(OneUser):
    operations = {"GET": "accounts.view_user", "PATCH": "accounts.change_user", "DELETE": "accounts.delete_user"}

    def get(self, request: Request, pk: UUID) -> Response:
        """One account."""
        return Response(UserSerializer(self.user(pk)).data)

    @extend_schema(request=UserChanges, responses=UserSerializer)
    def patch(self, request: Request, pk: UUID) -> Response:
        """Change name, language or time zone."""
        changes = self.validated(request, UserChanges)
        return Response(UserSerializer(users.edit_user(actor_of(request), self.user(pk), changes, plain(request))).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: UUID) -> Response:
        """Delete an account and what is its alone. Needs a step-up."""
        users.delete_user(actor_of(request), self.user(pk), plain(request))
        return Response(status=204)


class ChangeRole(OneUser):
    operations = {"POST": "accounts.change_role_user"}

    @extend_schema(request=NewRole, responses=UserSerializer)
    def post(self, request: Request, pk: UUID) -> Response:
        """Give another role; it acts on their next request. Needs a step-up."""
        role = self.validated(request, NewRole)["role"]
        return Response(UserSerializer(users.change_role(actor_of(request), self.user(pk), role, plain(request))).data)


class Switch(OneUser):
    operations = {"POST": "accounts.activate_user"}
    switch: Any = None

    def switched(self, request: Request, pk: UUID, act: Any) -> Response:
        return Response(UserSerializer(act(actor_of(request), self.user(pk), plain(request))).data)


class Activate(Switch):
    @extend_schema(request=None, responses=UserSerializer)
    def post(self, request: Request, pk: UUID) -> Response:
        """Let an account in again. A staff role needs a step-up."""
        return self.switched(request, pk, users.activate)


class Deactivate(Switch):
    @extend_schema(request=None, responses=UserSerializer)
    def post(self, request: Request, pk: UUID) -> Response:
        """Shut an account out; its sessions end at once."""
        return self.switched(request, pk, users.deactivate)


class ResetPassword(OneUser):
    operations = {"POST": "accounts.reset_password_user"}

    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request, pk: UUID) -> Response:
        """Mail them a link to set a new password. Never for administrators, never by developers."""
        try:
            users.send_password_reset(actor_of(request), self.user(pk), plain(request))
        except OSError:
            raise Unavailable("The mail could not be sent.", code="mail_failed") from None
        return Response(status=204)
