"""The operator console of pipelines. Of personal connections staff see status and counts, never more."""

from typing import Any, cast

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from aaperture.lib.console import ConsoleModelAdmin, ReadOnlyAdmin, console
from accounts.models import User
from integrations.models import Connection, Pipeline, Run, RunEvent, Transformation
from integrations.services import connections, definitions

TONES = {
    "active": "ok", "succeeded": "ok", "needs_reauth": "danger", "failed": "danger", "error": "danger",
    "partial": "warn", "running": "info", "queued": "info", "paused": "info",
}  # fmt: skip


def operator(request: HttpRequest) -> User:
    """The console lets nobody in who is not signed in."""
    return cast("User", request.user)


def status_badge(row: Any) -> str:
    return format_html('<span class="badge {}">{}</span>', TONES.get(row.status, ""), row.get_status_display())


@admin.register(Connection, site=console)
class ConnectionAdmin(ReadOnlyAdmin):
    page = "pages.connectors"
    list_display = ["created_at", "provider", "kind", "state", "error_code", "last_synced_at", "id"]
    list_display_links = ["created_at"]
    list_filter = ["provider", "status"]
    fields = ["id", "provider", "kind", "state", "error_code", "expires_at", "last_synced_at", "created_at"]
    actions = ["test"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Connection]:
        return super().get_queryset(request).defer("access_token", "refresh_token")

    @admin.display(description=_("belongs to"))
    def kind(self, row: Connection) -> str:
        return str(_("a member") if row.owner_id else _("the instance"))

    @admin.display(description=_("status"), ordering="status")
    def state(self, row: Connection) -> str:
        return status_badge(row)

    def has_test_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("integrations.test_connection")

    @admin.action(description=_("Test connections of the instance"), permissions=["test"])
    def test(self, request: HttpRequest, queryset: QuerySet[Connection]) -> None:
        instance = list(queryset.filter(owner=None))
        working = sum(not connections.check_connection(row, actor=operator(request)) for row in instance)
        self.message_user(
            request, _("%(working)d of %(all)d answer. A member's own can be tested by its owner only.")
            % {"working": working, "all": len(instance)}
        )  # fmt: skip


@admin.register(Transformation, site=console)
class TransformationAdmin(ConsoleModelAdmin):
    page = "pages.transformations"
    list_display = ["name", "version", "created_at"]
    search_fields = ["name"]
    fields = ["name", "version", "steps"]
    readonly_fields = ["version"]

    def save_model(self, request: HttpRequest, obj: Transformation, form: Any, change: bool) -> None:
        definitions.save_transformation(obj, actor=operator(request), request=request)

    def delete_model(self, request: HttpRequest, obj: Transformation) -> None:
        definitions.delete_transformation(obj, actor=operator(request), request=request)


@admin.register(Pipeline, site=console)
class PipelineAdmin(ConsoleModelAdmin):
    page = "pages.pipelines"
    list_display = ["name", "connection", "state", "enabled", "schedule", "next_run_at"]
    list_filter = ["enabled", "destination"]
    list_select_related = ["connection"]
    raw_id_fields = ["connection"]
    fields = [
        "name", "connection", "transformation", "destination", "enabled", "schedule", "next_run_at",
        "max_messages", "max_seconds",
    ]  # fmt: skip
    actions = ["execute"]

    @admin.display(description=_("connection status"), ordering="connection__status")
    def state(self, row: Pipeline) -> str:
        return status_badge(row.connection)

    def get_readonly_fields(self, request: HttpRequest, obj: Pipeline | None = None) -> list[str]:
        """Of a member's own pipeline staff set when and how much, never what is read or what is done to it."""
        if obj is None:
            return []
        return ["connection", "destination", *(["name", "transformation"] if obj.connection.owner_id else [])]

    def has_delete_permission(self, request: HttpRequest, obj: Pipeline | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and obj.connection.owner_id)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "connection":
            kwargs["queryset"] = Connection.objects.filter(owner=None)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Pipeline, form: Any, change: bool) -> None:
        definitions.save_pipeline(obj, fields=form.changed_data, actor=operator(request), request=request)

    def delete_model(self, request: HttpRequest, obj: Pipeline) -> None:
        definitions.delete_pipeline(obj, actor=operator(request), request=request)

    def has_execute_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("integrations.execute_pipeline")

    @admin.action(description=_("Run pipelines of the instance now"), permissions=["execute"])
    def execute(self, request: HttpRequest, queryset: QuerySet[Pipeline]) -> None:
        count = definitions.execute_for_instance(queryset, actor=operator(request), request=request)
        words = ngettext("%d run queued.", "%d runs queued.", count) % count
        self.message_user(request, f"{words} {_('A member’s own pipeline is run by its owner only.')}")


class RunEventInline(admin.TabularInline):
    model = RunEvent
    fields = ("at", "level", "code", "text")
    readonly_fields = fields
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Run, site=console)
class RunAdmin(ReadOnlyAdmin):
    list_display = ["queued_at", "pipeline", "state", "trigger", "stop_reason", "read", "kept", "failed", "id"]
    list_display_links = ["queued_at"]
    list_filter = ["status", "trigger"]
    list_select_related = ["pipeline"]
    fields = [
        "id", "pipeline", "state", "trigger", "stop_reason", "counts", "heartbeat_at",
        "queued_at", "started_at", "finished_at",
    ]  # fmt: skip
    inlines = [RunEventInline]

    @admin.display(description=_("status"), ordering="status")
    def state(self, row: Run) -> str:
        return status_badge(row)

    @admin.display(description=_("read"))
    def read(self, row: Run) -> int:
        return row.counts.get("read", 0)

    @admin.display(description=_("kept"))
    def kept(self, row: Run) -> int:
        return row.counts.get("kept", 0)

    @admin.display(description=_("failed"))
    def failed(self, row: Run) -> int:
        return row.counts.get("failed", 0)
