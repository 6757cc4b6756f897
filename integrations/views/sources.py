"""A person's own sources of records, and what they keep."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from aaperture.lib.csv_safe import csv_response
from aaperture.lib.nudge import nudge
from accounts.http import UserRequest
from integrations.connectors import CONNECTORS
from integrations.errors import NotConnected
from integrations.forms import SettingsForm
from integrations.models import Connection, Pipeline, Run
from integrations.progress import Progress
from integrations.services import connections, datasets, deliveries, pipelines, sources
from integrations.tasks import execute_run
from integrations.wording import CONNECTION_FAULTS, HOOK_FAULTS, SOURCES

PER_PAGE = 25
SHOWN_COLUMNS = 6


class SourceForm(SettingsForm):
    destination = forms.ChoiceField(
        label=gettext_lazy("What becomes of it"), widget=forms.RadioSelect, initial="contacts",
        choices=[("contacts", gettext_lazy("Contacts of my studio")), (datasets.NAME, gettext_lazy("Kept as a table for me"))],
    )  # fmt: skip
    field_order = ("name", "destination")


@require_GET
def source_add(request: UserRequest) -> HttpResponse:
    """Which kind."""
    return render(request, "integrations/source_add.html", {"kinds": [(kind, *SOURCES[kind]) for kind in sources.KINDS]})


@require_http_methods(["GET", "POST"])
def source_new(request: UserRequest, provider: str) -> HttpResponse:
    if provider not in sources.KINDS:
        raise Http404
    form = SourceForm(request.POST or None, kind=CONNECTORS[provider])

    def save(name: str, values: dict[str, Any]) -> Connection:
        destination = values.pop("destination")
        return sources.add(request.user, provider, name, values, destination=destination, request=request)

    try:
        row = form.saved(save)
    except sources.TooManySources:
        form.add_error(None, _("Ten sources are the most. Disconnect one that you no longer need."))
        row = None
    if row is not None:
        messages.success(request, _("The source “%(name)s” is added.") % {"name": row.name})
        return redirect("integrations:hook_secret" if provider == Connection.Provider.INBOUND_WEBHOOK else "integrations:source", row.pk)
    context = {"form": form, "words": SOURCES[provider]}
    return render(request, "integrations/source_new.html", context, status=422 if form.is_bound else 200)


def _own(request: UserRequest, pk: UUID) -> Connection:
    row: Connection = get_object_or_404(sources.own(request.user), pk=pk)
    return row


@require_GET
def source(request: UserRequest, pk: UUID) -> HttpResponse:
    """One source: how it does, what to do next, and what it has brought."""
    connection = _own(request, pk)
    pipeline = connection.pipelines.order_by("created_at").first()
    newest = pipeline.runs.order_by("-queued_at").first() if pipeline else None
    context = {
        "connection": connection, "pipeline": pipeline, "words": SOURCES[connection.provider],
        "progress": Progress(newest) if newest else None,
        "fault": _fault(connection),
        "rows": pipeline.rows.count() if pipeline and pipeline.destination == datasets.NAME else None,
    }  # fmt: skip
    return render(request, "integrations/source.html", context)


def _fault(connection: Connection) -> Any:
    """What is wrong with it: it has stopped working, or it works and what is delivered is refused."""
    failing = connection.status == Connection.Status.ERROR
    return (CONNECTION_FAULTS if failing else HOOK_FAULTS).get(connection.error_code, "")


@require_POST
def source_test(request: UserRequest, pk: UUID) -> HttpResponse:
    code = connections.check_connection(_own(request, pk), actor=request.user)
    if code:
        messages.warning(request, CONNECTION_FAULTS.get(code, _("It does not answer.")))
    else:
        messages.success(request, _("It answers."))
    return redirect("integrations:source", pk)


@require_POST
def source_run(request: UserRequest, pk: UUID) -> HttpResponse:
    """Read it now."""
    try:
        for pipeline in _own(request, pk).pipelines.all():
            run = pipelines.start_run(pipeline, actor=request.user, trigger=Run.Trigger.MANUAL, request=request)
            nudge(execute_run, run.pk)
    except NotConnected:
        messages.warning(request, _("This source is switched off."))
    return redirect("integrations:source", pk)


@require_http_methods(["GET", "POST"])
def hook_secret(request: UserRequest, pk: UUID) -> HttpResponse:
    """Where others deliver to and how they sign; a new secret is shown once. One's own, or the instance's for whoever may change it."""
    rows = Connection.objects.filter(provider=Connection.Provider.INBOUND_WEBHOOK).exclude(status=Connection.Status.REVOKED)
    mine = rows.own_or_instances(request.user)
    connection = get_object_or_404(mine, pk=pk)
    if connection.owner_id is None and not request.user.has_perm("integrations.change_connection"):
        raise PermissionDenied
    secret = ""
    if request.POST.get("act") == "rotate":
        secret = deliveries.rotate(connection, actor=request.user, request=request)
        connection = get_object_or_404(mine, pk=pk)
    elif request.POST.get("act") == "end":
        deliveries.end_former(connection, actor=request.user, request=request)
        return redirect("integrations:hook_secret", pk)
    name = "integrations:source" if connection.owner_id else "admin:integrations_connection_change"
    context = {
        "connection": connection, "address": deliveries.address_of(connection), "secret": secret, "back": reverse(name, args=[pk]),
        "former": len(deliveries.secrets_of(connection)) > 1,
    }  # fmt: skip
    return render(request, "integrations/hook_secret.html", context, status=201 if secret else 200)


# --- what is kept


def _dataset(request: UserRequest, pk: UUID) -> Pipeline:
    rows = Pipeline.objects.visible_to(request.user).filter(destination=datasets.NAME)
    pipeline: Pipeline = get_object_or_404(rows.select_related("connection", "transformation", "pinned"), pk=pk)
    return pipeline


@require_GET
def dataset(request: UserRequest, pk: UUID) -> HttpResponse:
    pipeline = _dataset(request, pk)
    words = request.GET.get("q", "").replace("\0", "").strip()[:200]
    names = datasets.columns(pipeline)
    page = Paginator(pipeline.rows.search(words).order_by("-stored_at", "-id"), PER_PAGE).get_page(request.GET.get("page"))
    shown = names[:SHOWN_COLUMNS]
    rows = [(row, [(name, cells.get(name)) for name in shown]) for row in page for cells in [datasets.cells(row.data)]]
    context = {
        "pipeline": pipeline,
        "columns": shown,
        "more": len(names) > SHOWN_COLUMNS,
        "page": page,
        "rows": rows,
        "q": words,
    }
    return render(request, "integrations/dataset.html", context)


@require_GET
def dataset_export(request: UserRequest, pk: UUID) -> HttpResponseBase:
    pipeline = _dataset(request, pk)
    datasets.record_export(pipeline, actor=request.user, request=request)
    header = [_("Id"), _("Kept since"), *datasets.columns(pipeline)]
    return csv_response(f"dataset-{pipeline.pk}.csv", header, datasets.lines(pipeline), language=get_language() or "")


@require_http_methods(["GET", "POST"])
def dataset_empty(request: UserRequest, pk: UUID) -> HttpResponse:
    pipeline = _dataset(request, pk)
    if request.method == "POST":
        count = datasets.empty(pipeline, actor=request.user, request=request)
        messages.success(request, ngettext("%d row deleted.", "%d rows deleted.", count) % count)
        return redirect("integrations:dataset", pk)
    return render(request, "integrations/dataset_empty.html", {"pipeline": pipeline, "count": pipeline.rows.count()})
