from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html_join
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from aaperture.lib.big_lists import BigListMixin
from aaperture.lib.console import ReadOnlyAdmin, console
from aaperture.lib.nudge import nudge
from accounts.admin.ending import operator
from integrations.admin.columns import status_badge
from integrations.admin.dry_page import dry_page
from integrations.errors import NotConnected
from integrations.models import Pipeline, Run, RunEvent
from integrations.services import definitions, pipelines
from integrations.tasks import execute_run
from integrations.wording import EVENTS, STOP_REASONS_FOR_STAFF

COUNTS = {
    "listed": _("seen"), "known": _("known already"), "read": _("read"), "kept": _("kept"), "created": _("new"), "updated": _("changed"),
    "duplicates": _("the same again"), "gone": _("gone"), "failed": _("failed"), "quarantined": _("left alone"),
}  # fmt: skip


class PipelineFilter(admin.SimpleListFilter):
    """Pipelines of the instance."""

    title = _("pipeline")
    parameter_name = "pipeline"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        own = Pipeline.objects.filter(connection__owner=None).order_by("name")
        return [(str(pk), name) for pk, name in own.values_list("pk", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        try:
            return queryset.filter(pipeline_id=UUID(self.value())) if self.value() else queryset
        except ValueError:
            return queryset.none()


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
    list_filter = ["status", "trigger", PipelineFilter]
    list_select_related = ["pipeline"]
    actions = ["run_again", "cancel"]
    fields = [
        "id", "pipeline", "transformation_version", "state", "trigger", "why", "told", "not_kept", "heartbeat_at",
        "queued_at", "started_at", "finished_at",
    ]  # fmt: skip
    inlines = [RunEventInline]

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("start/<uuid:pipeline_id>/", view(self.start_view), name="integrations_run_start"),
            path("dry/<uuid:pipeline_id>/", view(self.dry_view), name="integrations_run_dry"),
            path("<uuid:run_id>/cancel/", view(self.cancel_view), name="integrations_run_cancel"),
            *super().get_urls(),
        ]

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        row = self.get_object(request, object_id)
        acts = self._acts(row) if row and row.pipeline.connection.owner_id is None and self.has_execute_permission(request) else []
        return super().change_view(request, object_id, form_url, {"acts": acts, **(extra_context or {})})

    def _acts(self, row: Run) -> list[tuple[Any, str]]:
        if row.is_live:
            return [(_("Stop"), reverse("admin:integrations_run_cancel", args=[row.pk]))]
        return [(_("Run again"), reverse("admin:integrations_run_start", args=[row.pipeline_id]))]

    def _of_the_instance(self, request: HttpRequest, pipeline_id: UUID) -> Pipeline:
        """Executors have no page of pipelines and run them all the same; a member's own is run by its owner only."""
        if not self.has_execute_permission(request):
            raise PermissionDenied
        rows = Pipeline.objects.select_related("connection", "transformation", "pinned")
        row = get_object_or_404(rows, pk=pipeline_id)
        if row.connection.owner_id is not None:
            raise PermissionDenied
        return row

    def _back(self, request: HttpRequest, pipeline: Pipeline) -> str:
        if request.user.has_perm("pages.pipelines"):
            return reverse("admin:integrations_pipeline_change", args=[pipeline.pk])
        return reverse("admin:integrations_work")

    def start_view(self, request: HttpRequest, pipeline_id: UUID) -> HttpResponse:
        """Run it now; the run under way is joined."""
        pipeline = self._of_the_instance(request, pipeline_id)
        back = self._back(request, pipeline)
        if request.method == "POST":
            try:
                run = pipelines.start_run(pipeline, actor=operator(request), trigger=Run.Trigger.MANUAL, request=request)
            except NotConnected:
                self.message_user(request, _("Its connection cannot be read at the moment, so nothing runs."), "error")
                return redirect(back)
            nudge(execute_run, run.pk)
            return redirect("admin:integrations_run_change", run.pk)
        return self.operation_page(
            request, title=_("Run now"), button=_("Run now"), back=back, subjects=[{"id": pipeline.pk, "label": pipeline}],
            question=_("It reads from where it stopped the last time. A run that is under way already goes on instead."),
        )  # fmt: skip

    def cancel_view(self, request: HttpRequest, run_id: UUID) -> HttpResponse:
        run = get_object_or_404(Run.objects.select_related("pipeline__connection"), pk=run_id)
        self._of_the_instance(request, run.pipeline_id)
        if request.method == "POST":
            pipelines.cancel_run(run, actor=operator(request), request=request)
            return redirect("admin:integrations_run_change", run.pk)
        return self.operation_page(
            request, title=_("Stop"), button=_("Stop"), back=reverse("admin:integrations_run_change", args=[run.pk]),
            subjects=[{"id": run.pk, "label": run.pipeline}], question=_("What it has found until then is kept."),
        )  # fmt: skip

    def dry_view(self, request: HttpRequest, pipeline_id: UUID) -> HttpResponse:
        """What a run would do; nothing is written."""
        pipeline = self._of_the_instance(request, pipeline_id)
        context = dry_page(pipeline, operator(request), request) | self.admin_site.each_context(request)
        context |= {"title": _("Dry run"), "opts": self.opts, "back": self._back(request, pipeline)}
        return TemplateResponse(request, "integrations/admin_dry_run.html", context)

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

    @admin.display(description=_("counts"))
    def told(self, row: Run) -> str:
        """Those that are not nothing, in words."""
        found = [(words, row.counts.get(name)) for name, words in COUNTS.items() if row.counts.get(name)]
        return _listed(found)

    @admin.display(description=_("why something is not kept"))
    def not_kept(self, row: Run) -> str:
        reasons: list[tuple[str, int]] = sorted(row.counts.get("reasons", {}).items(), key=lambda pair: -pair[1])
        return _listed((gettext(words), number) for words, number in reasons)  # rows keep the English

    @admin.display(description=_("read"))
    def read(self, row: Run) -> int:
        return row.counts.get("read", 0)

    @admin.display(description=_("kept"))
    def kept(self, row: Run) -> int:
        return row.counts.get("kept", 0)

    @admin.display(description=_("failed"))
    def failed(self, row: Run) -> int:
        return row.counts.get("failed", 0)


def _listed(found: Iterable[tuple[Any, Any]]) -> str:
    """Each with its number, as the reader's language writes a colon."""
    return format_html_join(" · ", "{}", ((_("%(what)s: %(value)s") % {"what": what, "value": value},) for what, value in found)) or "–"
