"""Middleware between a sign-in and what it opens: the second factor that a role must have, and step-up."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import get_adapter
from django.contrib.auth import logout
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext as _

from aaperture.lib.limits import too_many_requests
from accounts import second_factor, step_up
from accounts.lockout import Locked
from audit.services import record_after

Handler = Callable[[HttpRequest], HttpResponse]
ENROL = "mfa_index"
# what a person without the second factor that their role needs may still do: set one up, leave, read how
OPEN_WITHOUT_FACTOR = frozenset(
    {
        ENROL, "mfa_activate_totp", "mfa_add_webauthn", "mfa_list_webauthn", "mfa_view_recovery_codes", "mfa_generate_recovery_codes",
        "mfa_download_recovery_codes", "account_reauthenticate", "mfa_reauthenticate", "mfa_reauthenticate_webauthn", "account_logout",
        "account_email", "account_confirm_email", "account_email_verification_sent",  # only verified addresses may enrol
        "admin:logout", "admin:jsi18n", "set_language", "health_live", "health_ready", "metrics", "csp_report",
        "site:privacy", "site:terms", "site:security", "site:security_txt",
    }
)  # fmt: skip
# allauth's own pages that change how one signs in; ours say `step_up.require()` themselves
ASKS_FIRST = frozenset(
    {
        "mfa_activate_totp", "mfa_deactivate_totp", "mfa_add_webauthn", "mfa_remove_webauthn", "mfa_edit_webauthn",
        "mfa_view_recovery_codes", "mfa_generate_recovery_codes", "mfa_download_recovery_codes", "account_set_password",
    }
)  # fmt: skip
# where allauth asks by itself for a password or code before it writes, but asks nothing of accounts that know neither
ASKS_WHO_CAN_ANSWER = frozenset({"account_email", "socialaccount_connections"})


class SecondFactorMiddleware:
    """Leads an administrator or developer without a second factor to setting one up, whatever page they ask for."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, _view: object, _args: object, _kwargs: object) -> HttpResponse | None:
        user: Any = request.user
        if not user.is_authenticated or not second_factor.required_for(user):
            return None
        name = request.resolver_match.view_name if request.resolver_match else ""
        if name in OPEN_WITHOUT_FACTOR or second_factor.has_second_factor(user):
            return None
        if not request.session.get("led_to_enrolment"):
            request.session["led_to_enrolment"] = True
            record_after(request, "second_factor.required", user, view=name)
        if request.path.startswith("/api/") or not request.accepts("text/html"):
            return _json(request, "mfa_enrolment_required", _("Set up a second factor first."))
        return _go(request, reverse(ENROL))


class SignInMiddleware(LoginRequiredMiddleware):
    """Django's, but what htmx asks for when the session is over leads the whole page to sign in, and then back to that page."""

    def process_view(self, request: HttpRequest, *called: Any) -> HttpResponseBase | None:
        refused = super().process_view(request, *called)
        if refused is None or not request.headers.get("HX-Request"):
            return refused
        return _go(request, f"{reverse('account_login')}?{urlencode({'next': _way_back(request)})}")


class StepUpMiddleware:
    """Leads whoever wants a sensitive operation to the page that asks for a fresh proof, then back to where they were."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, _view: object, _args: object, _kwargs: object) -> HttpResponse | None:
        name = request.resolver_match.view_name if request.resolver_match else ""
        unasked = name in ASKS_WHO_CAN_ANSWER and request.method == "POST"
        if not (name in ASKS_FIRST or unasked) or not request.user.is_authenticated or step_up.is_recent(request):
            return None
        return None if unasked and get_adapter().get_reauthentication_methods(request.user) else _ask(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, step_up.StepUpRequired):
            return _ask(request)
        if isinstance(exception, Locked):
            return too_many_requests(request, exception.seconds)
        return None


def _ask(request: HttpRequest) -> HttpResponse:
    if request.path.startswith("/api/") or not request.accepts("text/html"):
        return _json(request, "step_up_required", _("Confirm that it is you first."))
    methods = get_adapter().get_reauthentication_methods(request.user)
    page = methods[0]["url"] if methods else reverse("account_login")
    target = _way_back(request)
    if not methods:  # nothing to ask them for here: whoever vouched for them has to do it again
        logout(request)
    return _go(request, f"{page}?{urlencode({'next': target})}")


def _way_back(request: HttpRequest) -> str:
    """The page itself, or the page whose form was sent: what was typed is never kept while asking."""
    if request.method == "GET" and not request.headers.get("HX-Request"):
        return request.get_full_path()
    referer = request.headers.get("Referer", "")
    if url_has_allowed_host_and_scheme(referer, allowed_hosts={request.get_host()}):
        parts = urlsplit(referer)
        return parts.path + (f"?{parts.query}" if parts.query else "")
    return reverse("home")


def _go(request: HttpRequest, url: str) -> HttpResponse:
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": url})
    return redirect(url)


def _json(request: HttpRequest, code: str, detail: str) -> HttpResponse:
    return JsonResponse({"detail": detail, "code": code, "request_id": getattr(request, "request_id", "")}, status=403)
