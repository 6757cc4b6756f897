"""Where one is signed in: browsers and programs."""

from typing import Any
from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from aaperture.lib.api.answers import plain
from aaperture.lib.api.pagination import NumberedPages
from aaperture.lib.api.views import ApiView
from accounts import own_security
from accounts.api.users import actor_of
from accounts.services import sessions


class SessionSerializer(serializers.Serializer):
    id = serializers.UUIDField(help_text="Stands for the session and opens nothing.")
    kind = serializers.ChoiceField(choices=["web", "api"])
    program = serializers.CharField(allow_blank=True)
    address = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    seen_at = serializers.DateTimeField()
    current = serializers.BooleanField(help_text="Whether it is the one this call came by.")


def row(own: own_security.OwnSession) -> dict[str, Any]:
    found = {"id": UUID(own.reference), "kind": "api" if own.is_api else "web", "program": own.program, "address": own.address}
    return found | {"created_at": own.row.created_at, "seen_at": own.row.seen_at, "current": own.is_this}


class Sessions(ApiView):
    serializer_class = SessionSerializer
    pagination_class = NumberedPages

    @extend_schema(responses=SessionSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Your open sessions: this one first, then the one seen last."""
        found: Any = own_security.sessions_of(actor_of(request), plain(request))
        page = self.paginate_queryset(found) or []
        return self.get_paginated_response([SessionSerializer(row(own)).data for own in page])


class SessionDetail(ApiView):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: UUID) -> Response:
        """End one of your sessions at once."""
        user, inner = actor_of(request), plain(request)
        found = own_security.find_session(user, inner, pk.hex)
        if found is None:
            raise Http404
        sessions.end_session(found.row, actor=user, request=inner)
        return Response(status=204)
