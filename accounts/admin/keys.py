"""API keys: whose, what for, until when; never the key or its signing secret."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from aaperture.lib.console import console
from accounts.admin.columns import badge
from accounts.admin.ending import EndingAdmin, operator
from accounts.models import ApiKey
from accounts.services import api_keys


@admin.register(ApiKey, site=console)
class ApiKeyAdmin(EndingAdmin):
    end_label = _("Revoke")
    end_question = _("Whatever uses this key stops working at once. It cannot be switched on again.")
    end_done = _("Key revoked.")
    list_display = ["name", "whose", "prefix", "scopes_shown", "state", "expires_at", "last_used_at"]
    list_select_related = ["user"]
    search_fields = ["=prefix", "user__email"]
    ordering = ["-created_at"]
    fields = ["name", "user", "prefix", "scopes_shown", "state", "created_at", "expires_at", "last_used_at", "revoked_at"]
    readonly_fields = ["name", "user", "prefix", "scopes_shown", "state", "created_at", "expires_at", "last_used_at", "revoked_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        return super().get_queryset(request).select_related("user").defer("key_hash", "signing_secret", "previous_secret")

    @admin.display(description=_("scopes"))
    def scopes_shown(self, key: ApiKey) -> str:
        labels = dict(ApiKey.Scope.choices)
        return ", ".join(str(labels.get(scope, scope)) for scope in key.scopes)

    @admin.display(description=_("status"))
    def state(self, key: ApiKey) -> SafeString:
        if key.revoked_at:
            return badge(_("revoked"), "danger")
        return badge(_("expired"), "warn") if key.expires_at <= timezone.now() else badge(_("valid"), "ok")

    def is_open(self, row: ApiKey) -> bool:
        return row.revoked_at is None

    def end(self, request: HttpRequest, row: ApiKey) -> None:
        api_keys.revoke(row, actor=operator(request), request=request)
