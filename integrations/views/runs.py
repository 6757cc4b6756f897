from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.http import UserRequest
from integrations import progress
from integrations.models import Connection, Run, RunEvent
from integrations.progress import Progress
from integrations.services import pipelines
from integrations.views.processing import panel
from integrations.wording import EVENTS, LABELS

PER_PAGE = 25
MOST_EVENTS = 100


@require_GET
def run_list(request: UserRequest) -> HttpResponse:
    runs = Run.objects.visible_to(request.user).select_related("pipeline__connection").order_by("-queued_at")
    page = Paginator(runs, PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "integrations/run_list.html", {"page": page, "rows": [Progress(run) for run in page]})


@require_GET
def run_detail(request: UserRequest, pk: UUID) -> HttpResponse:
    run = get_object_or_404(Run.objects.visible_to(request.user).select_related("pipeline__connection"), pk=pk)
    context = {
        "run": run,
        "progress": Progress(run),
        "mail": (mail := run.pipeline.connection.provider == Connection.Provider.GMAIL),
        "panel": progress.panel([Progress(run)]) if run.is_live and mail else None,
        "found": _by_label(run.counts.get("found", {})),
        "not_kept": sorted(run.counts.get("reasons", {}).items(), key=lambda pair: -pair[1]),
        "events": [_event(event) for event in run.events.all()[:MOST_EVENTS]],
    }
    return render(request, "integrations/run_detail.html", context)


def _by_label(counts: dict[str, int]) -> list[tuple[str, int]]:
    return [(str(LABELS.get(label, label)), n) for label, n in sorted(counts.items(), key=lambda pair: -pair[1])]


def _event(event: RunEvent) -> dict[str, Any]:
    return {"at": event.at, "level": event.level, "words": EVENTS.get(event.code, event.code), "text": event.text}


@require_POST
def run_cancel(request: UserRequest, pk: UUID) -> HttpResponse:
    run = get_object_or_404(Run.objects.visible_to(request.user), pk=pk)
    pipelines.cancel_run(run, actor=request.user, request=request)
    return panel(request) if request.htmx else redirect("integrations:run_detail", pk=pk)
