from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from aaperture.lib.nudge import nudge
from accounts.http import UserRequest, for_machines
from integrations import progress
from integrations.errors import NotConnected
from integrations.models import Pipeline, Run
from integrations.progress import Progress
from integrations.services import pipelines
from integrations.tasks import execute_run


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Http404 from None


def _progress(request: UserRequest) -> list[Progress]:
    newest = Run.objects.visible_to(request.user).of_mailboxes().newest_per_pipeline().filter(pipeline__enabled=True)
    return [Progress(run) for run in newest]


@require_POST
def start(request: UserRequest) -> HttpResponse:
    """Read every connected mailbox now, or the one named by `connection`; a run under way is joined."""
    own = Pipeline.objects.visible_to(request.user).of_mailboxes().filter(enabled=True).select_related("connection")
    if wanted := request.POST.get("connection"):
        own = own.filter(connection_id=_id(wanted))
    runs = []
    for pipeline in own:
        try:
            run = pipelines.start_run(pipeline, actor=request.user, trigger=Run.Trigger.MANUAL, request=request)
        except NotConnected:
            continue
        nudge(execute_run, run.pk)
        runs.append(run)
    return _started(request, runs)


def _started(request: UserRequest, runs: list[Run]) -> HttpResponse:
    if for_machines(request):
        if not runs:
            body = {"detail": _("No mailbox is connected."), "code": "not_connected"}
            return JsonResponse(body | {"request_id": getattr(request, "request_id", "")}, status=409)
        return JsonResponse({"runs": [Progress(run).as_json() for run in runs]}, status=202)
    if request.htmx:
        return panel(request)
    if not runs:
        messages.info(request, _("Connect a mailbox first."))
        return redirect("integrations:gmail_connect")
    return redirect("integrations:connections")


@require_GET
def status(request: UserRequest) -> HttpResponse:
    """How far the newest run of each mailbox is: JSON for machines, the panel for htmx, a page otherwise."""
    if for_machines(request):
        shown = [one.as_json() for one in _progress(request)]
        live = any(one["status"] in Run.LIVE for one in shown)
        return JsonResponse({"running": live, "runs": shown})
    if request.htmx:
        return panel(request)
    return render(request, "integrations/processing_status.html", {"panel": progress.panel(_progress(request))})


def panel(request: UserRequest) -> HttpResponse:
    """The panel polls while something runs; the answer that finds nothing running tells the page so."""
    context = progress.panel(_progress(request))
    response = render(request, "integrations/_processing_panel.html", {"panel": context})
    if "watch" in request.GET and not context["live"]:
        response["HX-Trigger"] = "processing-ended"
    return response
