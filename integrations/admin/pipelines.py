from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from aaperture.lib.console import ConsoleModelAdmin, console
from aaperture.lib.csv_safe import csv_response
from accounts.admin.ending import operator
from integrations.admin.columns import status_badge
from integrations.admin.pipeline_form import ConnectionField, PersonField, PipelineForm, asked_for, recipients, told, versions
from integrations.connectors import CONNECTORS, MailConnector
from integrations.models import Connection, Pipeline
from integrations.schedule import next_after
from integrations.services import datasets, definitions
from integrations.wording import DESTINATIONS

PREVIEW = {
    "hx-trigger": "change, input changed delay:300ms", "hx-target": "#schedule-told",
    "hx-include": "#id_schedule, #id_rhythm", "hx-swap": "innerHTML",
}  # fmt: skip
LABELS = {
    "name": _("Name"), "connection": _("Connection"), "transformation": _("Transformation"), "enabled": _("Switched on"),
    "max_messages": _("In one run"), "max_per_day": _("In one day"), "max_seconds": _("Seconds"), "keep_days": _("Days kept"),
    "schedule": _("Times of day"), "next_run_at": _("Next run"),
}  # fmt: skip
MAILS = {  # once the connection is known, so is what is read
    "max_messages": _("Mails read per run at most."),
    "max_per_day": _("Mails read per day (UTC) at most, by all runs together. Empty: no such limit."),
}
RECORDS = {
    "max_messages": _("Records read per run at most."),
    "max_per_day": _("Records read per day (UTC) at most, by all runs together. Empty: no such limit."),
}


@admin.register(Pipeline, site=console)
class PipelineAdmin(ConsoleModelAdmin):
    page = "pages.pipelines"
    form = PipelineForm
    change_form_template = "integrations/admin_pipeline.html"
    list_display = ["name", "connection", "state", "runs_version", "goes_to", "enabled", "schedule", "next_run_at"]
    list_filter = ["enabled", "destination"]
    list_select_related = ["connection", "transformation", "pinned"]
    fieldsets = [
        (None, {"fields": ["name", "connection", "transformation", "pinned", "destination", "recipient"]}),
        (_("When"), {"fields": ["enabled", "rhythm", "schedule", "when", "next_run_at"]}),
        (_("How much"), {"fields": ["max_messages", "max_per_day", "max_seconds", "keep_days"]}),
    ]
    actions = ["execute"]

    @admin.display(description=_("connection status"), ordering="connection__status")
    def state(self, row: Pipeline) -> str:
        return status_badge(row.connection)

    @admin.display(description=_("steps"))
    def runs_version(self, row: Pipeline) -> str:
        return str(row.pinned or row.transformation)

    @admin.display(description=_("destination"), ordering="destination")
    def goes_to(self, row: Pipeline) -> str:
        return str(DESTINATIONS.get(row.destination, row.destination))

    @admin.display(description=_("in words"))
    def when(self, row: Pipeline) -> str:
        return render_to_string("integrations/_when.html", {"told": told(row.schedule)})

    def get_readonly_fields(self, request: HttpRequest, obj: Pipeline | None = None) -> list[str]:
        """Of a member's own pipeline staff set the schedule and how much, never what is read, what is done to it, or that it runs now."""
        if obj is None:
            return ["when"]
        members = ["name", "transformation", "pinned", "recipient", "next_run_at", "keep_days"] if obj.connection.owner_id else []
        return ["when", "connection", "destination", *members]

    def get_fieldsets(self, request: HttpRequest, obj: Pipeline | None = None) -> Any:
        """Without the choice of a rhythm for those who may not change it."""
        if self.has_change_permission(request, obj) if obj else self.has_add_permission(request):
            return self.fieldsets
        return [(title, options | {"fields": [one for one in options["fields"] if one != "rhythm"]}) for title, options in self.fieldsets]

    def has_delete_permission(self, request: HttpRequest, obj: Pipeline | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and obj.connection.owner_id)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "connection":
            readable = Connection.objects.without_secrets().filter(owner=None, provider__in=CONNECTORS).order_by("name")
            kwargs |= {"queryset": readable, "form_class": ConnectionField}
        elif db_field.name == "pinned":
            kwargs |= {"queryset": versions(), "empty_label": _("Always the newest")}
        elif db_field.name == "recipient":
            current = getattr(request, "_pipeline_recipient", None)
            kwargs |= {"queryset": recipients(operator(request), current), "empty_label": _("Nobody"), "form_class": PersonField}
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in LABELS:
            kwargs["label"] = LABELS[db_field.name]
        if db_field.name == "destination":
            return forms.ChoiceField(label=_("Destination"), choices=list(DESTINATIONS.items()), initial=datasets.NAME)
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        for doing in ("add", "change", "delete", "view"):  # the transformation has a page of its own for all of that
            if field is not None and hasattr(field.widget, f"can_{doing}_related"):
                setattr(field.widget, f"can_{doing}_related", False)
        return field

    def get_form(self, request: HttpRequest, obj: Pipeline | None = None, change: bool = False, **kwargs: Any) -> Any:
        request._pipeline_recipient = obj.recipient if obj else None  # type: ignore[attr-defined]  # for the field above
        if obj is not None:
            reads_mail = issubclass(CONNECTORS[obj.connection.provider], MailConnector)
            kwargs["help_texts"] = MAILS if reads_mail else RECORDS
        form = super().get_form(request, obj, change, **kwargs)
        preview = PREVIEW | {"hx-get": reverse("admin:integrations_pipeline_when")}
        for name in ("schedule", "rhythm"):
            if name in form.base_fields:
                form.base_fields[name].widget.attrs.update(preview)
        return form

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("when/", view(self.when_view), name="integrations_pipeline_when"),
            path("<uuid:row_id>/export/", view(self.export_view), name="integrations_pipeline_export"),
            path("<uuid:row_id>/empty/", view(self.empty_view), name="integrations_pipeline_empty"),
            *super().get_urls(),
        ]

    def when_view(self, request: HttpRequest) -> HttpResponse:
        """What a schedule that is being written means."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        schedule = asked_for(request.GET.get("rhythm", ""), request.GET.get("schedule", ""))[:200]
        return render(request, "integrations/_schedule_told.html", {"told": told(schedule)})

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        row = self.get_object(request, object_id)
        acts = self._acts(request, row) if row and row.connection.owner_id is None else []
        return super().change_view(request, object_id, form_url, {"acts": acts, **(extra_context or {})})

    def _acts(self, request: HttpRequest, row: Pipeline) -> list[tuple[Any, str]]:
        """What may be done with it, and with what it keeps."""
        found: list[tuple[Any, str]] = []
        if self.has_execute_permission(request):
            found.append((_("Run now"), reverse("admin:integrations_run_start", args=[row.pk])))
            found.append((_("Dry run"), reverse("admin:integrations_run_dry", args=[row.pk])))
        if request.user.has_perm("integrations.view_run"):
            found.append((_("Runs"), reverse("admin:integrations_run_changelist", query={"pipeline": str(row.pk)})))
        if row.destination != datasets.NAME:
            return found
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
        timed = not change or {"schedule", "enabled"} & set(fields)  # a new one runs by the clock though nobody touched what it came with
        if timed and "next_run_at" not in fields:
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
