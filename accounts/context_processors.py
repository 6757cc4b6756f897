"""What every page's shell needs."""

from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from accounts.access import developer_on_record
from accounts.http import UserRequest
from accounts.models import Membership
from accounts.roles import Role
from accounts.services import developers
from accounts.studio_roles import may


def _navigation(request: UserRequest, studios: Any) -> list[dict[str, Any]]:
    """The pages that exist for this person, each {url, label, icon, active}; of the studio's those that their role there may see."""
    trade = [
        ("contacts.view", ("studio:contact_list", _("Contacts"), "contact")),
        ("projects.view", ("studio:project_list", _("Projects"), "folder")),
        ("sessions.view", ("studio:session_month", _("Sessions"), "calendar-days")),
        ("documents.view", ("documents:quote_list", _("Quotes"), "file-pen-line")),
        ("documents.view", ("documents:contract_list", _("Contracts"), "signature")),
        ("invoices.view", ("documents:invoice_list", _("Invoices"), "receipt")),
        ("emails.view", ("mailing:email_list", _("E-mails"), "mail")),
    ]
    stripe = settings.STRIPE_SECRET_KEY and settings.STRIPE_WEBHOOK_SECRET and "stripe" not in settings.DISABLED_INTEGRATIONS
    entries = [
        ("home", _("Today"), "sun"),
        ("tracker:board", _("Opportunities"), "kanban"),
        *(entry for operation, entry in trade if not studios or may(studios[0].role, operation)),
        *([("tracker:coach_clients", _("Clients"), "users")] if request.user.role == Role.COACH else []),
        ("integrations:connections", _("Connections"), "plug"),
        ("integrations:run_list", _("Scans"), "radar"),
        *([("billing:contribute", _("Contribute"), "heart-handshake")] if stripe else []),
        ("settings_profile", _("Settings"), "settings"),
    ]
    found = []
    for name, label, icon in entries:
        try:
            url = reverse(name)
        except NoReverseMatch:
            continue
        prefix = {"settings_profile": ("/settings/", "/accounts/"), "home": (f"{url}today/",)}.get(name, (url,))
        active = request.path == url or request.path.startswith(prefix)
        found.append({"url": url, "label": label, "icon": icon, "active": active})
    return found


def _developer_notice(user: Any) -> dict[str, Any] | None:
    """For a developer in production: until when they are admitted (None: by configuration, without an end)."""
    return {"until": developers.admitted_until()} if developer_on_record(user) else None


def site(request: HttpRequest) -> dict[str, Any]:
    user = getattr(request, "user", None)
    signed_in = user is not None and user.is_authenticated
    studios: Any = SimpleLazyObject(lambda: list(Membership.objects.of(user))) if signed_in else []
    return {
        "CSP_NONCE": SimpleLazyObject(lambda: request.csp_nonce),  # type: ignore[attr-defined]  # django-csp's, on the request
        "csp_nonce": SimpleLazyObject(lambda: request.csp_nonce),  # type: ignore[attr-defined]  # django-csp's, on the request
        "developer_notice": _developer_notice(user) if signed_in else None,
        "nav": SimpleLazyObject(lambda: _navigation(cast("UserRequest", request), studios)) if signed_in else [],
        "studios": studios,
        "sees_document_settings": SimpleLazyObject(lambda: bool(studios) and may(studios[0].role, "settings.view")),
        "google_enabled": settings.GOOGLE_ENABLED,
        "oidc_name": settings.OIDC_NAME if settings.OIDC_ENABLED else "",
        "request_id": getattr(request, "request_id", ""),
    }
