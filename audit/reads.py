"""Reads of other people's data: every page of the console and every answer of the API that shows staff any is on record.

Named here is what shows nobody's data or only one's own. Whatever is not named is recorded, so a new list cannot be forgotten.
"""

from typing import Any

from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse
from django.urls import ResolverMatch

from audit.services import record_after

LISTED, VIEWED = "personal_data.listed", "personal_data.viewed"

# in the console: pages without people, sign-in, and the archive, which records each search by itself
NOBODYS_PAGES = frozenset(
    {
        "index", "app_list", "jsi18n", "login", "logout", "password_change", "password_change_done", "audit_archive", "billing_months",
        "operations_access_matrix", "operations_analytics", "operations_backups", "operations_cleanups", "operations_keys",
        "operations_monitoring", "accounts_instancesettings_developers", "operations_accessreview_open", "operations_accessreview_sign",
        "operations_accessreview_export", "integrations_pipeline_export", "integrations_pipeline_empty", "integrations_pipeline_when",
        "integrations_transformation_versions", "integrations_transformation_restore", "integrations_transformation_json",
        "integrations_run_start", "integrations_run_cancel", "integrations_work",
        "integrations_connection_configure", "integrations_connection_settings", "operations_blockednetwork_lift",
    }
)  # fmt: skip
NOBODYS_MODELS = frozenset(
    {"accounts.instancesettings", "billing.contributionterms", "billing.promocode", "integrations.transformation", "integrations.pipeline"}
)
# in the API: what every account reads of itself, and what belongs to the instance
OWN = frozenset({"me", "my_permissions", "sessions", "session", "api_keys", "api_key", "opportunities", "opportunity"})
INSTANCES = frozenset(
    {"schema", "settings", "dev_role_production", "keys", "cleanups", "backups"}
    | {"pipelines", "pipeline", "transformations", "transformation", "transformation_versions"}
)


def note_read(request: HttpRequest, response: HttpResponse) -> None:
    """Have a read by staff recorded with the request's other notes."""
    match, user = request.resolver_match, getattr(request, "user", None)
    if request.method not in {"GET", "POST"} or response.status_code != 200 or match is None or not getattr(user, "is_staff", False):
        return
    if match.namespaces == ["admin"]:
        _in_console(request, response, match)
    elif match.namespaces == ["api"] and request.method == "GET" and match.url_name not in OWN | INSTANCES:
        _in_api(request, response, match)


def _in_console(request: HttpRequest, response: HttpResponse, match: ResolverMatch) -> None:
    owner = getattr(match.func, "model_admin", None)
    if owner is None:
        if match.url_name and match.url_name not in NOBODYS_PAGES:
            record_after(request, LISTED, view=match.view_name)
    elif owner.opts.label_lower in NOBODYS_MODELS or (match.url_name or "").endswith("_add"):
        return
    elif key := match.kwargs.get("object_id"):
        row = owner.model(pk=owner.opts.pk.to_python(unquote(key)))
        if row != request.user:  # one's own account is nobody else's
            record_after(request, VIEWED, row)
    else:
        shown = getattr((getattr(response, "context_data", None) or {}).get("cl"), "result_list", ())
        record_after(request, LISTED, view=match.view_name, count=len(shown))


def _in_api(request: HttpRequest, response: HttpResponse, match: ResolverMatch) -> None:
    of: dict[str, Any] = {"of": str(match.kwargs["pk"])} if "pk" in match.kwargs else {}
    data = getattr(response, "data", None)
    if isinstance(data, dict) and isinstance(data.get("results"), list):
        record_after(request, LISTED, view=match.view_name, count=len(data["results"]), **of)
    elif of != {"of": str(request.user.pk)}:
        record_after(request, VIEWED, view=match.view_name, **of)
