"""Open sessions: whose, since when, of which kind. Addresses and programs are their owner's to see.

A browser session's key is the way in, so it never stands in a page or an address: rows are named by person and digest.
"""

import hashlib
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from aaperture.lib.console import console
from accounts.admin.columns import badge
from accounts.admin.ending import EndingAdmin, operator
from accounts.models import ApiSession, Session
from accounts.services import sessions


def _begun(session: Session | ApiSession) -> str:
    """On the reader's clock, as the list has it."""
    return date_format(timezone.localtime(session.created_at), "DATETIME_FORMAT")


def _digest(session: Session) -> str:
    return hashlib.sha256(session.session_key.encode()).hexdigest()[:32]


@admin.register(Session, site=console)
class SessionAdmin(EndingAdmin):
    end_label = _("End session")
    end_question = _("They are signed out in this browser at once. They can sign in again.")
    end_done = _("Session ended.")
    actions = None
    list_display = ["whose", "method_shown", "created_at", "seen_at", "expire_date"]
    list_display_links = None
    list_select_related = ["user"]
    search_fields = ["user__email"]
    ordering = ["-seen_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Session]:
        rows = super().get_queryset(request).filter(expire_date__gt=timezone.now()).exclude(user=None)
        return rows.defer("session_data", "address", "agent")

    @admin.display(description=_("kind"), ordering="method")
    def method_shown(self, session: Session) -> SafeString:
        return badge(session.method or _("browser"))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_view_permission(request)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> None:
        """No page of a single one."""
        raise Http404

    def key_of(self, row: Session) -> str:
        return f"{row.user_id}-{_digest(row)}"

    def row_of(self, request: HttpRequest, key: str) -> Session | None:
        person, _dash, digest = key.rpartition("-")
        try:
            rows = self.get_queryset(request).filter(user=UUID(person)).select_related("user")
        except ValueError:
            return None
        return next((row for row in rows if _digest(row) == digest), None)

    def said(self, row: Session) -> str:
        return _begun(row)

    def is_open(self, row: Session) -> bool:
        return True

    def end(self, request: HttpRequest, row: Session) -> None:
        sessions.end_session(row, actor=operator(request), request=request, reason="staff")


@admin.register(ApiSession, site=console)
class ApiSessionAdmin(EndingAdmin):
    end_label = _("End session")
    end_question = _("Its tokens stop working at once, and so does whatever uses them.")
    end_done = _("Session ended.")
    list_display = ["created_at", "whose", "state", "second_factor", "seen_at", "expires_at"]
    list_select_related = ["user"]
    search_fields = ["user__email"]
    ordering = ["-seen_at"]
    fields = ["user", "state", "second_factor", "created_at", "seen_at", "expires_at", "ended_at", "end_reason"]
    readonly_fields = ["user", "state", "second_factor", "created_at", "seen_at", "expires_at", "ended_at", "end_reason"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiSession]:
        return super().get_queryset(request).select_related("user").defer("address", "agent")

    @admin.display(description=_("status"))
    def state(self, session: ApiSession) -> SafeString:
        if session.ended_at:
            return badge(_("ended"), "warn")
        return badge(_("open"), "ok") if session.expires_at > timezone.now() else badge(_("expired"))

    def said(self, row: ApiSession) -> str:
        return _begun(row)

    def is_open(self, row: ApiSession) -> bool:
        return row.ended_at is None and row.expires_at > timezone.now()

    def end(self, request: HttpRequest, row: ApiSession) -> None:
        sessions.end_session(row, actor=operator(request), request=request, reason="staff")
