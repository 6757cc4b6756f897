"""Connections: other systems' accounts. They are made in the browser, where their owner consents; never here."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError as Invalid
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from aaperture.lib.api.answers import plain
from aaperture.lib.api.errors import Conflict
from aaperture.lib.api.filters import choice
from aaperture.lib.api.pagination import NumberedPages
from aaperture.lib.api.serializers import Changes, Strict
from aaperture.lib.api.views import ApiView
from accounts.api.users import actor_of
from accounts.models import User
from integrations.api import scope
from integrations.connectors import CONNECTORS
from integrations.models import Connection
from integrations.services import configured, connections

VIEW = "integrations.view_connection"


class ConnectionSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    provider = serializers.CharField()
    belongs_to = scope.BelongsTo()
    status = serializers.ChoiceField(choices=Connection.Status.values)
    error_code = serializers.CharField(allow_blank=True)
    account_email = serializers.CharField(allow_null=True, help_text="Of your own and the instance's; null for a member's.")
    name = serializers.CharField(allow_null=True, help_text="What staff call one of the instance's; null for a member's.")
    config = serializers.DictField(allow_null=True, help_text="What its connector was told, without the secret; null for a member's.")
    last_synced_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class NewConnection(Strict):
    """Of a mailbox the account that is to authorise it; of a source that nobody authorises its name and settings."""

    provider = serializers.ChoiceField(choices=list(CONNECTORS))
    account_email = serializers.EmailField(max_length=254, required=False)
    name = serializers.CharField(max_length=configured.LONGEST_NAME, required=False)
    config = serializers.DictField(child=serializers.CharField(max_length=4096, allow_blank=True), required=False, help_text=(
        "Such as url, items, id, auth (none, bearer, header), header, secret, paging (none, number, link, token), page_parameter, next."
    ))  # fmt: skip

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        told = bool(CONNECTORS[attrs["provider"]].settings)
        needed, others = ({"name", "config"}, {"account_email"}) if told else ({"account_email"}, {"name", "config"})
        faults = {name: ["This is needed of this provider."] for name in needed - set(attrs)}
        faults |= {name: ["This is not asked of this provider."] for name in others & set(attrs)}
        if told and not faults:
            faults |= unknown_settings(attrs["provider"], attrs["config"])
        if faults:
            raise serializers.ValidationError(faults)
        return attrs


class ConnectionChanges(Changes):
    account_email = serializers.EmailField(max_length=254, required=False)
    name = serializers.CharField(max_length=configured.LONGEST_NAME, required=False)
    config = serializers.DictField(child=serializers.CharField(max_length=4096, allow_blank=True), required=False)


def unknown_settings(provider: str, config: dict[str, str]) -> dict[str, Any]:
    unknown = sorted(set(config) - {setting.name for setting in CONNECTORS[provider].settings})
    return {"config": [f"There is no setting {name[:80]}." for name in unknown]} if unknown else {}


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
        **{name: None if whose == "member" else getattr(connection, name) for name in ("account_email", "name", "config")},
        "last_synced_at": connection.last_synced_at,
        "created_at": connection.created_at,
    }


class Base(ApiView):
    serializer_class = ConnectionSerializer

    def seen(self, user: User) -> Any:
        return scope.seen_by(user, Connection.objects.without_secrets(), owner="owner", permission=VIEW)

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
        """A connection of the instance's; a mailbox is still to be authorised. Your own is made on the site, where you consent."""
        given, user = self.validated(request, NewConnection), actor_of(request)
        try:
            if "config" in given:
                made = configured.add(given["provider"], given["name"], given["config"], actor=user, request=plain(request))
            else:
                made = connections.add_instance_connection(actor=user, request=plain(request), **given)
        except connections.AlreadyPending:
            raise Conflict("Another connection of the instance still waits to be authorised.") from None
        except configured.AlreadyThere:
            raise Conflict("The instance reads this source already.") from None
        except Invalid as error:
            raise serializers.ValidationError({"config": [f"{name}: {words[0]}" for name, words in error.message_dict.items()]}) from None
        return self.answer(made, user, 201)


class ConnectionDetail(Base):
    answers = (409,)

    def get(self, request: Request, pk: UUID) -> Response:
        """One connection."""
        return self.answer(self.one(request, pk), actor_of(request))

    @extend_schema(request=ConnectionChanges, responses=ConnectionSerializer)
    def patch(self, request: Request, pk: UUID) -> Response:
        """Of one of the instance's: for which account it is to be authorised, while it is not yet; or other settings.

        Settings that are not named stay; another address wants its secret given again.
        """
        connection, user = self.one(request, pk), actor_of(request)
        if connection.owner_id is not None or not user.has_perm("integrations.change_connection"):
            raise PermissionDenied("You may not do this.", code="forbidden")
        given = self.validated(request, ConnectionChanges)
        if CONNECTORS[connection.provider].settings:
            return self.answer(self._reconfigured(request, connection, given), user)
        if set(given) != {"account_email"}:
            raise serializers.ValidationError({name: ["There is no such field here."] for name in set(given) - {"account_email"}})
        try:
            changed = connections.readdress(connection, account_email=given["account_email"], actor=user, request=plain(request))
        except connections.AlreadyAuthorised:
            raise Conflict("It is authorised already.") from None
        return self.answer(changed, user)

    def _reconfigured(self, request: Request, connection: Connection, given: dict[str, Any]) -> Connection:
        config, name = given.get("config", {}), given.get("name", connection.name)
        faults = unknown_settings(connection.provider, config)
        if "account_email" in given:
            faults["account_email"] = ["There is no such field here."]
        if faults:
            raise serializers.ValidationError(faults)
        try:
            return configured.change(connection, name, connection.config | config, actor=actor_of(request), request=plain(request))
        except configured.AlreadyThere:
            raise Conflict("The instance reads this source already.") from None
        except Invalid as error:
            raise serializers.ValidationError({"config": [f"{name}: {words[0]}" for name, words in error.message_dict.items()]}) from None

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
