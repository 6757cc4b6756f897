"""The settings of the instance, and whether production admits developers."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from aaperture.lib.console import ConsoleModelAdmin, console
from accounts.admin.ending import operator
from accounts.models import InstanceSettings
from accounts.roles import Role
from accounts.services import developers, instance, users

PAGE = "admin:accounts_instancesettings_changelist"


class AdmitForm(forms.Form):
    hours = forms.IntegerField(label=_("Hours"), min_value=1, max_value=developers.LONGEST)


@admin.register(InstanceSettings, site=console)
class InstanceSettingsAdmin(ConsoleModelAdmin):
    page = "pages.maintenance"
    list_display = ["__str__", "registration_open", "premium_for", "developers_until", "updated_at"]
    fields = ["registration_open", "premium_for", "dev_role_hours", "developers_until"]
    readonly_fields = ["developers_until"]

    @admin.display(description=_("developers admitted until"))
    def developers_until(self, row: InstanceSettings) -> Any:
        return developers.admitted_until() or "–"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """How long developers are admitted for is not a developer's to say."""
        return [*self.readonly_fields, *([] if operator(request).role == Role.ADMIN else ["dev_role_hours"])]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_change_permission(request) and not InstanceSettings.objects.exists()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        changes = {name: form.cleaned_data[name] for name in form.changed_data}
        row = instance.change_settings(operator(request), changes, request)
        obj.pk = row.pk

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.developers_view)
        return [path("developers/", view, name="accounts_instancesettings_developers"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """There is one row, or none before the first change: its form, where a list would have nothing to choose from."""
        row = InstanceSettings.objects.first()
        if row is None and not self.has_add_permission(request):
            return super().changelist_view(request, extra_context)
        titled = {"title": _("Instance settings"), "subtitle": None, **(extra_context or {})}
        return self.changeform_view(request, str(row.pk) if row else None, extra_context=titled)

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:
        return super().get_model_perms(request) | {"add": False}

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> Any:
        context: dict[str, Any] = {"show_save_and_add_another": False, "show_save_and_continue": False}
        if operator(request).role == Role.ADMIN:
            context["acts"] = [(_("Developers in production"), reverse("admin:accounts_instancesettings_developers"))]
        return super().changeform_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def developers_view(self, request: HttpRequest) -> HttpResponse:
        """Admit developers for some hours, or end it. Administrators only."""
        actor = operator(request)
        if actor.role != Role.ADMIN or not self.has_page(request):
            raise PermissionDenied
        users.step_up(request)
        until = developers.admitted_until()
        if request.method == "POST" and "hours" not in request.POST:
            developers.stop(actor, request)
            self.message_user(request, _("Developers are no longer admitted."))
            return redirect(PAGE)
        form = AdmitForm(request.POST or None, initial={"hours": InstanceSettings.current().dev_role_hours})
        if request.method == "POST" and form.is_valid():
            try:
                developers.admit(actor, form.cleaned_data["hours"], request)
            except ValidationError as error:
                form.add_error("hours", error)
            else:
                self.message_user(request, _("Developers are admitted."))
                return redirect(PAGE)
        return self._ask_about_developers(request, None if until else form, until)

    def _ask_about_developers(self, request: HttpRequest, form: AdmitForm | None, until: Any) -> HttpResponse:
        if until:
            question = gettext("Developers are admitted until %(until)s UTC.") % {"until": f"{until:%Y-%m-%d %H:%M}"}
            button = _("End it now")
        else:
            question = gettext(
                "Production refuses developers. Admitted for some hours, each of their requests is put on record, and it ends by itself."
            )
            button = _("Admit developers")
        return self.operation_page(
            request,
            title=_("Developers in production"),
            question=question,
            form=form,
            button=button,
            back=reverse(PAGE),
            danger=bool(until),
        )
