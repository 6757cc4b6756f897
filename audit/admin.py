from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from aaperture.lib.console import ReadOnlyAdmin, console
from audit.actions import ACTIONS
from audit.models import Activity
from audit.services import opened_or_empty


class ActionFilter(admin.SimpleListFilter):
    title = _("action")
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(action, action) for action in ACTIONS]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(action=self.value()) if self.value() in ACTIONS else queryset


@admin.register(Activity, site=console)
class ActivityAdmin(ReadOnlyAdmin):
    """Newest first; who, what and on what by id. Address and agent are opened on the detail page only."""

    list_display = ["recorded_at", "action", "actor_kind", "actor_id", "target_type", "target_id", "credential"]
    list_display_links = ["recorded_at"]
    list_filter = [ActionFilter]
    search_fields = ["=actor_id", "=target_id"]
    ordering = ["-recorded_at", "-id"]
    fields = [
        "recorded_at", "action", "actor_kind", "actor_id", "origin_address", "origin_agent", "credential", "target_type", "target_id",
        "organization_id", "request_id", "details",
    ]  # fmt: skip
    readonly_fields = ["origin_address", "origin_agent"]
    search_help_text = _("Search by the id of a person or of an object.")

    @admin.display(description=_("address"))
    def origin_address(self, activity: Activity) -> str:
        return opened_or_empty(activity, "address") or "–"

    @admin.display(description=_("browser or program"))
    def origin_agent(self, activity: Activity) -> str:
        return opened_or_empty(activity, "agent") or "–"
