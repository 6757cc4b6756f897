from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from aaperture.lib.console import ConsoleModelAdmin, console
from aaperture.lib.csv_safe import csv_response
from integrations.admin.columns import operator, status_badge
from integrations.models import Connection, Pipeline
from integrations.schedule import next_after
from integrations.services import datasets, definitions
from integrations.wording import DESTINATIONS


@admin.register(Pipeline, site=console)
class PipelineAdmin(ConsoleModelAdmin):
    page = "pages.pipelines"
    list_display = ["name", "connection", "state", "destination", "enabled", "schedule", "next_run_at"]
    list_filter = ["enabled", "destination"]
    list_select_related = ["connection"]
    raw_id_fields = ["connection"]
    fields = [
        "name", "connection", "transformation", "destination", "enabled", "schedule", "next_run_at",
        "max_messages", "max_seconds", "keep_days",
    ]  # fmt: skip
    actions = ["execute"]

    @admin.display(description=_("connection status"), ordering="connection__status")
    def state(self, row: Pipeline) -> str:
        return status_badge(row.connection)

    def get_readonly_fields(self, request: HttpRequest, obj: Pipeline | None = None) -> list[str]:
        """Of a member's own pipeline staff set the schedule and how much, never what is read, what is done to it, or that it runs now."""
        if obj is None:
            return []
        return ["connection", "destination", *(["name", "transformation", "next_run_at", "keep_days"] if obj.connection.owner_id else [])]

    def has_delete_permission(self, request: HttpRequest, obj: Pipeline | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and obj.connection.owner_id)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "connection":
            kwargs["queryset"] = Connection.objects.filter(owner=None)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "destination":
            return forms.ChoiceField(label=_("Destination"), choices=list(DESTINATIONS.items()), initial=datasets.NAME)
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("<uuid:row_id>/export/", view(self.export_view), name="integrations_pipeline_export"),
            path("<uuid:row_id>/empty/", view(self.empty_view), name="integrations_pipeline_empty"),
            *super().get_urls(),
        ]

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        row = self.get_object(request, object_id)
        acts = self._acts(request, row) if row and row.destination == datasets.NAME and row.connection.owner_id is None else []
        return super().change_view(request, object_id, form_url, {"acts": acts, **(extra_context or {})})

    def _acts(self, request: HttpRequest, row: Pipeline) -> list[tuple[Any, str]]:
        """What may be done with what it keeps."""
        found: list[tuple[Any, str]] = []
        if request.user.has_perm("integrations.view_datasetrow"):
            listed = reverse("admin:integrations_datasetrow_changelist", query={"pipeline": str(row.pk)})
            found.append((_("Rows"), listed))
        if request.user.has_perm("operations.export_data"):
            found.append((_("Export rows"), reverse("admin:integrations_pipeline_export", args=[row.pk])))
        if self.has_delete_permission(request, row):
            found.append((_("Empty"), reverse("admin:integrations_pipeline_empty", args=[row.pk])))
        return found

    def _dataset(self, request: HttpRequest, row_id: UUID) -> Pipeline:
        if not self.has_page(request):
            raise PermissionDenied
        rows = Pipeline.objects.select_related("connection", "transformation").filter(destination=datasets.NAME)
        return get_object_or_404(rows, pk=row_id, connection__owner=None)

    def export_view(self, request: HttpRequest, row_id: UUID) -> HttpResponseBase:
        """The whole dataset as CSV."""
        row = self._dataset(request, row_id)
        datasets.record_export(row, actor=operator(request), request=request)
        header = [_("Id"), _("Kept since"), *datasets.columns(row)]
        return csv_response(f"dataset-{row.pk}.csv", [str(cell) for cell in header], datasets.lines(row))

    def empty_view(self, request: HttpRequest, row_id: UUID) -> HttpResponse:
        row = self._dataset(request, row_id)
        if not self.has_delete_permission(request, row):
            raise PermissionDenied
        back = reverse("admin:integrations_pipeline_change", args=[row.pk])
        if request.method == "POST":
            count = datasets.empty(row, actor=operator(request), request=request)
            self.message_user(request, ngettext("%d row deleted.", "%d rows deleted.", count) % count)
            return redirect(back)
        return self.operation_page(
            request, title=_("Empty the dataset"), button=_("Delete the rows"), back=back, danger=True,
            subjects=[{"id": row.pk, "label": row, "note": number_format(row.rows.count())}],
            question=_("Every row goes; the pipeline stays, and its next run reads what the source has."),
        )  # fmt: skip

    def save_model(self, request: HttpRequest, obj: Pipeline, form: Any, change: bool) -> None:
        fields = list(form.changed_data)
        if {"schedule", "enabled"} & set(fields) and "next_run_at" not in fields:
            obj.next_run_at = next_after(obj.schedule, timezone.now()) if obj.enabled else None
            fields.append("next_run_at")
        definitions.save_pipeline(obj, fields=fields, actor=operator(request), request=request)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """A pipeline's runs go with it, though nobody deletes a run by itself."""
        to_delete, counts, _lacking, protected = super().get_deleted_objects(objs, request)
        return to_delete, counts, set(), protected

    def delete_model(self, request: HttpRequest, obj: Pipeline) -> None:
        definitions.delete_pipeline(obj, actor=operator(request), request=request)

    def has_execute_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("integrations.execute_pipeline")

    @admin.action(description=_("Run pipelines of the instance now"), permissions=["execute"])
    def execute(self, request: HttpRequest, queryset: QuerySet[Pipeline]) -> None:
        count = definitions.execute_for_instance(queryset, actor=operator(request), request=request)
        words = ngettext("%d run queued.", "%d runs queued.", count) % count
        self.message_user(request, f"{words} {_('A member’s own pipeline is run by its owner only.')}")
