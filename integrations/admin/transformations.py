import json
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from aaperture.lib.console import ConsoleModelAdmin, console
from integrations import trial
from integrations.admin.columns import operator
from integrations.models import Pipeline, Transformation
from integrations.services import definitions
from integrations.steps import MAIL, kind_of
from integrations.wording import LABELS

OUTCOMES = {trial.WENT_ON: (_("went on"), "ok"), trial.DROPPED: (_("dropped"), "warn"), trial.FAILED: (_("failed"), "danger")}


class TryMailForm(forms.Form):
    sender = forms.CharField(label=_("From"), max_length=320)
    subject = forms.CharField(label=_("Subject"), max_length=500)
    text = forms.CharField(label=_("Text"), max_length=10_000, widget=forms.Textarea(attrs={"rows": 6}))


class TryRecordForm(forms.Form):
    record = forms.JSONField(label=_("Record"), widget=forms.Textarea(attrs={"rows": 10}), help_text=_("A JSON object."))

    def clean_record(self) -> dict[str, Any]:
        record = self.cleaned_data["record"]
        if not isinstance(record, dict):
            raise ValidationError(_("Write a JSON object, in braces."))
        return record


def _shown(output: dict[str, Any]) -> str:
    return json.dumps(output, indent=2, ensure_ascii=False) if output else ""


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
        """What each step makes of something made up for the purpose; nothing is stored."""
        if not self.has_try_permission(request):
            raise PermissionDenied
        row = get_object_or_404(Transformation, pk=row_id)
        mail = kind_of(row.steps) == MAIL
        form = (TryMailForm if mail else TryRecordForm)(request.POST or None)
        found = None
        if request.method == "POST" and form.is_valid():
            found = trial.try_mail(row.steps, **form.cleaned_data) if mail else trial.try_record(row.steps, form.cleaned_data["record"])
        context = {
            **self.admin_site.each_context(request), "title": _("Try it"), "opts": self.opts, "form": form, "button": _("Try it"),
            "question": _("Make something up, and see what each step makes of it. Nothing is stored."),
            "back": reverse("admin:integrations_transformation_change", args=[row.pk]), "found": found,
            "told": [(one, OUTCOMES[one.outcome], _shown(one.output)) for one in found.steps] if found else [],
            "label": LABELS.get(found.label, found.label) if found else "",
        }  # fmt: skip
        return TemplateResponse(request, "integrations/admin_try.html", context)

    def save_model(self, request: HttpRequest, obj: Transformation, form: Any, change: bool) -> None:
        definitions.save_transformation(obj, actor=operator(request), request=request)

    def delete_model(self, request: HttpRequest, obj: Transformation) -> None:
        definitions.delete_transformation(obj, actor=operator(request), request=request)
