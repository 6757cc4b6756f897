from django.contrib.auth.decorators import permission_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.http import UserRequest
from operations import known_secrets
from operations.alert_pages import waiting
from operations.figures import charts_for, figures_for, review_due
from operations.key_pages import state
from operations.services.key_rotation import PERMISSION


@require_GET
@permission_required("pages.dashboard", raise_exception=True)
def console_figures(request: UserRequest) -> HttpResponse:
    """A fragment, fetched by the console's first page."""
    user = request.user
    overdue = known_secrets.overdue_secrets() if user.has_perm(PERMISSION) else []
    context = {"figures": figures_for(user), "charts": charts_for(user), "review_due": review_due(user), "overdue": overdue}
    if user.has_perm("operations.view_monitoring"):
        context["alerts"], context["severe_alerts"] = waiting()
    return render(request, "operations/_console_figures.html", context)


@require_GET
@permission_required(PERMISSION, raise_exception=True)
def console_keys(request: UserRequest) -> HttpResponse:
    """How far a rotation is; the page of keys asks for it while one runs."""
    return render(request, "operations/_keys.html", state())
