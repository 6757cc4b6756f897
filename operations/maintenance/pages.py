"""The console's page of cleanups: what each would remove, when it runs, what came of it last."""

from typing import Any, NamedTuple

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from aaperture.lib.console import console
from aaperture.lib.fragments import part_of
from aaperture.lib.nudge import nudge
from accounts.admin.ending import operator
from accounts.http import UserRequest
from operations.maintenance.cleanups import ALL, CLEANUPS, Cleanup, dry_run
from operations.maintenance.models import CleanupRun, MaintenanceJob
from operations.services import maintenance
from operations.services.maintenance import PERMISSION
from operations.tasks import clean_up

PAGE = "admin:operations_cleanups"
SITE_PAGE = "pages.maintenance"


class Line(NamedTuple):
    """One cleanup of the table; `counts` are those of its latest run, in words."""

    name: str
    cleanup: Cleanup
    job: MaintenanceJob
    latest: CleanupRun | None
    counts: list[tuple[Any, int]]


class ScheduleForm(forms.ModelForm):
    class Meta:
        model = MaintenanceJob
        fields = ("schedule",)


def state() -> dict[str, Any]:
    """What the page and its fragment show."""
    newest = {run.name: run for run in CleanupRun.objects.order_by("name", "-asked_at").distinct("name")}
    jobs = maintenance.jobs()
    lines = [Line(name, one, jobs[name], newest.get(name), _in_words(name, newest.get(name))) for name, one in CLEANUPS.items()]
    return {"lines": lines, "is_live": any(run.is_live for run in newest.values()), "all": ALL}


def _in_words(name: str, run: CleanupRun | None) -> list[tuple[Any, int]]:
    return [(words, run.counts[key]) for key, (words, _sweep) in CLEANUPS[name].sweeps.items() if run.counts.get(key)] if run else []


def cleanups_view(request: HttpRequest) -> HttpResponse:
    require_page(request)
    for asked, page in (("start", _start), ("schedule", _schedule)):
        if name := request.GET.get(asked):
            if name not in CLEANUPS:
                raise Http404
            return page(request, name)
    context = {**console.each_context(request), "title": _("Cleanups"), **state()}
    return TemplateResponse(request, "operations/cleanups.html", context)


def require_page(request: HttpRequest) -> None:
    if not request.user.has_perm(SITE_PAGE):
        raise PermissionDenied


def _start(request: HttpRequest, name: str) -> HttpResponse:
    """First what would go, then the button."""
    if request.method == "POST":
        nudge(clean_up, maintenance.ask(name, operator(request), request).pk)
        messages.success(request, _("The cleanup goes on in the background."))
        return redirect(PAGE)
    cleanup = CLEANUPS[name]
    counts = dry_run(name)
    lines = [(words, counts[key], key == "tables") for key, (words, _sweep) in cleanup.sweeps.items() if counts[key]]
    title = gettext("Clean up: %(what)s") % {"what": cleanup.label}
    context = {**console.each_context(request), "title": title, "cleanup": cleanup, "lines": lines, "back": reverse(PAGE)}
    return TemplateResponse(request, "operations/cleanup_start.html", context)


def _schedule(request: HttpRequest, name: str) -> HttpResponse:
    return schedule_page(request, name, label=CLEANUPS[name].label, back=reverse(PAGE))


def schedule_page(request: HttpRequest, name: str, *, label: Any, back: str) -> HttpResponse:
    """When a job runs; also for the backups' page."""
    job = maintenance.jobs()[name]
    form = ScheduleForm(request.POST or None, instance=job)
    if request.method == "POST" and form.is_valid():
        try:
            maintenance.set_schedule(name, form.cleaned_data["schedule"], actor=operator(request), request=request)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, _("Saved."))
            return redirect(back)
    context = {
        **console.each_context(request), "title": gettext("Schedule: %(what)s") % {"what": label}, "form": form, "button": _("Save"),
        "back": back,
    }  # fmt: skip
    return TemplateResponse(request, "admin/operation.html", context)


@require_GET
@permission_required((PERMISSION, SITE_PAGE), raise_exception=True)
@part_of(PAGE)
def console_cleanups(request: UserRequest) -> HttpResponse:
    """How far they are; the page asks for it while one runs."""
    return render(request, "operations/_cleanups.html", state())


console.add_page(
    "operations", gettext_lazy("Cleanups"), cleanups_view, route="operations/cleanups/", url_name="operations_cleanups",
    permission=PERMISSION,
)  # fmt: skip
