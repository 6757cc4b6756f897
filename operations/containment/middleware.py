"""Refuses blocked networks on every channel, before a session, a body or a database row is looked at."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.template.loader import get_template
from django.utils import translation

from aaperture.lib.api.answers import error_response, is_api
from aaperture.lib.client_address import client_address
from operations.containment.blocklist import is_blocked


class BlockedNetworkMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not is_blocked(client_address(request)):
            return self.get_response(request)
        if is_api(request) or not request.accepts("text/html"):
            return error_response(request, 403, code="network_blocked", detail="This network is blocked for a while.")
        context = {"request_id": getattr(request, "request_id", "")}
        with translation.override(translation.get_language_from_request(request)):  # who asks has no session yet
            return HttpResponse(get_template("blocked.html").render(context), status=403)
