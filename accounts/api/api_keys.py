"""One's own API keys."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from aaperture.lib.api.answers import plain
from aaperture.lib.api.pagination import NumberedPages
from aaperture.lib.api.serializers import Strict
from aaperture.lib.api.views import ApiView
from accounts import step_up
from accounts.api.users import actor_of
from accounts.models import ApiKey
from accounts.services import api_keys


class ApiKeySerializer(serializers.ModelSerializer):
    class Meta:
        model = ApiKey
        fields = ["id", "name", "prefix", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at"]
        read_only_fields = fields


class NewApiKey(Strict):
    name = serializers.CharField(max_length=80)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=ApiKey.Scope.values), min_length=1, max_length=2)
    days = serializers.IntegerField(min_value=1, max_value=api_keys.MOST_DAYS, default=90, help_text="How long it works.")


class MadeApiKey(ApiKeySerializer):
    key = serializers.CharField(help_text="Shown this once.")
    signing_secret = serializers.CharField(help_text="Shown this once; signs critical calls, see docs/api.md.")

    class Meta(ApiKeySerializer.Meta):
        fields = [*ApiKeySerializer.Meta.fields, "key", "signing_secret"]


class NewSecret(serializers.Serializer):
    signing_secret = serializers.CharField(help_text="Shown this once; the one before works for another 24 hours.")


def own_keys(request: Request) -> QuerySet[ApiKey]:
    return ApiKey.objects.filter(user=actor_of(request)).defer("signing_secret", "previous_secret")


class ApiKeys(ApiView):
    serializer_class = ApiKeySerializer
    pagination_class = NumberedPages
    orderings = {"-created_at": "-created_at", "expires_at": "expires_at"}
    critical = True

    @extend_schema(responses=ApiKeySerializer(many=True))
    def get(self, request: Request) -> Response:
        """Your keys, revoked and expired ones too."""
        return self.listed(own_keys(request))

    @extend_schema(request=NewApiKey, responses={201: MadeApiKey})
    def post(self, request: Request) -> Response:
        """Make a key. Needs a step-up; its text and its signing secret are shown this once."""
        given = self.validated(request, NewApiKey)
        inner = plain(request)
        step_up.require(inner)
        key, raw, secret = api_keys.create(actor_of(request), request=inner, **given)
        return Response(ApiKeySerializer(key).data | {"key": raw, "signing_secret": secret}, status=201)


class OneKey(ApiView):
    serializer_class = ApiKeySerializer
    critical = True

    def key(self, request: Request, pk: UUID) -> Any:
        return get_object_or_404(own_keys(request), pk=pk)


class ApiKeyDetail(OneKey):
    def get(self, request: Request, pk: UUID) -> Response:
        """One of your keys, without its text."""
        return Response(ApiKeySerializer(self.key(request, pk)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: UUID) -> Response:
        """Revoke it at once. The row stays, to show that it was there."""
        api_keys.revoke(self.key(request, pk), actor=actor_of(request), request=plain(request))
        return Response(status=204)


class ApiKeySecret(OneKey):
    @extend_schema(request=None, responses={201: NewSecret})
    def post(self, request: Request, pk: UUID) -> Response:
        """A new signing secret. Needs a step-up; the one before is accepted for another 24 hours."""
        inner, key = plain(request), self.key(request, pk)
        step_up.require(inner)
        secret = api_keys.rotate_signing_secret(key, actor=actor_of(request), request=inner)
        return Response({"signing_secret": secret}, status=201)
