"""What every request passes through: an id, headers, a language, the limits of its session."""

import time
import uuid
from collections.abc import Callable
from typing import Any, cast

from csp.constants import HEADER
from csp.middleware import CheckableLazyObject, CSPMiddleware
from csp.utils import build_policy
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth import middleware as auth_middleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone, translation
from django.utils.cache import add_never_cache_headers, patch_vary_headers
from django.utils.functional import SimpleLazyObject

from aaperture.lib import logs
from accounts import ended_sessions
from accounts.http import UserRequest
from accounts.sessions import asking
from audit.services import record, record_after

Handler = Callable[[HttpRequest], HttpResponse]
# what a page sends by itself is not being there; a page that asks for itself says so with `?watch`
POLLING = frozenset(
    {
        "billing:thanks_status",
        "integrations:processing_status",
        "settings_privacy_export_status",
        "studio:calendar_status",
        "console_backups",
        "console_cleanups",
        "console_keys",
        "console_monitoring",
        "csp_report",
    }
)
PLACE_OF_NONCE = "{nonce}"
NEVER_CACHED = "max-age=0, no-cache, no-store, must-revalidate, private"
TOUCH_AFTER = 60  # seconds between two writes of "last seen"


class RequestContextMiddleware:
    """Gives the request an id that logs, errors and the activity log share."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = str(uuid.uuid4())  # type: ignore[attr-defined]  # ours, on the request
        token = logs.request_id.set(request.request_id)  # type: ignore[attr-defined]  # ours, on the request
        try:
            response = self.get_response(request)
        finally:
            logs.request_id.reset(token)
        response["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]  # ours, on the request
        return response


class SecurityHeadersMiddleware:
    """The headers Django has no setting for."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Permissions-Policy", "geolocation=(), camera=(), microphone=(), payment=()")
        response.headers.setdefault("Reporting-Endpoints", 'csp="/csp-report/"')
        response.headers.setdefault("X-XSS-Protection", "1; mode=block")
        response.headers.setdefault("X-Frame-Options", settings.X_FRAME_OPTIONS)  # Django's own sees no static file and no early refusal
        if response.status_code >= 400 or not request.path.startswith(settings.STATIC_URL):
            self._never_cached(response)
        return response

    def _never_cached(self, response: HttpResponse) -> None:
        if "Cache-Control" in response.headers:
            add_never_cache_headers(response)
        else:
            response.headers["Cache-Control"] = NEVER_CACHED


class PolicyMiddleware(CSPMiddleware):
    """django-csp's, with the text of the policy made once instead of twice for every answer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._policy: Any = None
        self._texts: dict[bool, str] = {}

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        special = any(hasattr(response, f"_csp_{name}") for name in ("config", "update", "replace", "exempt"))
        if special or HEADER in response or getattr(settings, "CONTENT_SECURITY_POLICY_REPORT_ONLY", None):
            return super().process_response(request, response)
        nonce = getattr(request, "_csp_nonce", None)
        response.headers[HEADER] = self._text(bool(nonce)).replace(PLACE_OF_NONCE, nonce or "")
        if nonce is None:
            request.csp_nonce = CheckableLazyObject(self._csp_nonce_post_response)  # type: ignore[attr-defined]  # django-csp's, on the request
        return response

    def _text(self, nonced: bool) -> str:
        if self._policy is not settings.CONTENT_SECURITY_POLICY:  # a test has set another
            self._policy, self._texts = settings.CONTENT_SECURITY_POLICY, {}
        if nonced not in self._texts:
            self._texts[nonced] = build_policy(nonce=PLACE_OF_NONCE if nonced else None)
        return self._texts[nonced]


class LanguageMiddleware:
    """The signed-in person's language, else the cookie's, else the browser's."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        language = request.session.get("language") or translation.get_language_from_request(request)
        with translation.override(language):
            request.LANGUAGE_CODE = translation.get_language()
            response = self.get_response(request)
        patch_vary_headers(response, ("Accept-Language",))
        response.headers.setdefault("Content-Language", language)
        return response


class AuthenticationMiddleware(auth_middleware.AuthenticationMiddleware):
    """Django's, but the person is taken from the query that read the session."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        request.user = cast("Any", SimpleLazyObject(lambda: self._user(request)))

    def _user(self, request: HttpRequest) -> Any:
        with asking(request.session):
            return auth_middleware.get_user(request)


class SessionLifetimeMiddleware:
    """Ends a session after 30 idle minutes or 12 hours, and at once when its account is no longer active."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.session.session_key and request.user.is_authenticated:
            self._check(cast("UserRequest", request))
        if not request.user.is_authenticated:
            return self.get_response(request)
        token = logs.user_id.set(str(request.user.pk))
        try:
            with timezone.override(request.user.timezone):
                return self.get_response(request)
        finally:
            logs.user_id.reset(token)

    def _check(self, request: UserRequest) -> None:
        now = int(time.time())
        started = request.session.setdefault("started_at", now)
        seen = request.session.setdefault("seen_at", now)
        idle = now - seen > settings.SESSION_IDLE.total_seconds()
        if idle or now - started > settings.SESSION_ABSOLUTE.total_seconds():
            record("session.expired", request.user, request=request, reason="idle" if idle else "absolute")
            logout(request)

    def process_view(self, request: HttpRequest, _view: object, _args: object, _kwargs: object) -> None:
        match = request.resolver_match
        polling = match and (match.view_name in POLLING or "watch" in request.GET)
        if not request.user.is_authenticated and not polling:
            self._say_why(request)
        if not request.user.is_authenticated or polling:
            return
        now = int(time.time())
        if now - request.session.get("seen_at", 0) >= TOUCH_AFTER:
            request.session["seen_at"] = now

    def _say_why(self, request: HttpRequest) -> None:
        """Where somebody else ended the session of this cookie: the page that is shown now, most likely the sign-in page, says so."""
        key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        if key and not request.session.session_key and hasattr(request, "_messages") and (words := ended_sessions.told(key)):
            messages.info(request, words)


def note_limit(get_response: Handler) -> Handler:
    """Puts a refused request on record (`aaperture.lib.limits` may not know the activity log)."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if name := getattr(request, "limit_exceeded", ""):
            record_after(request, "rate_limit.exceeded", view=name)
        return response

    return middleware
