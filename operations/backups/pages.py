"""The console's page of backups: the newest one, making one, what there is, and how to restore. Administrators only."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from aaperture.lib.console import console
from aaperture.lib.fragments import part_of
from aaperture.lib.nudge import nudge
from accounts.admin.ending import operator
from accounts.http import UserRequest
from operations.backups import shelf
from operations.backups.models import Backup
from operations.maintenance.cleanups import BACKUP
from operations.maintenance.pages import SITE_PAGE, require_page, schedule_page
from operations.privacy import ledger
from operations.services import backups, maintenance
from operations.services.backups import PERMISSION
from operations.tasks import make_backup

PAGE = "admin:operations_backups"
SHOWN = 60
LATE_AFTER = timedelta(hours=48)


def state() -> dict[str, Any]:
    """What the page and its fragment show."""
    rows = list(Backup.objects.exclude(status=Backup.Status.REMOVED).order_by("-asked_at", "-id")[:SHOWN])
    live = next((row for row in rows if row.is_live), None)
    newest = next((row for row in rows if row.is_whole), None)
    failed = next((row for row in rows if row.status == Backup.Status.FAILED), None)
    return {
        "is_configured": shelf.is_configured(), "rows": rows, "live": live, "newest": newest, "job": maintenance.jobs()[BACKUP],
        "failed": failed if failed and (newest is None or failed.asked_at > newest.asked_at) else None,
        "is_late": newest is None or newest.asked_at < timezone.now() - LATE_AFTER, "days": settings.BACKUP_DAYS,
        "has_ledger": ledger.is_kept(),
    }  # fmt: skip


def backups_view(request: HttpRequest) -> HttpResponse:
    require_page(request)
    if BACKUP in request.GET.getlist("schedule"):
        return schedule_page(request, BACKUP, label=_("Backups"), back=reverse(PAGE))
    if request.method == "POST":
        _start(request)
        return redirect(PAGE)
    context = {**console.each_context(request), "title": _("Backups"), **state()}
    return TemplateResponse(request, "operations/backups.html", context)


def _start(request: HttpRequest) -> None:
    try:
        asked = backups.ask(operator(request), request)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        nudge(make_backup, asked.pk)
        messages.success(request, _("The backup is made in the background. This page shows how far it is."))


@require_GET
@permission_required((PERMISSION, SITE_PAGE), raise_exception=True)
@part_of(PAGE)
def console_backups(request: UserRequest) -> HttpResponse:
    """How far a backup is; the page asks for it while one is made."""
    return render(request, "operations/_backups.html", state())


console.add_page(
    "operations", gettext_lazy("Backups"), backups_view, route="operations/backups/", url_name="operations_backups",
    permission=PERMISSION,
)  # fmt: skip
