from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _

from aaperture.lib.console import ConsoleModelAdmin, console
from accounts.admin.ending import operator
from integrations.admin.columns import status_badge
from integrations.connectors import CONNECTORS
from integrations.forms import SettingsForm
from integrations.models import Connection
from integrations.services import configured, connections
from integrations.services.connections import AlreadyPending
from integrations.wording import CONNECTION_FAULTS


class InstanceConnectionForm(forms.Form):
    provider = forms.ChoiceField(label=_("Provider"), choices=[one for one in Connection.Provider.choices if one[0] in CONNECTORS])
    account_email = forms.EmailField(label=_("Account’s e-mail address"), max_length=254, required=False, help_text=_("Of a mailbox."))

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if "provider" in given and not CONNECTORS[given["provider"]].settings and not given.get("account_email"):
            self.add_error("account_email", _("Say whose mailbox it is."))
        return given


@admin.register(Connection, site=console)
class ConnectionAdmin(ConsoleModelAdmin):
    """Those of the instance are made, readdressed and withdrawn here; a member's own is theirs alone."""

    page = "pages.connectors"
    list_display = ["created_at", "provider", "name", "kind", "state", "fault"]
    list_display_links = ["created_at"]
    list_filter = ["provider", "status"]
    fields = ["id", "provider", "name", "kind", "state", "fault", "expires_at", "last_synced_at", "created_at"]
    readonly_fields = ["id", "provider", "name", "kind", "state", "fault", "expires_at", "last_synced_at", "created_at"]
    actions = ["test"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Connection]:
        return super().get_queryset(request).defer("access_token", "refresh_token", "secret")

    @admin.display(description=_("belongs to"))
    def kind(self, row: Connection) -> str:
        return str(_("a member") if row.owner_id else _("the instance"))

    @admin.display(description=_("status"), ordering="status")
    def state(self, row: Connection) -> str:
        return status_badge(row)

    @admin.display(description=_("what is wrong"), ordering="error_code")
    def fault(self, row: Connection) -> Any:
        return CONNECTION_FAULTS.get(row.error_code, row.error_code) or "–"

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
            if CONNECTORS[form.cleaned_data["provider"]].settings:
                return redirect("admin:integrations_connection_configure", form.cleaned_data["provider"])
            try:
                row = connections.add_instance_connection(actor=operator(request), request=request, **form.cleaned_data)
            except AlreadyPending:
                form.add_error("account_email", _("This account waits to be authorised already."))
            else:
                return redirect("admin:integrations_connection_change", row.pk)
        return self.operation_page(
            request, title=_("Add a connection of the instance"), form=form, button=_("Add"),
            question=_("A mailbox waits until its owner authorises it; a source of records asks for its settings next."),
            back=reverse("admin:integrations_connection_changelist"),
        )  # fmt: skip

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("add/<slug:provider>/", view(self.configure_view), name="integrations_connection_configure"),
            path("<uuid:row_id>/settings/", view(self.settings_view), name="integrations_connection_settings"),
            *super().get_urls(),
        ]

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        row = self.get_object(request, object_id)
        told = row is not None and self.may_configure(request, row)
        acts = [(_("Settings"), reverse("admin:integrations_connection_settings", args=[row.pk]))] if row and told else []
        acts += self._acts(request, row) if row and row.owner_id is None and row.status != Connection.Status.REVOKED else []
        return super().change_view(request, object_id, form_url, {"acts": acts, **(extra_context or {})})

    def _acts(self, request: HttpRequest, row: Connection) -> list[tuple[Any, str]]:
        """What can be done with one that others bring things to."""
        holds = getattr(CONNECTORS.get(row.provider), "holds", "")
        if holds == "file" and request.user.has_perm("integrations.execute_pipeline"):
            return [(_("Bring a file"), reverse("integrations:file_add", args=[row.pk]))]
        if holds == "deliveries" and request.user.has_perm("integrations.change_connection"):
            return [(_("Address and secret"), reverse("integrations:hook_secret", args=[row.pk]))]
        return []

    def may_configure(self, request: HttpRequest, row: Connection) -> bool:
        """Its connector is told things, and it is the instance's."""
        told = row.owner_id is None and row.status != Connection.Status.REVOKED and CONNECTORS[row.provider].settings
        return bool(told) and self.has_page(request) and request.user.has_perm("integrations.change_connection")

    def configure_view(self, request: HttpRequest, provider: str) -> HttpResponse:
        """Make one of a source that nobody authorises."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if provider not in CONNECTORS or not CONNECTORS[provider].settings:
            raise Http404
        form = SettingsForm(request.POST or None, kind=CONNECTORS[provider])
        row = form.saved(lambda name, values: configured.add(provider, name, values, actor=operator(request), request=request))
        if row is not None:
            self.message_user(request, _("Added. Test it, and make a pipeline over it: nothing is read before."))
            return redirect("admin:integrations_connection_change", row.pk)
        return self.operation_page(
            request, title=_("Add a source of records"), form=form, button=_("Add"),
            question=_("It belongs to the instance. Once it is added, test it and make a pipeline over it: nothing is read before."),
            back=reverse("admin:integrations_connection_changelist"),
        )  # fmt: skip

    def settings_view(self, request: HttpRequest, row_id: UUID) -> HttpResponse:
        """Tell the connector something else."""
        row = get_object_or_404(Connection.objects.without_secrets(), pk=row_id)
        if not self.may_configure(request, row):
            raise PermissionDenied
        form = SettingsForm(request.POST or None, kind=CONNECTORS[row.provider], row=row)
        if form.saved(lambda name, values: configured.change(row, name, values, actor=operator(request), request=request)) is not None:
            self.message_user(request, _("Saved. Test it to see whether it answers."))
            return redirect("admin:integrations_connection_change", row.pk)
        return self.operation_page(
            request, title=_("Settings"), form=form, button=_("Save"), subjects=[{"id": row.pk, "label": row}],
            question=_("Leave the secret empty to keep it. Another address wants it given again."),
            back=reverse("admin:integrations_connection_change", args=[row.pk]),
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
