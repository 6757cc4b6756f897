from difflib import SequenceMatcher
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from aaperture.lib.console import ConsoleModelAdmin, console
from accounts.admin.ending import operator
from integrations.admin.step_editor import Editor
from integrations.models import Pipeline, Transformation, TransformationVersion
from integrations.services import definitions
from integrations.step_kinds import lines
from integrations.steps import MAIL, RECORDS, kind_of

CHAINS = {MAIL: _("for mail"), RECORDS: _("for records")}
SAVE_FAULTS = {
    definitions.NameTaken: _("There is a transformation of that name already."),
    definitions.KindChanged: _("Pipelines run it on something else: make another transformation instead."),
    definitions.SavedMeanwhile: _(
        "Somebody has saved another version meanwhile. Yours is below and not saved: compare, then save it again."
    ),
}


class Change(NamedTuple):
    """A line of two versions laid over each other: kept, gone or new."""

    how: str
    text: str


def compared(before: list[str], after: list[str]) -> list[Change]:
    found = []
    for tag, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            found += [Change("same", line) for line in after[c:d]]
        else:
            found += [Change("gone", line) for line in before[a:b]] + [Change("new", line) for line in after[c:d]]
    return found


@admin.register(Transformation, site=console)
class TransformationAdmin(ConsoleModelAdmin):
    page = "pages.transformations"
    list_display = ["name", "made_for", "newest", "used_by", "created_at"]
    search_fields = ["name"]
    actions = ["execute"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Transformation]:
        return super().get_queryset(request).annotate(_pipelines=Count("pipelines"))

    @admin.display(description=_("made for"))
    def made_for(self, row: Transformation) -> Any:
        return CHAINS[kind_of(row.steps)]

    @admin.display(description=_("newest version"), ordering="version")
    def newest(self, row: Transformation) -> int:
        return row.version

    @admin.display(description=_("pipelines"), ordering="_pipelines")
    def used_by(self, row: Any) -> int:
        return row._pipelines

    def has_execute_permission(self, request: HttpRequest) -> bool:
        return self.has_page(request) and request.user.has_perm("integrations.execute_transformation")

    @admin.action(description=_("Run the instance’s pipelines that use them"), permissions=["execute"])
    def execute(self, request: HttpRequest, queryset: QuerySet[Transformation]) -> None:
        using = Pipeline.objects.filter(transformation__in=queryset.values("pk")).select_related("connection")
        count = definitions.execute_for_instance(using, actor=operator(request), request=request)
        self.message_user(request, ngettext("%d run queued.", "%d runs queued.", count) % count)

    def has_try_permission(self, request: HttpRequest) -> bool:
        return self.has_page(request) and request.user.has_perm("integrations.test_transformation")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        one, name = "<uuid:row_id>/versions/<int:number>", "integrations_transformation"
        return [
            path("<uuid:row_id>/versions/", view(self.versions_view), name=f"{name}_versions"),
            path(f"{one}/restore/", view(self.restore_view), name=f"{name}_restore"),
            path(f"{one}/json/", view(self.json_view), name=f"{name}_json"),
            *super().get_urls(),
        ]

    # --- the editor ---------------------------------------------------------------------------------------------------

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        if not self.has_add_permission(request):
            raise PermissionDenied
        chain = str(request.POST.get("chain") or request.GET.get("chain", ""))
        if chain not in CHAINS:
            context = {**self.admin_site.each_context(request), "title": _("Add a transformation"), "opts": self.opts}
            return TemplateResponse(request, "integrations/admin_chain.html", context)
        return self._edit(request, None, chain)

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        row = self.get_object(request, object_id)
        if row is None:
            return super().change_view(request, object_id, form_url, extra_context)  # which says so and leads back
        if self.has_change_permission(request, row):
            return self._edit(request, row, kind_of(row.steps))
        if request.method == "POST" or not self.has_view_permission(request, row):
            raise PermissionDenied
        return self._shown(request, row)

    def _edit(self, request: HttpRequest, row: Transformation | None, chain: str) -> HttpResponse:
        try:
            editor = Editor(request, row, chain)
        except ValidationError as error:
            raise Http404(str(error)) from None
        act = str(request.POST.get("act", "save")) if request.method == "POST" else ""
        if act in ("try", "fetch") and not self.has_try_permission(request):
            raise PermissionDenied
        saved = self._saved(request, editor, act) if act else None
        if saved is not None:
            self.message_user(request, _("Saved as version %(n)d.") % {"n": saved.version})
            return redirect("admin:integrations_transformation_change", saved.pk)
        return TemplateResponse(request, "integrations/admin_steps.html", self._context(request, editor))

    def _saved(self, request: HttpRequest, editor: Editor, act: str) -> Transformation | None:
        row = editor.press(act)
        if row is None:
            return None
        note = editor.head.cleaned_data["note"]
        try:
            based_on = editor.based_on if editor.row else None
            return definitions.save_transformation(row, actor=operator(request), request=request, note=note, based_on=based_on)
        except tuple(SAVE_FAULTS) as error:
            editor.draft.errors.append(str(SAVE_FAULTS[type(error)]))
            if isinstance(error, definitions.SavedMeanwhile):
                editor.based_on = Transformation.objects.values_list("version", flat=True).get(pk=row.pk)
            return None

    def _context(self, request: HttpRequest, editor: Editor) -> dict[str, Any]:
        row = editor.row
        name = Transformation.objects.values_list("name", flat=True).get(pk=row.pk) if row else ""
        return {
            **self.admin_site.each_context(request), "title": name or _("Add a transformation"), "opts": self.opts, "editor": editor,
            "original": row, "draft": editor.draft, "made_for": CHAINS[editor.chain], "may_try": self.has_try_permission(request),
            "acts": self._acts(request, row) if row else [], "used": self._used_by(row) if row else None,
            "back": reverse("admin:integrations_transformation_changelist"), "is_popup": False,
        }  # fmt: skip

    def _used_by(self, row: Transformation) -> dict[str, int]:
        """How many pipelines another version changes at once, and how many stay with theirs."""
        moving = Q(pinned=None)
        return row.pipelines.aggregate(
            newest=Count("pk", filter=moving), members=Count("pk", filter=moving & Q(connection__owner__isnull=False)),
            pinned=Count("pk", filter=~moving),
        )  # fmt: skip

    def _acts(self, request: HttpRequest, row: Transformation) -> list[tuple[Any, str]]:
        found = [
            (_("Versions"), reverse("admin:integrations_transformation_versions", args=[row.pk])),
            (_("Download as JSON"), reverse("admin:integrations_transformation_json", args=[row.pk, row.version])),
        ]
        if self.has_delete_permission(request, row):
            found.append((_("Delete"), reverse("admin:integrations_transformation_delete", args=[row.pk])))
        return found

    def _shown(self, request: HttpRequest, row: Transformation) -> HttpResponse:
        """For those who may look only."""
        context = {
            **self.admin_site.each_context(request), "title": row.name, "opts": self.opts, "original": row,
            "acts": self._acts(request, row), "lines": lines(kind_of(row.steps), row.steps), "made_for": CHAINS[kind_of(row.steps)],
            "used": self._used_by(row),
        }  # fmt: skip
        return TemplateResponse(request, "integrations/admin_steps_shown.html", context)

    # --- versions -----------------------------------------------------------------------------------------------------

    def _viewed(self, request: HttpRequest, row_id: UUID) -> Transformation:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return get_object_or_404(Transformation, pk=row_id)

    def versions_view(self, request: HttpRequest, row_id: UUID) -> HttpResponse:
        """Every version, who saved it and why, and any two laid over each other."""
        row = self._viewed(request, row_id)
        versions = list(row.versions.newest_first().annotate(pipelines_pinned=Count("pipelines")))
        numbers = {one.number: one for one in versions}
        newest = versions[0].number if versions else row.version
        new = numbers.get(_number(request.GET.get("new"), newest))
        old = numbers.get(_number(request.GET.get("old"), (new.number if new else newest) - 1))
        changes = compared(_lines(old), _lines(new)) if old and new else []
        context = {
            **self.admin_site.each_context(request), "title": _("Versions"), "opts": self.opts, "original": row, "versions": versions,
            "old": old, "new": new, "changes": changes, "may_restore": self.has_change_permission(request),
            "back": reverse("admin:integrations_transformation_change", args=[row.pk]),
        }  # fmt: skip
        return TemplateResponse(request, "integrations/admin_versions.html", context)

    def json_view(self, request: HttpRequest, row_id: UUID, number: int) -> HttpResponse:
        """The steps of a version as a file, to be loaded into another transformation."""
        version = get_object_or_404(self._viewed(request, row_id).versions, number=number)
        response = JsonResponse(version.steps, safe=False, json_dumps_params={"indent": 2, "ensure_ascii": False})
        name = f"{slugify(version.transformation.name) or 'steps'}-v{number}.json"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    def restore_view(self, request: HttpRequest, row_id: UUID, number: int) -> HttpResponse:
        row = self._viewed(request, row_id)
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        version = get_object_or_404(row.versions.select_related("transformation"), number=number)
        back = reverse("admin:integrations_transformation_versions", args=[row.pk])
        if request.method == "POST":
            try:
                saved = definitions.restore_version(version, actor=operator(request), request=request)
            except definitions.KindChanged as error:
                self.message_user(request, SAVE_FAULTS[type(error)], "error")
            else:
                self.message_user(request, _("Saved as version %(n)d.") % {"n": saved.version})
            return redirect(back)
        return self.operation_page(
            request, title=_("Restore a version"), button=_("Restore"), back=back, subjects=[{"id": version.pk, "label": version}],
            question=_("Its steps become a new version, the newest one. Nothing is lost: the present one stays in the history."),
        )  # fmt: skip

    def delete_model(self, request: HttpRequest, obj: Transformation) -> None:
        definitions.delete_transformation(obj, actor=operator(request), request=request)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Its versions go with it, though nobody deletes one by itself."""
        to_delete, counts, _lacking, protected = super().get_deleted_objects(objs, request)
        return to_delete, counts, set(), protected


def _lines(version: TransformationVersion | None) -> list[str]:
    return lines(kind_of(version.steps), version.steps) if version else []


def _number(text: Any, otherwise: int) -> int:
    return int(text) if str(text).isdecimal() and str(text).isascii() else otherwise
