"""Connections: other systems' accounts. They are made in the browser, where their owner consents; never here."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from aaperture.lib.api.answers import plain
from aaperture.lib.api.errors import Conflict
from aaperture.lib.api.filters import choice
from aaperture.lib.api.pagination import NumberedPages
from aaperture.lib.api.serializers import Strict
from aaperture.lib.api.views import ApiView
from accounts.api.users import actor_of
from accounts.models import User
from integrations.api import scope
from integrations.models import Connection
from integrations.services import connections

VIEW = "integrations.view_connection"


class ConnectionSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    provider = serializers.CharField()
    belongs_to = scope.BelongsTo()
    status = serializers.ChoiceField(choices=Connection.Status.values)
    error_code = serializers.CharField(allow_blank=True)
    account_email = serializers.CharField(allow_null=True, help_text="Of your own and the instance's; null for a member's.")
    last_synced_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class NewConnection(Strict):
    provider = serializers.ChoiceField(choices=Connection.Provider.values)
    account_email = serializers.EmailField(max_length=254)


class ConnectionChanges(Strict):
    account_email = serializers.EmailField(max_length=254)


class Tested(serializers.Serializer):
    working = serializers.BooleanField()
    error_code = serializers.CharField(allow_blank=True)


class Disconnected(serializers.Serializer):
    confirmed = serializers.BooleanField(help_text="Whether the provider confirmed that it withdrew our permission.")


def row(connection: Connection, user: User) -> dict[str, Any]:
    whose = scope.whose(user, connection.owner_id)
    return {
        "id": connection.pk,
        "provider": connection.provider,
        "belongs_to": whose,
        "status": connection.status,
        "error_code": connection.error_code,
        "account_email": None if whose == "member" else connection.account_email,
        "last_synced_at": connection.last_synced_at,
        "created_at": connection.created_at,
    }


class Base(ApiView):
    serializer_class = ConnectionSerializer

    def seen(self, user: User) -> Any:
        rows = Connection.objects.defer("access_token", "refresh_token")
        return scope.seen_by(user, rows, owner="owner", permission=VIEW)

    def one(self, request: Request, pk: UUID) -> Connection:
        return scope.one(self.seen(actor_of(request)), pk)

    def answer(self, connection: Connection, user: User, status: int = 200) -> Response:
        return Response(ConnectionSerializer(row(connection, user)).data, status=status)


class Connections(Base):
    pagination_class = NumberedPages
    operations = {"POST": "integrations.add_connection"}
    filters = {"status": choice("status", Connection.Status.values)}
    orderings = {"-created_at": "-created_at"}
    parameters = frozenset({"belongs_to"})
    answers = (409,)

    @extend_schema(responses=ConnectionSerializer(many=True), parameters=[scope.PARAMETER])
    def get(self, request: Request) -> Response:
        """Your connections; for staff also the instance's, and of members' their status."""
        user = actor_of(request)
        rows = scope.narrowed(user, self.seen(user), owner="owner", asked=request.query_params.get("belongs_to"))
        return self.listed(rows, lambda connection: ConnectionSerializer(row(connection, user)).data)

    @extend_schema(request=NewConnection, responses={201: ConnectionSerializer})
    def post(self, request: Request) -> Response:
        """A connection of the instance's, still to be authorised. Your own is made on the site, where you consent."""
        given, user = self.validated(request, NewConnection), actor_of(request)
        try:
            made = connections.add_instance_connection(actor=user, request=plain(request), **given)
        except connections.AlreadyPending:
            raise Conflict("Another connection of the instance still waits to be authorised.") from None
        return self.answer(made, user, 201)


class ConnectionDetail(Base):
    answers = (409,)

    def get(self, request: Request, pk: UUID) -> Response:
        """One connection."""
        return self.answer(self.one(request, pk), actor_of(request))

    @extend_schema(request=ConnectionChanges, responses=ConnectionSerializer)
    def patch(self, request: Request, pk: UUID) -> Response:
        """Say for which account one of the instance's is to be authorised, while it is not yet."""
        connection, user = self.one(request, pk), actor_of(request)
        if connection.owner_id is not None or not user.has_perm("integrations.change_connection"):
            raise PermissionDenied("You may not do this.", code="forbidden")
        email = self.validated(request, ConnectionChanges)["account_email"]
        try:
            changed = connections.readdress(connection, account_email=email, actor=user, request=plain(request))
        except connections.AlreadyAuthorised:
            raise Conflict("It is authorised already.") from None
        return self.answer(changed, user)

    @extend_schema(responses={200: Disconnected})
    def delete(self, request: Request, pk: UUID) -> Response:
        """Disconnect: our keys to it are deleted and withdrawn; what was found stays."""
        connection, user = self.one(request, pk), actor_of(request)
        scope.require(user, connection.owner_id, "integrations.delete_connection")
        return Response({"confirmed": connections.disconnect(connection, actor=user, request=plain(request)).confirmed})


class TestConnection(Base):
    @extend_schema(request=None, responses=Tested)
    def post(self, request: Request, pk: UUID) -> Response:
        """Ask whether the account answers; reads no mail. Your own, or the instance's by the matrix."""
        connection, user = self.one(request, pk), actor_of(request)
        scope.require(user, connection.owner_id, "integrations.test_connection")
        code = connections.check_connection(connection, actor=user)
        return Response({"working": not code, "error_code": code})
