"""Where one is signed in: browsers and programs."""

import hashlib
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from aaperture.lib.api.answers import plain
from aaperture.lib.api.pagination import NumberedPages
from aaperture.lib.api.views import ApiView
from accounts.api.users import actor_of
from accounts.models import ApiSession, Session, User
from accounts.services import sessions
from vault.errors import SealedDataError

MOST = 200


class SessionSerializer(serializers.Serializer):
    id = serializers.UUIDField(help_text="Not the key by which the session is held.")
    kind = serializers.ChoiceField(choices=["web", "api"])
    created_at = serializers.DateTimeField()
    seen_at = serializers.DateTimeField()
    address = serializers.CharField(allow_blank=True)
    agent = serializers.CharField(allow_blank=True)
    current = serializers.BooleanField(help_text="Whether it is the one this call came by.")


def name_of(session: Session | ApiSession) -> UUID:
    """A web session's key is the way in, so it is named by a digest of it."""
    if isinstance(session, ApiSession):
        return session.pk
    return UUID(bytes=hashlib.sha256(f"session|{session.pk}".encode()).digest()[:16], version=8)


def open_sessions(user: User) -> list[Session | ApiSession]:
    now = timezone.now()
    web = Session.objects.filter(user=user, expire_date__gt=now).order_by("-seen_at")[:MOST]
    api = ApiSession.objects.filter(user=user, ended_at=None, expires_at__gt=now).order_by("-seen_at")[:MOST]
    return sorted([*web, *api], key=_seen, reverse=True)


def _seen(session: Session | ApiSession) -> datetime:
    return session.seen_at


def _opened(session: Session | ApiSession, field: str) -> str:
    try:
        return getattr(session, field) or ""
    except SealedDataError:
        return ""


class Sessions(ApiView):
    serializer_class = SessionSerializer
    pagination_class = NumberedPages

    @extend_schema(responses=SessionSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Your open sessions, the one used last first."""
        page = self.paginate_queryset(open_sessions(actor_of(request)))  # type: ignore[arg-type]
        return self.get_paginated_response([self._row(request, session) for session in page or []])

    def _row(self, request: Request, session: Session | ApiSession) -> dict[str, Any]:
        row = {"id": name_of(session), "kind": "api" if isinstance(session, ApiSession) else "web", "created_at": session.created_at}
        row |= {"seen_at": session.seen_at, "address": _opened(session, "address"), "agent": _opened(session, "agent")}
        return SessionSerializer(row | {"current": session == request.auth}).data


class SessionDetail(ApiView):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: UUID) -> Response:
        """End one of your sessions at once."""
        user = actor_of(request)
        found = next((session for session in open_sessions(user) if name_of(session) == pk), None)
        if found is None:
            raise Http404
        sessions.end_session(found, actor=user, request=plain(request))
        return Response(status=204)
