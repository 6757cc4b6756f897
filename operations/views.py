from django.contrib.auth.decorators import permission_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from aaperture.lib.fragments import part_of
from accounts.http import UserRequest
from accounts.today import Need
from accounts.views.today import needs_panel
from operations import known_secrets
from operations.alert_pages import waiting
from operations.figures import charts_for, figures_for, review_due
from operations.key_pages import state
from operations.services.key_rotation import PERMISSION


@require_GET
@permission_required("pages.dashboard", raise_exception=True)
@part_of("admin:index")
def console_figures(request: UserRequest) -> HttpResponse:
    """A fragment, fetched by the console's first page."""
    user = request.user
    overdue = known_secrets.overdue_secrets() if user.has_perm(PERMISSION) else []
    context = {"figures": figures_for(user), "charts": charts_for(user), "review_due": review_due(user), "overdue": overdue}
    if user.has_perm("operations.view_monitoring"):
        context["alerts"], context["severe_alerts"] = waiting()
    return render(request, "operations/_console_figures.html", context)


@require_GET
@vary_on_headers("HX-Request")
@permission_required("operations.view_monitoring", raise_exception=True)
def today_alerts(request: UserRequest) -> HttpResponse:
    """What staff find on their page of today."""
    count, severe = waiting()
    title = ngettext("%(n)d security alert is not resolved", "%(n)d security alerts are not resolved", count) % {"n": count}
    url = reverse("admin:audit_securityalert_changelist")
    need = Need("danger" if severe else "warn", "shield-alert", title, _("Go to the alerts"), url)
    return needs_panel(request, _("Security alerts"), [need] if count else [])


@require_GET
@permission_required(PERMISSION, raise_exception=True)
@part_of("admin:operations_keys")
def console_keys(request: UserRequest) -> HttpResponse:
    """How far a rotation is; the page of keys asks for it while one runs."""
    return render(request, "operations/_keys.html", state())
