"""The operator console of pipelines. Of personal connections staff see status and counts, never more."""

from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from aaperture.lib.big_lists import BigListMixin
from aaperture.lib.console import ConsoleModelAdmin, ReadOnlyAdmin, console
from accounts.models import User
from integrations.connectors import CONNECTORS
from integrations.models import Connection, Pipeline, Run, RunEvent, Transformation
from integrations.services import connections, definitions, pipelines
from integrations.services.connections import AlreadyPending

TONES = {
    "active": "ok", "succeeded": "ok", "needs_reauth": "danger", "failed": "danger", "error": "danger",
    "partial": "warn", "running": "info", "queued": "info", "paused": "info",
}  # fmt: skip


def operator(request: HttpRequest) -> User:
    """The console lets nobody in who is not signed in."""
    return cast("User", request.user)


def status_badge(row: Any) -> str:
    return format_html('<span class="badge {}">{}</span>', TONES.get(row.status, ""), row.get_status_display())


class InstanceConnectionForm(forms.Form):
    provider = forms.ChoiceField(label=_("Provider"), choices=[(name, name) for name in CONNECTORS])
    account_email = forms.EmailField(label=_("Account’s e-mail address"), max_length=254)


class TryForm(forms.Form):
    sender = forms.CharField(label=_("From"), max_length=320)
    subject = forms.CharField(label=_("Subject"), max_length=500)
    text = forms.CharField(label=_("Text"), max_length=10_000, widget=forms.Textarea(attrs={"rows": 6}))


@admin.register(Connection, site=console)
class ConnectionAdmin(ConsoleModelAdmin):
    """Those of the instance are made, readdressed and withdrawn here; a member's own is theirs alone."""

    page = "pages.connectors"
    list_display = ["created_at", "provider", "kind", "state", "error_code", "last_synced_at", "id"]
    list_display_links = ["created_at"]
    list_filter = ["provider", "status"]
    fields = ["id", "provider", "kind", "state", "error_code", "expires_at", "last_synced_at", "created_at"]
    readonly_fields = ["id", "provider", "kind", "state", "error_code", "expires_at", "last_synced_at", "created_at"]
    actions = ["test"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Connection]:
        return super().get_queryset(request).defer("access_token", "refresh_token")

    @admin.display(description=_("belongs to"))
    def kind(self, row: Connection) -> str:
        return str(_("a member") if row.owner_id else _("the instance"))

    @admin.display(description=_("status"), ordering="status")
    def state(self, row: Connection) -> str:
        return status_badge(row)

    def has_change_permission(self, request: HttpRequest, obj: Connection | None = None) -> bool:
        waits = obj is None or (obj.owner_id is None and obj.status == Connection.Status.PENDING)
        return waits and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Connection | None = None) -> bool:
        gone = obj is not None and (obj.owner_id is not None or obj.status == Connection.Status.REVOKED)
        return not gone and super().has_delete_permission(request)

    def get_fields(self, request: HttpRequest, obj: Connection | None = None) -> list[Any]:
        return [*(self.fields or []), *(["account_email"] if obj and self.has_change_permission(request, obj) else [])]

    def save_model(self, request: HttpRequest, obj: Connection, form: Any, change: bool) -> None:
        connections.readdress(obj, account_email=form.cleaned_data["account_email"], actor=operator(request), request=request)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = InstanceConnectionForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                row = connections.add_instance_connection(actor=operator(request), request=request, **form.cleaned_data)
            except AlreadyPending:
                form.add_error("account_email", _("This account waits to be authorised already."))
            else:
                return redirect("admin:integrations_connection_change", row.pk)
        return self.operation_page(
            request, title=_("Add a connection of the instance"), form=form, button=_("Add"),
            question=_("It waits until the account’s owner authorises it."), back=reverse("admin:integrations_connection_changelist"),
        )  # fmt: skip

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        row = self.get_object(request, object_id)
        if row is None or not self.has_delete_permission(request, row):
            raise PermissionDenied
        if request.method == "POST":
            connections.disconnect(row, actor=operator(request), request=request)
            self.message_user(request, _("Disconnected."))
            return redirect("admin:integrations_connection_changelist")
        return self.operation_page(
            request, title=_("Disconnect"), subjects=[{"id": row.pk, "label": row, "note": row.get_status_display()}], danger=True,
            question=_("Its tokens are deleted here and withdrawn at the provider; what runs with it stops."), button=_("Disconnect"),
            back=reverse("admin:integrations_connection_change", args=[row.pk]),
        )  # fmt: skip

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
    actions = ["execute"]

    def has_execute_permission(self, request: HttpRequest) -> bool:
        return self.has_page(request) and request.user.has_perm("integrations.execute_transformation")

    @admin.action(description=_("Run the instance’s pipelines that use them"), permissions=["execute"])
    def execute(self, request: HttpRequest, queryset: QuerySet[Transformation]) -> None:
        using = Pipeline.objects.filter(transformation__in=queryset).select_related("connection")
        count = definitions.execute_for_instance(using, actor=operator(request), request=request)
        self.message_user(request, ngettext("%d run queued.", "%d runs queued.", count) % count)

    def has_try_permission(self, request: HttpRequest) -> bool:
        return self.has_page(request) and request.user.has_perm("integrations.test_transformation")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.try_view)
        return [path("<uuid:row_id>/try/", view, name="integrations_transformation_try"), *super().get_urls()]

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        row = self.get_object(request, object_id)
        acts = (
            [(_("Try it"), reverse("admin:integrations_transformation_try", args=[row.pk]))]
            if row and self.has_try_permission(request)
            else []
        )
        return super().change_view(request, object_id, form_url, {"acts": acts, **(extra_context or {})})

    def try_view(self, request: HttpRequest, row_id: UUID) -> HttpResponse:
        """What the steps make of a mail made up for the purpose; nothing is stored."""
        if not self.has_try_permission(request):
            raise PermissionDenied
        row = get_object_or_404(Transformation, pk=row_id)
        form = TryForm(request.POST or None)
        question: Any = _("Make up a mail, and see what the steps make of it. Nothing is stored.")
        if request.method == "POST" and form.is_valid():
            result = definitions.try_steps(row, **form.cleaned_data)
            question = (_("Kept: %(label)s.") if result["kept"] else _("Dropped: %(label)s.")) % {"label": result["label"] or "–"}
        back = reverse("admin:integrations_transformation_change", args=[row.pk])
        return self.operation_page(request, title=_("Try it"), question=question, form=form, button=_("Try it"), back=back)

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


class RunEventInline(admin.TabularInline):
    model = RunEvent
    fields = ("at", "level", "code", "text")
    readonly_fields = fields
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Run, site=console)
class RunAdmin(BigListMixin, ReadOnlyAdmin):
    keyset = ("queued_at", "id")
    list_display = ["queued_at", "pipeline", "state", "trigger", "stop_reason", "read", "kept", "failed", "id"]
    list_display_links = ["queued_at"]
    list_filter = ["status", "trigger"]
    list_select_related = ["pipeline"]
    actions = ["run_again", "cancel"]
    fields = [
        "id", "pipeline", "state", "trigger", "stop_reason", "counts", "heartbeat_at",
        "queued_at", "started_at", "finished_at",
    ]  # fmt: skip
    inlines = [RunEventInline]

    @admin.display(description=_("status"), ordering="status")
    def state(self, row: Run) -> str:
        return status_badge(row)

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
