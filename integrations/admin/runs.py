from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from aaperture.lib.big_lists import BigListMixin
from aaperture.lib.console import ReadOnlyAdmin, console
from integrations.admin.columns import operator, status_badge
from integrations.models import Pipeline, Run, RunEvent
from integrations.services import definitions, pipelines
from integrations.wording import EVENTS, STOP_REASONS_FOR_STAFF


class RunEventInline(admin.TabularInline):
    model = RunEvent
    fields = ("at", "level", "words", "text")
    readonly_fields = fields
    extra = 0
    can_delete = False

    @admin.display(description=_("what"))
    def words(self, event: RunEvent) -> Any:
        return EVENTS.get(event.code, event.code)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Run, site=console)
class RunAdmin(BigListMixin, ReadOnlyAdmin):
    keyset = ("queued_at", "id")
    list_display = ["queued_at", "pipeline", "state", "trigger", "why", "read", "kept", "failed"]
    list_display_links = ["queued_at"]
    list_filter = ["status", "trigger"]
    list_select_related = ["pipeline"]
    actions = ["run_again", "cancel"]
    fields = [
        "id", "pipeline", "state", "trigger", "why", "counts", "heartbeat_at",
        "queued_at", "started_at", "finished_at",
    ]  # fmt: skip
    inlines = [RunEventInline]

    @admin.display(description=_("status"), ordering="status")
    def state(self, row: Run) -> str:
        return status_badge(row)

    @admin.display(description=_("why it ended"), ordering="stop_reason")
    def why(self, row: Run) -> Any:
        return STOP_REASONS_FOR_STAFF.get(row.stop_reason, row.stop_reason) if row.stop_reason else "–"

    def has_execute_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("integrations.execute_pipeline")

    @admin.action(description=_("Run again, those of the instance"), permissions=["execute"])
    def run_again(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        again = Pipeline.objects.filter(runs__in=queryset).select_related("connection").distinct()
        count = definitions.execute_for_instance(again, actor=operator(request), request=request)
        self.message_user(request, ngettext("%d run queued.", "%d runs queued.", count) % count)

    @admin.action(description=_("Cancel, those of the instance"), permissions=["execute"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        rows = [row for row in queryset.filter(pipeline__connection__owner=None) if row.is_live]
        for row in rows:
            pipelines.cancel_run(row, actor=operator(request), request=request)
        self.message_user(request, ngettext("%d run asked to stop.", "%d runs asked to stop.", len(rows)) % len(rows))

    @admin.display(description=_("read"))
    def read(self, row: Run) -> int:
        return row.counts.get("read", 0)

    @admin.display(description=_("kept"))
    def kept(self, row: Run) -> int:
        return row.counts.get("kept", 0)

    @admin.display(description=_("failed"))
    def failed(self, row: Run) -> int:
        return row.counts.get("failed", 0)
