"""Error pages: what went wrong in one sentence, what to do, and the id to quote; never any detail."""

from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import get_template
from django.utils.translation import gettext

from aaperture.lib.api.answers import error_response, is_api
from aaperture.lib.limits import too_many_requests
from accounts.protections import Refused
from audit.services import record_after


def _page(request: HttpRequest, status: int) -> HttpResponse:
    if is_api(request) or not request.accepts("text/html"):
        return error_response(request, status, code=CODES[status][0], detail=CODES[status][1])
    return render(request, f"{status}.html", {"request_id": getattr(request, "request_id", "")}, status=status)


CODES = {
    400: ("bad_request", "Bad request"),
    403: ("forbidden", "Access denied"),
    404: ("not_found", "Not found"),
    413: ("too_large", "More was sent than is taken at once"),
}
TOO_MUCH = (RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page(request, 413 if isinstance(exception, TOO_MUCH) else 400)


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """A service that refuses says why; everything else is only denied."""
    if not isinstance(exception, Refused):
        return _page(request, 403)
    if is_api(request) or not request.accepts("text/html"):
        return error_response(request, 403, code=exception.code, detail=exception.detail)
    context = {"request_id": getattr(request, "request_id", ""), "reason": gettext(exception.detail)}
    return render(request, "403.html", context, status=403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page(request, 404)


def too_many(request: HttpRequest) -> HttpResponse:
    """What allauth counts by itself (one confirmation mail in three minutes …); its windows are a minute or so."""
    return too_many_requests(request, 60)


def server_error(request: HttpRequest) -> HttpResponse:
    """Needs neither database nor session: either may be what failed."""
    request_id = getattr(request, "request_id", "")
    if is_api(request) or not request.accepts("text/html"):
        return error_response(request, 500, code="server_error", detail="Server error")
    return HttpResponse(get_template("500.html").render({"request_id": request_id}), status=500)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    match = request.resolver_match  # the view's name, not the path: that may hold a key of a mailed link
    record_after(request, "csrf.failed", method=request.method, view=match.view_name if match else "")
    return render(request, "403_csrf.html", {"request_id": getattr(request, "request_id", "")}, status=403)
