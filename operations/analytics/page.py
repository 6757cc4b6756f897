"""The console's analytics page and its two files."""

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from aaperture.lib.console import console
from aaperture.lib.csv_safe import csv_response
from accounts.admin.ending import operator
from audit.services import record
from operations.analytics import anonymised, tables

EXPORT = "operations.export_data"


def analytics_view(request: HttpRequest) -> HttpResponseBase:
    if not request.user.has_perm("operations.view_analytics"):
        raise PermissionDenied
    if what := request.GET.get("export"):
        return _export(request, what)
    found = tables.tables()
    context = {
        **console.each_context(request), "title": _("Analytics"), "tables": found, "smallest": anonymised.SMALLEST,
        "hidden": sum(table.hidden for table in found), "may_export": request.user.has_perm(EXPORT),
    }  # fmt: skip
    return TemplateResponse(request, "operations/analytics.html", context)


def _export(request: HttpRequest, what: str) -> HttpResponseBase:
    """The tables as they are shown, or every person who is counted as nothing but a hash, a role and a week."""
    if not request.user.has_perm(EXPORT):
        raise PermissionDenied
    if what == "tables":
        header, lines = [_("Table"), _("Of"), _("Number")], list(tables.rows())
    elif what == "people":
        people = anonymised.anonymous_people()
        header, lines = ["user_id", "role", "created_at"], [[one["user_id"], one["role"], one["created_at"]] for one in people]
    else:
        raise Http404
    record("analytics.exported", None, actor=operator(request), request=request, what=what, rows=len(lines))
    return csv_response(f"analytics-{what}.csv", header, lines)


console.add_page(
    "operations", gettext_lazy("Analytics"), analytics_view, route="operations/analytics/", url_name="operations_analytics",  # type: ignore[arg-type]  # a file is an answer too
    permission="pages.analytics",
)  # fmt: skip
